"""Erase one person from the whole lakehouse, verify it byte by byte, and certify it.

Safe to run again after a crash at any step: what is gone is not found again, and what was counted before the crash
stands in ``progress.json`` until the certificate is written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.errors import UnknownName
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.certificate import OUT_OF_REACH, by_linking, write_certificate
from ingestion.landed_records import landed_records
from ingestion.landing import Checkpoint, no_checkpoint
from ingestion.redact import records_of, redact_landed
from warehouse.erase_links import Linked, LinkedFeed, left_behind, linked_records
from warehouse.erase_person import DestroyFault, Person, drop_rows, holds, ids_behind
from warehouse.erase_tables import Records, erase_table, numbered_key, person_keys
from warehouse.objections import checked_text
from warehouse.tables import list_tables, table_lock

TEXTS = {".html", ".htm", ".json", ".jsonl", ".md", ".txt", ".log", ".csv", ".js"}
PROGRESS = "progress.json"
"""What a run has done and has to do; it names the person by keys, and goes when the certificate is written."""
THROWN_AWAY = ("build", "connectors")
"""Folders of the home whose files can be made again at any time."""
Progress = Callable[[str], None]


def person_of(
    settings: Settings,
    catalog: Catalog,
    *,
    resident_id: str | None = None,
    resident_key: str | None = None,
    person_key: str | None = None,
) -> Person:
    """The person behind a resident ID or a pseudonym; from a pseudonym the ID is looked for in what was delivered.

    Args:
        person_key: of linking, for somebody no register knows a number of.

    Raises:
        UnknownName: neither a valid ID nor a pseudonym, or linking knows a number of that person.
        KeyRefused: the pseudonym key is missing.
    """
    from quality.identifiers import is_resident_id, upgrade_resident_id
    from quality.pseudonym import load_key

    key = load_key(settings.keys, create=False)
    if resident_id is not None:
        number = upgrade_resident_id(resident_id.strip())
        if not is_resident_id(number):
            raise UnknownName("this is not a valid resident ID", hint="one number in a file of mode 0600, or on stdin")
        return Person(key.resident_key(number), (number,))
    if person_key is not None:
        if known := numbered_key(settings, person_key):
            return person_of(settings, catalog, resident_key=known)
        return Person(person_key)
    if resident_key is None or len(resident_key) != key.digits or set(resident_key) - set("0123456789abcdef"):
        raise UnknownName(f"a pseudonym is {key.digits} hex digits", hint="give --resident-id-file or --resident-key")
    landed = (p for p in settings.landing.rglob("*") if p.is_file())
    return Person(resident_key, tuple(sorted(ids_behind(resident_key, landed, key.resident_key))))


def erase_person(
    settings: Settings,
    catalog: Catalog,
    person: Person,
    *,
    reason: str,
    by: str,
    now: datetime,
    dry_run: bool = False,
    checkpoint: Checkpoint = no_checkpoint,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Erase, verify and certify.

    Args:
        reason: legal ground or request, kept in the certificate and the audit log.
        by: who asked for it to be done.

    Returns:
        the certificate as a mapping; with ``dry_run`` what would be done, and nothing is changed.

    Raises:
        UnknownName: no trace of this person anywhere.
        DestroyFault: the lake is remote, or a trace is left after all: the certificate says where.
        ObjectionRefused: reason or name holds a personal value.
        Busy: a table is being written; run it again.
    """
    if "://" in settings.lake:
        raise DestroyFault("a lake in an object store cannot be verified byte by byte", hint="erase at its store")
    if person.in_text(reason) or person.in_text(by):
        raise DestroyFault("the reason or the name holds the person's identifier", hint="state them without it")
    reason, by = checked_text(reason), checked_text(by)
    say = progress or (lambda _: None)
    folder, state = _resume(settings, catalog, person, now)
    if dry_run:
        return {"dry_run": True, **_look(settings, catalog, person, state)}
    if not state["started"] and not any(holds(p, person) for p in _everything(settings)):
        raise UnknownName("no trace of this person anywhere in the lakehouse", hint="check the number; nothing changed")
    state["started"] = True
    _save(folder, state)
    _erase_landing(settings, catalog, person, state, folder, now, say, checkpoint)
    _erase_tables(settings, person, state, folder, say, checkpoint)
    _other_files(settings, person, state, folder)
    checkpoint("destroy.files")
    left = [str(p.relative_to(settings.home)) for p in _everything(settings) if holds(p, person)]
    left += _still_linked(settings, catalog, person, state)
    waiting = [str(p.relative_to(settings.home)) for p in _in(settings.drop) if holds(p, person)]
    checkpoint("destroy.verified")
    certificate = write_certificate(
        settings, folder, state, person, reason=reason, by=by, now=now, left=left, waiting=waiting
    )
    (folder / PROGRESS).unlink(missing_ok=True)
    if left:
        raise DestroyFault(
            f"{len(left)} files or tables still hold a trace",
            hint=f"see {folder / 'certificate.json'}",
            erasure=state["id"],
        )
    return certificate


