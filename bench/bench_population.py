"""Linking persons and building both libraries of registers: in full at growing sizes, and for a day's 1 % of changes.

The district is generated and loaded outside the measured time. The accuracy found on the way, at 2 % and at 10 % of
faulty records, is written to ``docs/linkage.md``.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bench.harness import compare, run_once

DISTRICT = 1_106_214
"""Residents at the census of 2020."""
CURVE = (0.1, 0.25, 1.0)
SECONDS, SHARE = 720.0, 0.10
SIDE = "bench.bench_population:"
LIBRARIES = ("+path:models/library/population", "+path:models/library/legal_entity")
OTHER_FEEDS = ("planning__address_points", "planning__divisions", "social_security__employers", "tax__arrears")
OTHER_DEPARTMENTS = ("market_supervision", "staffing", "government_services")
"""What the libraries read besides the registers of persons."""
SAID_ANEW = {
    "public_security__household": ("registered_address",),
    "public_security__floating_population": ("residence_address",),
    "health__records": ("community_code",),
    "market_supervision__enterprises": ("entity_name", "entity_address"),
}
"""What a day's records say otherwise than before: people move, firms move and change their names."""
DOC = Path(__file__).resolve().parent.parent / "docs" / "linkage.md"

INTRODUCTION = "由 `make bench` 写出：与演示区真值比对（`lakehouse report linkage`）。故障率是含错记录所占比例。"


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The curve up to ``scale`` of the district, a day's change, and the accuracy."""
    rows, found = [], []
    for share in CURVE:
        residents = max(2_000, int(DISTRICT * scale * share))
        with tempfile.TemporaryDirectory() as home:
            records = _made(home, residents, 0.02)
            target = SECONDS if scale * share == 1.0 else None
            name = f"link and build both libraries, {residents:,} residents, {records:,} records of persons"
            args = {"home": home}
            rows.append(compare(name, ours=f"{SIDE}full", args=args, rows=records, runs=1, target=target))
            if share == CURVE[0]:
                change = f"as many changes as a day's 1 % of the whole district, {residents:,} residents"
                every = {"every": round(100 * share)}
                rows.append(compare(change, ours=f"{SIDE}day", args=args | every, runs=1))
            if share == CURVE[-1]:
                change = f"the same for a day's 1 %, {residents:,} residents"
                rows.append(
                    compare(change, ours=f"{SIDE}day", yardstick=f"{SIDE}full", args=args, runs=1, target=SHARE)
                )
                found.append((0.02, residents, accuracy(home)))
    residents = max(2_000, int(DISTRICT * scale * CURVE[0]))
    with tempfile.TemporaryDirectory() as home:
        _made(home, residents, 0.10)
        run_once(f"{SIDE}full", {"home": home})
        found.append((0.10, residents, accuracy(home)))
    DOC.write_text(report(found), encoding="utf-8")
    return rows


def _made(home: str, residents: int, faults: float) -> int:
    run_once(f"{SIDE}prepare", {"home": home, "residents": residents, "faults": faults}, timeout=7200)
    return int((Path(home) / "records").read_text())


def prepare(home: str, residents: int, faults: float, seed: int = 1) -> None:
    """A district in the drop folder, its registers of persons and organisations in feed tables."""
    from catalog.linking import load_linking
    from demo import generate
    from ingestion.load import ingest

    settings, catalog = _house(home)
    generate(
        settings.drop, truth=settings.home / "truth", residents=residents, seed=seed, as_of=date(2026, 6, 30),
        faults=faults,
    )  # fmt: skip
    loaded = 0
    for feed_id in load_linking(catalog).registers:
        loaded += sum(r.rows_loaded for r in ingest(settings, catalog, feed_id, now=datetime.now(UTC)))
    (settings.home / "records").write_text(str(loaded))
    for feed_id in _of_organisations(catalog):
        list(ingest(settings, catalog, feed_id, now=datetime.now(UTC)))
    shutil.rmtree(settings.landing)


def _of_organisations(catalog: Any) -> list[str]:
    more = (*OTHER_FEEDS, "civil_affairs__social_organisations", "tax__registrations")
    return [f for f in catalog.feeds if f in more or f.split("__")[0] in OTHER_DEPARTMENTS]


def full(home: str) -> float:
    """Seconds to link all records anew and build the libraries."""
    return _linked(home, full=True)


def day(home: str, every: int = 100) -> float:
    """Seconds after one record in ``every`` of every register was delivered again, some of them saying otherwise."""
    deliver_again(home, every=every, at=7)
    return _linked(home, full=False)


