"""Small registers, written as ingestion leaves them: feed table and vault."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.identifiers import check_character

NOW = datetime(2026, 6, 30, 2, 0, tzinfo=UTC)
Register = Callable[..., None]


def resident_id(birth: str, sequence: int, area: str = "110102") -> str:
    body = f"{area}{birth.replace('-', '')}{sequence:03d}"
    return body + check_character(body)


@pytest.fixture
def register(settings: Settings, catalog: Catalog) -> Register:
    """``register(feed_id, rows)`` writes a register anew; fields that are not given are empty."""
    import pyarrow as pa
    from deltalake import write_deltalake

    from quality.pseudonym import load_key
    from warehouse.schema import SEALED, feed_columns, vault_schema
    from warehouse.vault import sealer

    settings.make_dirs()
    key = load_key(settings.keys)

    def written(feed_id: str, rows: Sequence[dict[str, Any]], *, at: datetime = NOW) -> None:
        feed = catalog.feed(feed_id)
        vaulted = {f.name: f.element.pseudonym for f in catalog.vaulted(feed)}
        made, sealed = [], []
        for number, row in enumerate(rows, start=1):
            system = {"_receipt": f"r-{at:%H%M%S}", "_row_number": number, "_loaded_at": row.get("_loaded_at", at)}
            hashed = {
                p: key.resident_key(row[f]) if "resident_key" in p else key.pseudonym(row[f])
                for f, p in vaulted.items()
                if p and row.get(f)
            }
            made.append({k: v for k, v in row.items() if k not in vaulted} | hashed | system)
            sealed.append(json.dumps({f: row[f] for f in vaulted if row.get(f)}, ensure_ascii=False).encode())
        schema = pa.schema([(c.name, c.arrow) for c in feed_columns(catalog, feed)])
        write_deltalake(settings.feed_path(feed_id), pa.Table.from_pylist(made, schema=schema), mode="overwrite")
        secrets = sealer(settings, feed_id, now=at).seal(sealed)
        rows_ = [m | {SEALED: s} for m, s in zip(made, secrets, strict=True)]
        vault = pa.Table.from_pylist([{k: r.get(k) for k in vault_schema(catalog, feed).names} for r in rows_],
                                     schema=vault_schema(catalog, feed))  # fmt: skip
        write_deltalake(settings.vault_path(feed_id), vault, mode="overwrite")

    return written


@pytest.fixture
def links(settings: Settings) -> Callable[[], dict[tuple[str, str, str], str]]:
    """``links()``: (feed, record key, role) to the person's key, as linking wrote it."""
    from warehouse.linking import store

    def read() -> dict[tuple[str, str, str], str]:
        return {(r["feed"], r["record_key"], r["role"]): r["person_key"] for r in store.read(settings, store.LINKS)}

    return read
