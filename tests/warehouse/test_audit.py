"""The audit log: what it takes, and that its verifier notices every kind of tampering."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.errors import ContractError
from catalog.settings import Settings
from warehouse.audit import AuditError, AuditLog
from warehouse.audit_verify import verify

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DETAIL = {"feed": "tax__arrears", "rows_found": 3, "rows_loaded": 2}


@pytest.fixture
def log(settings: Settings) -> AuditLog:
    made = AuditLog(settings, actor="engineer")
    for n in range(6):
        made.append("quarantine.replayed", {**DETAIL, "rows_found": n}, at=AT)
    return made


def test_a_sound_log_verifies_and_counts_its_events(log: AuditLog) -> None:
    assert verify(log.folder) == ([], 6)


def test_several_events_share_one_signature(log: AuditLog) -> None:
    assert log.append_all([("quarantine.replayed", DETAIL)] * 3, at=AT) == 9
    assert verify(log.folder) == ([], 9)
    assert len((log.folder / "heads.jsonl").read_text().splitlines()) == 7


def test_only_catalogued_events_with_their_details_are_taken(log: AuditLog) -> None:
    with pytest.raises(ContractError, match="not a catalogued"):
        log.append("something.else", {}, at=AT)
    with pytest.raises(ContractError, match="lacks rows_found"):
        log.append("quarantine.replayed", {"feed": "x", "rows_loaded": 1}, at=AT)
    assert verify(log.folder) == ([], 6)


def _edit(change: Callable[[list[str]], list[str]], name: str = "log.jsonl") -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        file = folder / name
        file.write_text("".join(line + "\n" for line in change(file.read_text().splitlines())))

    return apply


def _renumber(lines: list[str]) -> list[str]:
    """A forger who removes event 3 and mends numbers and links, but has no key."""
    import hashlib

    out: list[str] = []
    prev = "0" * 64
    for n, line in enumerate(lines[:2] + lines[3:], start=1):
        body = {**json.loads(line), "seq": n, "prev": prev}
        out.append(json.dumps(body, ensure_ascii=False, sort_keys=True))
        prev = hashlib.sha256(out[-1].encode()).hexdigest()
    return out


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(_edit(lambda x: [x[0], x[1].replace("tax__arrears", "tax__other"), *x[2:]]), id="changed"),
        pytest.param(
            _edit(lambda x: [*x[:-1], x[-1].replace('"rows_found": 5', '"rows_found": 4')]), id="last-changed"
        ),
        pytest.param(_edit(lambda x: x[:2] + x[3:]), id="removed"),
        pytest.param(_edit(lambda x: x[1:]), id="first-removed"),
        pytest.param(_edit(lambda x: x[:-2]), id="end-cut-off"),
        pytest.param(_edit(lambda x: [x[1], x[0], *x[2:]]), id="reordered"),
        pytest.param(_edit(lambda x: [*x[:3], x[2], *x[3:]]), id="duplicated"),
        pytest.param(_edit(lambda x: [*x, x[-1].replace('"seq": 6', '"seq": 7')]), id="added"),
        pytest.param(_edit(_renumber), id="removed-and-rechained"),
        pytest.param(_edit(lambda x: []), id="emptied"),
        pytest.param(_edit(lambda x: x[:-1], "heads.jsonl"), id="head-removed"),
        pytest.param(_edit(lambda x: x[1:], "heads.jsonl"), id="first-head-removed"),
        pytest.param(
            _edit(lambda x: [*x[:-1], x[-1].replace('"seq": 6', '"seq": 5')], "heads.jsonl"), id="head-changed"
        ),
        pytest.param(_edit(lambda x: [*x[:3], "not json", *x[4:]]), id="garbage"),
    ],
)
def test_tampering_is_found(log: AuditLog, tamper: Callable[[Path], None]) -> None:
    tamper(log.folder)
    faults, _ = verify(log.folder)
    assert faults


def test_a_log_rolled_back_as_a_whole_is_found_with_a_head_kept_elsewhere(log: AuditLog) -> None:
    kept = log.head()
    for name in ("log.jsonl", "heads.jsonl"):
        _edit(lambda x: x[:4], name)(log.folder)
    assert verify(log.folder) == ([], 4)
    faults, _ = verify(log.folder, expect_head=f"{kept['seq']}:{kept['hash']}")
    assert any("rolled back" in f for f in faults)


def test_a_log_forged_with_another_key_is_found(log: AuditLog, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other", lake=str(tmp_path / "other" / "lake"))
    other.make_dirs()
    forged = AuditLog(other, actor="engineer")
    for _ in range(6):
        forged.append("quarantine.replayed", DETAIL, at=AT)
    faults, _ = verify(forged.folder, public_key=log.folder / "audit.pub")
    assert any("signature" in f for f in faults)


def test_a_line_cut_by_a_crash_is_dropped_and_the_log_goes_on(log: AuditLog) -> None:
    with (log.folder / "log.jsonl").open("a") as f:
        f.write('{"seq": 7, "half')
    assert log.append("quarantine.replayed", DETAIL, at=AT) == 7
    assert verify(log.folder) == ([], 7)


def test_a_lost_or_readable_key_stops_the_log(log: AuditLog, settings: Settings) -> None:
    key = settings.keys / "audit.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(AuditError, match="read by others"):
        log.append("quarantine.replayed", DETAIL, at=AT)
    key.unlink()
    with pytest.raises(AuditError, match="key is gone"):
        log.append("quarantine.replayed", DETAIL, at=AT)


def test_the_verifier_stands_alone(log: AuditLog, root: Path, tmp_path: Path) -> None:
    script = tmp_path / "audit_verify.py"
    script.write_text((root / "warehouse" / "audit_verify.py").read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(log.folder)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout.strip()) == (0, "6 events, 0 faults")