def deliver_again(home: str, *, every: int, at: int) -> None:
    """Load one record in ``every`` of every register again: people and firms move to where others of them lived."""
    from catalog.linking import load_linking
    from warehouse.delta import exists

    settings, catalog = _house(home)
    for feed_id in (*load_linking(catalog).registers, *_of_organisations(catalog)):
        if exists(settings.feed_path(feed_id)):
            _deliver_again(settings.feed_path(feed_id), SAID_ANEW.get(feed_id, ()), every, at)


def _deliver_again(path: str, said_anew: tuple[str, ...], every: int, at: int) -> None:
    from deltalake import DeltaTable

    from warehouse.delta import FileStyle, scan_sql
    from warehouse.duck import connect

    with connect(memory="2GB") as con:
        con.execute("SET TimeZone = 'UTC'")
        now = f"CAST('{datetime.now(UTC).isoformat()}' AS TIMESTAMP WITH TIME ZONE)"
        rows = con.execute(
            f"SELECT _receipt, _row_number, {now} AS _loaded_at"
            f"{''.join(f', {_otherwise(c)} AS {c}' for c in said_anew)} "
            f"FROM {scan_sql(con, path)} WHERE _row_number % {every} = {at}"
        ).to_arrow_table()
    merge = DeltaTable(path).merge(
        rows,
        predicate="t._receipt = s._receipt AND t._row_number = s._row_number",
        source_alias="s",
        target_alias="t",
        writer_properties=FileStyle().properties(),
    )
    merge.when_matched_update({c: f"s.{c}" for c in ("_loaded_at", *said_anew)}).execute()


def _otherwise(column: str) -> str:
    """SQL: another value of the same kind."""
    if column == "community_code":
        return "CASE WHEN community_code = '110102001004' THEN '110102001007' ELSE '110102001004' END"
    if column.endswith("_address"):
        return f"lag({column}, 1, {column}) OVER (ORDER BY _receipt, _row_number)"
    return f"{column} || '东'"


def _linked(home: str, *, full: bool) -> float:
    from warehouse.linked_build import link_and_build

    settings, catalog = _house(home)
    start = time.perf_counter()
    result = link_and_build(
        settings, catalog, now=datetime.now(UTC), link_all=full, full_refresh=full, select=LIBRARIES
    )
    result.raise_for_failure()
    return time.perf_counter() - start


def _house(home: str) -> tuple[Any, Any]:
    from catalog.registry import load_catalog
    from catalog.settings import Settings

    settings = Settings(home=Path(home), lake=f"{home}/lake")
    settings.make_dirs()
    return settings, load_catalog(settings.catalog_dir)


def accuracy(home: str) -> Any:
    from warehouse.linking.accuracy import measure

    settings, catalog = _house(home)
    return measure(settings, catalog, settings.home / "truth")


def report(found: list[tuple[float, int, Any]]) -> str:
    """``docs/linkage.md``: accuracy of linking and of the values chosen, by rate and kind of fault."""
    head = [
        "故障率",
        "居民",
        "记录",
        "无有效证号的记录",
        "配对精确率",
        "召回率",
        "F1",
        "无有效证号者F1",
        "完整的人F1",
        "取值正确",
    ]
    lines = ["# 人口比对的准确度", "", INTRODUCTION, "", *_head(head)]
    for rate, residents, a in found:
        scores = (a.pairs.precision, a.pairs.recall, a.pairs.f1, a.pairs_without_id.f1, a.clusters.f1, a.value_share)
        cells = [f"{rate:.0%}", f"{residents:,}", f"{a.records:,}", f"{a.records_without_id:,}"]
        lines.append("| " + " | ".join([*cells, *(f"{s:.4f}" for s in scores)]) + " |")
    for rate, residents, a in found:
        lines += ["", f"## 故障率 {rate:.0%}，{residents:,} 名居民"]
        parts = {
            "记录中的错误 记录 归对的 比例": [(x.fault, x.records, x.right) for x in a.faults],
            "证号 记录 归对的 比例": [(x.fault, x.records, x.right) for x in a.id_forms],
            "数据元 人 取对的 比例": [(v.element, v.persons, v.right) for v in a.values if v.persons],
        }
        for words, rows in parts.items():
            lines += ["", *_head(words.split())]
            lines += [f"| `{name}` | {all_:,} | {right:,} | {right / all_:.4f} |" for name, all_, right in rows]
    return "\n".join(lines) + "\n"


def _head(words: list[str]) -> list[str]:
    return ["| " + " | ".join(words) + " |", "|---" + "|---:" * (len(words) - 1) + "|"]
