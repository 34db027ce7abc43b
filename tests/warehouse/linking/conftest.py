"""Small registers, written as ingestion leaves them: feed table and vault."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.identifiers import check_character
from warehouse.linking import store
from warehouse.linking.run import LinkResult, link_persons

NOW = datetime(2026, 6, 30, 2, 0, tzinfo=UTC)
Register = Callable[..., None]
HEALTH, INSURED = "health__records", "social_security__insured"
HOUSEHOLD, MARRIAGES = "public_security__household", "civil_affairs__marriages"
HOUSING = "housing__occupants"
HOME = "北京市西城区安德路12号院3号楼201室"


def resident_id(birth: str, sequence: int, area: str = "110102") -> str:
    body = f"{area}{birth.replace('-', '')}{sequence:03d}"
    return body + check_character(body)


def health(number: str, **more: Any) -> dict[str, Any]:
    return {"health_record_number": number, "updated_at": NOW - timedelta(days=9), "residence_address": HOME} | more


def insured(number: str, **more: Any) -> dict[str, Any]:
    return {"insured_number": number, "updated_at": NOW - timedelta(days=5), "residence_address": HOME} | more


def people(count: int) -> list[dict[str, Any]]:
    out = []
    for i in range(count):
        born = date(1950, 1, 1) + timedelta(days=53 * i)
        name = (
            "王李张刘陈杨黄赵吴周"[i % 10]
            + "伟芳敏静丽强磊洋艳勇军杰娟涛"[i % 14]
            + "宇辰轩涵泽然一诺心怡梓萱昊"[i % 13]
        )
        out.append({"person_name": name, "birth_date": born, "sex_code": "1", "phone": f"139{i:08d}",
                    "resident_id": resident_id(str(born), 100 + 2 * (i % 300) + 1),
                    "residence_address": f"安德路{i}号院1号楼101室"})  # fmt: skip
    return out


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


@pytest.fixture
def link(settings: Settings, catalog: Catalog) -> Callable[..., LinkResult]:
    def run(days: int = 0, **more: Any) -> LinkResult:
        return link_persons(settings, catalog, now=NOW + timedelta(days=days), **more)

    return run


def identities(settings: Settings) -> dict[str, tuple[Any, ...]]:
    """Person to what its row says, but the run."""
    columns = ("resident_key", "birth_date", "sex_code", "records", "is_identified")
    return {r["person_key"]: tuple(r[c] for c in columns) for r in store.read(settings, store.IDENTITIES)}
