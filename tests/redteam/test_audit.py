"""Attempts to make the audit log say something else. The separate verifier notices each."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.errors import ContractError
from catalog.settings import Settings
from warehouse import access
from warehouse.audit import AuditLog
from warehouse.audit_verify import verify

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def log(settings: Settings) -> Path:
    for n in range(5):
        decision = access.decide(access.local_operator(), [f"feed.t{n}"], "sql", now=AT)
        access.record(settings, decision)
    assert verify(settings.home / "audit") == ([], 5)
    return settings.home / "audit"


def lines(folder: Path, name: str = "log.jsonl") -> list[str]:
    return (folder / name).read_text(encoding="utf-8").splitlines()


def put(folder: Path, content: list[str], name: str = "log.jsonl") -> None:
    (folder / name).write_text("".join(f"{line}\n" for line in content), encoding="utf-8")


def test_change_who_read(log: Path) -> None:
    content = lines(log)
    put(log, [content[0].replace("feed.t0", "feed.t9"), *content[1:]])
    assert verify(log)[0]


def test_remove_an_event(log: Path) -> None:
    content = lines(log)
    put(log, content[:2] + content[3:])
    assert verify(log)[0]


def test_cut_the_end_off(log: Path) -> None:
    put(log, lines(log)[:-1])
    assert verify(log)[0]


def test_cut_the_end_off_with_its_heads(log: Path) -> None:
    head = json.loads(lines(log, "heads.jsonl")[-1])
    for name in ("log.jsonl", "heads.jsonl"):
        put(log, lines(log, name)[:-1], name)
    assert verify(log, expect_head=f"{head['seq']}:{head['hash']}")[0]


def test_reorder_two_events(log: Path) -> None:
    content = lines(log)
    put(log, [content[1], content[0], *content[2:]])
    assert verify(log)[0]


def test_add_an_event(log: Path) -> None:
    content = lines(log)
    event = json.loads(content[-1]) | {"seq": 6, "prev": hashlib.sha256(content[-1].encode()).hexdigest()}
    put(log, [*content, json.dumps(event, sort_keys=True)])
    assert verify(log)[0]


def test_mend_the_chain_after_a_change(log: Path) -> None:
    events, prev = [json.loads(x) for x in lines(log)], "0" * 64
    events[1]["detail"]["allowed"] = False
    made = []
    for event in events:
        event["prev"] = prev
        made.append(json.dumps(event, ensure_ascii=False, sort_keys=True))
        prev = hashlib.sha256(made[-1].encode()).hexdigest()
    put(log, made)
    assert verify(log)[0]


def test_replace_the_newest_head(log: Path) -> None:
    heads = lines(log, "heads.jsonl")
    last = json.loads(heads[-1]) | {"hash": "f" * 64}
    put(log, [*heads[:-1], json.dumps(last)], "heads.jsonl")
    assert verify(log)[0]


def test_write_the_whole_log_anew_with_another_key(log: Path, settings: Settings, tmp_path: Path) -> None:
    head = json.loads(lines(log, "heads.jsonl")[-1])
    kept = tmp_path / "audit.pub"
    shutil.copy(log / "audit.pub", kept)
    shutil.rmtree(log)
    (settings.keys / "audit.key").unlink()
    access.record(settings, access.decide(access.local_operator(), ["feed.harmless"], "sql", now=AT))
    assert verify(log, expect_head=f"{head['seq']}:{head['hash']}")[0]
    assert verify(log, public_key=kept)[0]


def test_log_an_event_nobody_catalogued(settings: Settings) -> None:
    with pytest.raises(ContractError):
        AuditLog(settings, actor="x").append("access.forgotten", {}, at=AT)


def test_read_while_the_log_cannot_be_written(settings: Settings) -> None:
    """A read that cannot be recorded does not happen."""
    from warehouse.query import run_sql

    (settings.home / "audit").write_text("a file where the folder should be")
    with pytest.raises((OSError, Exception)) as caught:
        run_sql(settings, "show tables")
    assert caught.value