def _erase_landing(
    settings: Settings,
    catalog: Catalog,
    person: Person,
    state: dict[str, Any],
    folder: Path,
    now: datetime,
    say: Progress,
    checkpoint: Checkpoint,
) -> None:
    """Take the person's records out of every delivered file; which records they were is kept for the tables."""
    linked = _linked(state)
    for feed in catalog.feeds.values():
        with table_lock(settings, feed.id):
            for receipt in landing.receipts_of(settings, feed.id):
                unnumbered = landed_records(settings, catalog, feed, receipt, linked.get(feed.id), person)
                numbers = records_of(settings, catalog, feed, receipt, person)
                if numbers or unnumbered:
                    _add(state["records"], receipt.id, [*numbers, *unnumbered.rows])
                    _save(folder, state)
                done = redact_landed(settings, catalog, feed, receipt, person, unnumbered, erasure=state["id"], at=now)
                if done:
                    say(f"landing {done['file']}: {done['how']}")
                    state["files"].append({"area": "landing", **done})
                    _save(folder, state)
                    checkpoint("destroy.landed")


def _resume(settings: Settings, catalog: Catalog, person: Person, now: datetime) -> tuple[Path, dict[str, Any]]:
    """The folder and state of this erasure: of one that a crash broke off, or a new one."""
    root = settings.home / "reports" / "destroy"
    for file in sorted(root.glob(f"*/{PROGRESS}")):
        state: dict[str, Any] = json.loads(file.read_bytes())
        if state["subject"] == person.subject:
            return file.parent, state
    name = f"{now:%Y%m%dT%H%M%SZ}-{person.subject[:8]}"
    people = person_keys(settings, person)
    linked = linked_records(settings, catalog, people)
    records: Records = {}
    for feed in linked.values():
        for receipt, numbers in feed.rows.items():
            _add(records, receipt, numbers)
    state = {"id": name, "subject": person.subject, "started": False, "records": records, "tables": [], "files": []}
    state["people"] = list(people)
    state["linked"] = {feed_id: feed.model_dump(mode="json") for feed_id, feed in linked.items()}
    return root / name, state


def _add(records: Records, receipt: str, numbers: Iterable[int]) -> None:
    """Record numbers are added, never replaced: after a crash a delivery no longer shows what was taken out of it."""
    records[receipt] = sorted({*records.get(receipt, ()), *numbers})


def _linked(state: dict[str, Any]) -> Linked:
    return {feed_id: LinkedFeed.model_validate(given) for feed_id, given in state["linked"].items()}


def _still_linked(settings: Settings, catalog: Catalog, person: Person, state: dict[str, Any]) -> list[str]:
    """Tables and deliveries that hold a record of linking after the erasure."""
    linked = _linked(state)
    left = left_behind(settings, linked, state["records"])
    for feed_id, known in linked.items():
        feed = catalog.feed(feed_id)
        for receipt in landing.receipts_of(settings, feed_id):
            if landed_records(settings, catalog, feed, receipt, known, person):
                left.append(f"landing {feed_id}/{receipt.id}")
    return left


