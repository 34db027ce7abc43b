"""Answers of the address matcher kept from build to build, so that a day's build asks for new addresses only.

An answer holds as long as the address book, the communities and the matcher are what they were: their digest is the
name of the file, and another one starts anew. A text is kept as a digest, its answer as the JSON that was given.
"""

# ruff: noqa: S608 - paths are literals, names are of this project
from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from catalog.settings import Settings

FOLDER = "answers"
_KEY_BYTES = 16


class KeptAnswers:
    """Answers under one digest; threads may ask at once.

    Args:
        path: the file, which may not be there yet. It is written by `keep`, others beside it are removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[bytes, str | None] = _read(path)
        self._new = 0

    def __len__(self) -> int:
        return len(self._known)

    def ask(
        self, questions: Sequence[tuple[str | None, ...]], answer: Callable[[list[int]], Sequence[str | None]]
    ) -> list[str | None]:
        """One answer a question; ``answer`` is called with the places of those that are not known yet."""
        keys = [_key(q) for q in questions]
        missing = [i for i, key in enumerate(keys) if key not in self._known]
        if missing:
            made = answer(missing)
            with self._lock:
                self._known.update((keys[i], text) for i, text in zip(missing, made, strict=True))
                self._new += len(missing)
        return [self._known[key] for key in keys]

    def keep(self) -> None:
        """Write what is new, whole or not at all."""
        import pyarrow as pa
        from pyarrow import parquet

        with self._lock:
            if not self._new:
                return
            keys = pa.array(list(self._known), pa.binary(_KEY_BYTES))
            table = pa.table({"question": keys, "answer": pa.array(list(self._known.values()), pa.string())})
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._path.with_suffix(".tmp")
            parquet.write_table(table, draft, compression="zstd")
            draft.replace(self._path)
            for old in self._path.parent.glob("*.parquet"):
                if old != self._path:
                    old.unlink(missing_ok=True)
            self._new = 0


def answers_path(settings: Settings) -> Path:
    """The file of the answers that hold for the book, the communities and the matcher as they stand."""
    import quality.addresses
    from warehouse.addresses.library import TABLES, communities
    from warehouse.delta import exists, scan_sql
    from warehouse.duck import connect

    digest = sha256()
    for file in sorted(Path(str(quality.addresses.__file__)).parent.glob("*.py")):
        digest.update(file.read_bytes())
    digest.update(repr(communities(settings)).encode())
    with connect() as con:
        for table, columns in TABLES.items():
            path = settings.table_path(*table)
            if exists(path):
                sql = f"SELECT count(*), bit_xor(hash({columns})), sum(hash({columns})) FROM {scan_sql(con, path)}"
                digest.update(repr(con.execute(sql).fetchone()).encode())
    return settings.build / FOLDER / f"addresses-{digest.hexdigest()[:16]}.parquet"


def _key(question: tuple[str | None, ...]) -> bytes:
    return blake2b(repr(question).encode(), digest_size=_KEY_BYTES).digest()


def _read(path: Path) -> dict[bytes, str | None]:
    if not path.exists():
        return {}
    from pyarrow import parquet

    table: Any = parquet.read_table(path)
    return dict(zip(table.column("question").to_pylist(), table.column("answer").to_pylist(), strict=True))
