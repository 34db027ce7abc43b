"""How far a feed reaches: the tables that are made of it, by the references in the models, and their releases."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.model_grades import PROJECT

_SOURCE = re.compile(r"source\(\s*['\"]feed['\"]\s*,\s*['\"](\w+)['\"]\s*\)")
_REF = re.compile(r"ref\(\s*['\"](\w+)['\"]\s*\)")


def tables_of(feed_id: str, project: Path = PROJECT) -> list[str]:
    """Library tables and marts, as ``schema.table``, that read a feed by whatever way; staging models are left out."""
    reads: dict[str, set[str]] = {}
    staging: set[str] = set()
    for file in sorted((project / "models").rglob("*.sql")):
        text = file.read_text(encoding="utf-8")
        reads[file.stem] = {*_REF.findall(text), *(f"feed:{f}" for f in _SOURCE.findall(text))}
        if "staging" in file.relative_to(project).parts:
            staging.add(file.stem)
    reached = {f"feed:{feed_id}"}
    while more := {name for name, uses in reads.items() if uses & reached} - reached:
        reached |= more
    return sorted(name.replace("__", ".", 1) for name in reached & set(reads) - staging)


def releases_of_tables(
    settings: Settings, catalog: Catalog, tables: Iterable[str], since: datetime
) -> list[dict[str, Any]]:
    """Releases made of ``tables`` at or after ``since``, oldest first: product, title, version, time, recipients."""
    from warehouse.delta import exists, scan_sql
    from warehouse.duck import connect

    log = settings.platform_path("releases")
    if not exists(log):
        return []
    with connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        rows = con.execute(
            f"SELECT product, version, released_at, source_table, recipients FROM {scan_sql(con, log)} "  # noqa: S608
            "WHERE list_contains($tables, source_table) AND released_at >= $since ORDER BY released_at, product",
            {"tables": list(tables), "since": since},
        ).fetchall()
    return [
        {
            "product": product,
            "title": catalog.products[product].title if product in catalog.products else product,
            "version": version,
            "released_at": at,
            "table": table,
            "recipients": recipients,
        }
        for product, version, at, table, recipients in rows
    ]