def _save(folder: Path, state: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    landing.write_durably(folder / PROGRESS, json.dumps(state, ensure_ascii=False, indent=1).encode())


def _look(settings: Settings, catalog: Catalog, person: Person, state: dict[str, Any]) -> dict[str, Any]:
    """What an erasure would touch."""
    records: Records = dict(state["records"])
    linked = _linked(state)
    for feed in catalog.feeds.values():
        for receipt in landing.receipts_of(settings, feed.id):
            unnumbered = landed_records(settings, catalog, feed, receipt, linked.get(feed.id), person)
            _add(records, receipt.id, [*records_of(settings, catalog, feed, receipt, person), *unnumbered.rows])
    tables = [
        erase_table(settings, ref, person, records, people=state["people"], linked=linked, dry_run=True)
        for ref in list_tables(settings)
    ]
    files = [str(p.relative_to(settings.home)) for p in _everything(settings) if holds(p, person)]
    if not files:
        raise UnknownName("no trace of this person anywhere in the lakehouse", hint="check the number; nothing changed")
    return {"tables": [t.as_dict() for t in tables if t], "files": files, "linked": by_linking(state),
            "out_of_reach": list(OUT_OF_REACH)}  # fmt: skip


def _in(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())


def _everything(settings: Settings) -> Iterator[Path]:
    """Every file of the home and the lake but keys, deliveries that wait, and the notes of a run that is not over."""
    seen: set[Path] = set()
    notes = settings.home / "reports" / "destroy"
    for root in (settings.home, Path(settings.lake)):
        for path in _in(root):
            if path in seen or settings.keys in path.parents or settings.drop in path.parents:
                continue
            if path.name == PROGRESS and path.parent.parent == notes:
                continue
            seen.add(path)
            yield path


def _erase_tables(
    settings: Settings, person: Person, state: dict[str, Any], folder: Path, say: Progress, checkpoint: Checkpoint
) -> None:
    """Erase from table after table, each noted before the next is begun."""
    for ref in list_tables(settings):
        found = erase_table(settings, ref, person, state["records"], people=state["people"], linked=_linked(state))
        if found:
            say(f"{found.table}: {found.rows_removed} rows removed, {found.cells_blanked} cells blanked")
            state["tables"].append(found.as_dict())
            _save(folder, state)
            checkpoint("destroy.table")


def _other_files(settings: Settings, person: Person, state: dict[str, Any], folder: Path) -> None:
    """After tables and landing: releases are withdrawn, what can be made again is thrown away, texts are redacted."""
    lake = Path(settings.lake)
    for path in _everything(settings):
        if lake in path.parents or settings.home / "audit" in path.parents or not holds(path, person):
            continue
        inside = path.relative_to(settings.home)
        if inside.parts[0] == "releases":
            how = _withdraw(settings, path, state)
        elif inside.parts[0] in THROWN_AWAY:
            path.unlink()
            how = "removed; it is made again when needed"
        elif path.suffix == ".parquet":
            how = f"{drop_rows(path, person)} rows removed"
        elif path.suffix in TEXTS:
            landing.write_durably(path, person.redact(path.read_bytes()))
            how = "values starred"
        else:
            continue  # the verification names it
        state["files"].append({"area": inside.parts[0], "file": str(inside), "how": how})
        _save(folder, state)
    shutil.rmtree(settings.build / "stage", ignore_errors=True)


def _withdraw(settings: Settings, path: Path, state: dict[str, Any]) -> str:
    """Remove a released file; a note stays in its place, for copies of it were handed out."""
    note = path.with_name(f"{path.name}.withdrawn.json")
    path.unlink()
    text = {"file": path.name, "erasure": state["id"], "cure": "publish the product again; recall the copies"}
    landing.write_durably(note, json.dumps(text, ensure_ascii=False).encode())
    return "withdrawn; publish the product again and recall the copies"
