"""What the log of a local Delta table says of its data files, and a commit written into it.

deltalake reads and keeps deletion vectors but neither tells of them nor writes any (delta-io/delta-rs issue 4512). This
is the part of the Delta transaction log protocol needed for that: "Add File and Remove File", "Deletion Vectors" (the
portable RoaringBitmapArray), "Transaction Identifiers", "Commit Provenance Information". Vectors stand in the log
itself (storage type ``i``), so that no vacuum can take one away.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
from pyroaring import BitMap64

from catalog.errors import Busy

if TYPE_CHECKING:
    from deltalake import DeltaTable

logger = logging.getLogger("lakehouse.delta")

SUMMED_UP_AFTER = 10
"""So many of these commits lie in a log that has no checkpoint of them, as Delta has it by default: each repeats the
vectors of all files it changes, and whoever opens the table reads all commits since the last checkpoint."""
_FEATURE, _PROPERTY = "deletionVectors", "delta.enableDeletionVectors"
_MAGIC = struct.pack("<I", 1681511377)
"""First bytes of a RoaringBitmapArray in its portable form."""
_Z85 = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#", np.uint8)
"""Digits of base 85 as ZeroMQ's RFC 32 has them, which Delta follows; `base64` has others, and takes a second for a
vector of a million rows."""
_VALUES = np.zeros(256, np.uint64)
_VALUES[_Z85] = np.arange(85)
_POWERS = np.uint64(85) ** np.arange(4, -1, -1, dtype=np.uint64)


@dataclass(frozen=True)
class DataFile:
    """A data file of a table.

    Attributes:
        add: its action, as the log has it.
        path: where it is.
        rows: rows in it, those deleted among them.
        deleted: their numbers in the file, from 0.
    """

    add: dict[str, Any]
    path: Path
    rows: int
    deleted: BitMap64


def data_files(table: DeltaTable) -> tuple[DataFile, ...] | None:
    """The files of a local table without partitions at its version; None when its log is in a form that only deltalake
    reads (checkpoints in parts, vectors in files, rows of a file not counted)."""
    root = Path(table.table_uri.removeprefix("file://"))
    if "://" in str(root) or table.metadata().partition_columns:
        return None
    files = files_at(root, table.version())
    named = {unquote(Path(uri).name) for uri in table.file_uris()}
    return files if files is not None and {f.path.name for f in files} == named else None


def files_at(root: Path, version: int) -> tuple[DataFile, ...] | None:
    """`data_files` of a version of a local table without partitions, told by the log alone."""
    adds = _adds(root / "_delta_log", version)
    if adds is None:
        return None
    files = [_data_file(root, add) for add in adds.values()]
    return tuple(f for f in files if f is not None) if all(files) else None


def deleted_rows(action: Mapping[str, Any]) -> BitMap64 | None:
    """Numbers of the rows of a file that an ``add`` or ``remove`` says are deleted; None when they stand in a file."""
    vector = action.get("deletionVector")
    if not vector:
        return BitMap64()
    return _rows_of(vector) if vector["storageType"] == "i" else None


def commit(
    table: DeltaTable,
    *,
    files: Iterable[tuple[DataFile, BitMap64]],
    adds: Sequence[Mapping[str, Any]],
    at: int,
    operation: str,
    note: Mapping[str, str],
    transaction: tuple[str, int] | None = None,
) -> int:
    """Write the version after that of ``table``: ``files`` have more rows deleted, ``adds`` come.

    A table that may not have deletion vectors yet is allowed them by a version of its own before.

    Args:
        files: files with all row numbers deleted in each; one whose rows are all deleted goes.
        adds: actions of files that lie in the table's folder already.
        at: instant of the commit, ms since 1970.
        note: told by the table's history. transaction: application id and version, as of ``commit_once``.

    Raises:
        Busy: somebody else wrote that version meanwhile; nothing was changed.
    """
    log, version = Path(table.table_uri.removeprefix("file://")) / "_delta_log", table.version() + 1
    if table.metadata().configuration.get(_PROPERTY) != "true":
        _write(log, version, [_info(at, "SET TBLPROPERTIES"), *_allowing(table)])
        version += 1
    lines: list[dict[str, Any]] = [_info(at, operation, note)]
    if transaction is not None:
        name, number = transaction
        lines.append({"txn": {"appId": name, "version": number, "lastUpdated": at}})
    for file, deleted in files:
        gone = {k: file.add[k] for k in ("path", "partitionValues", "size", "deletionVector") if k in file.add}
        lines.append({"remove": {**gone, "deletionTimestamp": at, "dataChange": True, "extendedFileMetadata": True}})
        if len(deleted) < file.rows:
            stats = {**json.loads(file.add["stats"]), "tightBounds": False}  # bounds may be of deleted rows
            marked = {"stats": json.dumps(stats), "deletionVector": _vector(deleted), "dataChange": True}
            lines.append({"add": {**file.add, **marked}})
    _write(log, version, [*lines, *({"add": dict(add)} for add in adds)])
    _sum_up(log.parent, version)
    return version


def _sum_up(root: Path, version: int) -> None:
    """Write a checkpoint at every tenth version, of each table at another one: a day changes most tables of the house.

    The commit stands by then: without a checkpoint the table is as it is, and slower to open.
    """
    turn = zlib.crc32("/".join(root.parts[-3:]).encode())
    if version < SUMMED_UP_AFTER or (version + turn) % SUMMED_UP_AFTER:
        return
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        DeltaTable(str(root), version=version).create_checkpoint()
    except (DeltaError, OSError) as e:
        logger.warning("no checkpoint of %s was written (%s)", "/".join(root.parts[-3:]), type(e).__name__)


def takes_vectors(table: DeltaTable) -> bool:
    """Whether the table has deletion vectors, or is of a protocol that `commit` can add them to."""
    said = table.protocol()
    return said.min_reader_version in (1, 3) and said.min_writer_version in (1, 2, 7)


def _allowing(table: DeltaTable) -> list[dict[str, Any]]:
    """The actions that allow a table deletion vectors.

    deltalake's own way waits for its workers with Python's lock in its hand, and they may wait for that lock to read
    rows from Python: both for ever.
    """
    said, meta = table.protocol(), table.metadata()
    implied = ["appendOnly", "invariants"] if said.min_writer_version == 2 else []
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": sorted({*(said.reader_features or []), _FEATURE}),
        "writerFeatures": sorted({*(said.writer_features or implied), _FEATURE}),
    }
    metadata = {
        "id": str(meta.id),
        "name": meta.name,
        "description": meta.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": table.schema().to_json(),
        "partitionColumns": meta.partition_columns,
        "configuration": {**meta.configuration, _PROPERTY: "true"},
        "createdTime": meta.created_time,
    }
    return [{"protocol": protocol}, {"metaData": {k: v for k, v in metadata.items() if v is not None}}]


def _info(at: int, operation: str, note: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"commitInfo": {"timestamp": at, "operation": operation, "operationParameters": {}, **(note or {})}}


def _write(log: Path, version: int, actions: Iterable[Mapping[str, Any]]) -> None:
    draft = log / f"_commit_{uuid.uuid4()}.json.tmp"
    draft.write_text("\n".join(json.dumps(action) for action in actions) + "\n", encoding="utf-8")
    try:
        os.link(draft, log / f"{version:020d}.json")  # unlike a rename, never in place of another's
    except FileExistsError as e:
        raise Busy(
            "somebody else has written the table meanwhile; nothing was changed",
            hint="run it again when the other is done",
            table="/".join(log.parts[-4:-1]),
        ) from e
    finally:
        draft.unlink()


def _adds(log: Path, version: int) -> dict[str, dict[str, Any]] | None:
    """Actions of the files of a version, by path."""
    checkpoints = [f for f in log.glob("*.checkpoint*.parquet") if int(f.name[:20]) <= version]
    adds: dict[str, dict[str, Any]] = {}
    first = 0
    if checkpoints:
        newest = max(checkpoints, key=lambda f: f.name[:20])
        if newest.name != f"{newest.name[:20]}.checkpoint.parquet":
            return None
        adds, first = _of_checkpoint(newest), int(newest.name[:20]) + 1
    for number in range(first, version + 1):
        file = log / f"{number:020d}.json"
        if not file.exists():
            return None
        found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
        # within a version their order says nothing: a file whose vector changes is removed and added
        for action in sorted(found, key=lambda a: "add" in a):
            if "remove" in action:
                adds.pop(action["remove"]["path"], None)
            elif "add" in action:
                adds[action["add"]["path"]] = action["add"]
    return adds


def _of_checkpoint(file: Path) -> dict[str, dict[str, Any]]:
    from pyarrow import parquet

    adds = {}
    for add in parquet.read_table(file, columns=["add"]).column("add").to_pylist():
        if add is not None:
            told = {k: v for k, v in add.items() if v is not None and not k.endswith("_parsed")}
            if "deletionVector" in told:
                told["deletionVector"] = {k: v for k, v in told["deletionVector"].items() if v is not None}
            adds[add["path"]] = {**told, "partitionValues": dict(add["partitionValues"] or {}), "dataChange": True}
    return adds


def _data_file(root: Path, add: dict[str, Any]) -> DataFile | None:
    rows = json.loads(add.get("stats") or "{}").get("numRecords")
    deleted = deleted_rows(add)
    if rows is None or deleted is None:
        return None
    return DataFile(add, root / unquote(add["path"]), int(rows), deleted)


def _vector(rows: BitMap64) -> dict[str, Any]:
    """The descriptor of a vector that stands in the log."""
    told = _MAGIC + rows.serialize()
    return {"storageType": "i", "pathOrInlineDv": _encoded(told), "sizeInBytes": len(told), "cardinality": len(rows)}


def _rows_of(vector: Mapping[str, Any]) -> BitMap64:
    told = _decoded(str(vector["pathOrInlineDv"]))[: int(vector["sizeInBytes"])]
    if not told.startswith(_MAGIC):
        raise ValueError("not a deletion vector in its portable form")
    return BitMap64.deserialize(told[len(_MAGIC) :])


def _encoded(told: bytes) -> str:
    """Bytes in base 85, filled up with zeros to groups of four."""
    groups = np.frombuffer(told + b"\0" * (-len(told) % 4), ">u4").astype(np.uint64)
    return _Z85[(groups[:, None] // _POWERS % np.uint64(85)).astype(np.intp)].tobytes().decode("ascii")


def _decoded(text: str) -> bytes:
    digits = _VALUES[np.frombuffer(text.encode("ascii"), np.uint8)].reshape(-1, 5)
    return (digits @ _POWERS).astype(">u4").tobytes()
