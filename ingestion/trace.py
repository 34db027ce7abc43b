# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
"""The whole story of one row: its delivery, where it stands there, what became of it, and how far it reached.

Values are shown as `ingestion.shown` shows them; nothing here opens the vault.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow.compute as pc
from deltalake import DeltaTable
from pydantic import BaseModel, ConfigDict

from catalog.errors import LakehouseError, UnknownName
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.formats import Wanted, open_file
from ingestion.landing import Receipt
from ingestion.shown import clear_columns, shown_values
from ingestion.stage import stage
from quality.rules import compile_rules
from quality.sql import literal, quote
from warehouse.delta import exists, scan_sql
from warehouse.duck import connect, load_extension
from warehouse.reach import releases_of_tables, tables_of
from warehouse.schema import VALID_FROM, VALID_TO

MOST_VERSIONS = 60
"""Versions of the feed table that are looked into, the newest first."""


class Step(BaseModel):
    """One thing that happened to the row, or to what it became."""

    model_config = ConfigDict(frozen=True)

    at: datetime | None
    step: str
    message: str


class Story(BaseModel):
    """What is known of one row.

    Attributes:
        state: ``loaded`` (in the feed table), ``quarantined``, ``replaced`` (was in it), ``closed`` (left the
            quarantine without being loaded), ``skipped``, ``stopped`` (its delivery was), ``pending``.
        values: the record as it stands in the landed file, masked.
        rules: rule codes it broke.
        tables, releases: made of this feed; whether the row is in them depends on what they select.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    receipt: str
    row_number: int
    state: str
    file: str
    values: dict[str, str] = {}
    rules: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    tables: tuple[str, ...] = ()
    releases: tuple[dict[str, Any], ...] = ()


def find(settings: Settings, catalog: Catalog, feed_id: str, where: Mapping[str, str]) -> list[tuple[str, int]]:
    """Receipt and row number of the rows in the feed table with these values; at most 20.

    Raises:
        UnknownName: the table has no such column; a direct identifier is none of its columns.
    """
    feed, path = catalog.feed(feed_id), settings.feed_path(feed_id)
    if not exists(path):
        return []
    there = {f.name for f in DeltaTable(path).schema().fields}
    for name in where:
        if name not in there:
            raise UnknownName(f"feed.{feed.id} has no column {name!r}", hint=f"one of {', '.join(sorted(there))}")
    with connect() as con:
        same = " AND ".join(f"CAST({quote(c)} AS VARCHAR) = ?" for c in where)
        sql = f"SELECT _receipt, _row_number FROM {scan_sql(con, path)} WHERE {same} ORDER BY ALL LIMIT 20"
        return [(r[0], int(r[1])) for r in con.execute(sql, list(where.values())).fetchall()]


def trace(settings: Settings, catalog: Catalog, feed_id: str, receipt_id: str, row_number: int) -> Story:
    """The story of a record of a delivery.

    Args:
        receipt_id: of the delivery, or the beginning of it that no other has; '' for the newest.

    Raises:
        UnknownName: no such receipt, or the delivery has no such record.
    """
    feed = catalog.feed(feed_id)
    receipt = _receipt(settings, feed, receipt_id)
    told = _Told(settings, catalog, feed, receipt, row_number)
    told.landed()
    told.record()
    told.loaded()
    rejected = told.quarantined()
    seen_at = told.versions()
    told.history()
    if told.state in ("", "closed") and not rejected and told.outcome:
        told.skipped()
    tables = tables_of(feed_id) if seen_at else []
    releases = releases_of_tables(settings, catalog, tables, seen_at) if seen_at else []
    for r in releases:
        told.say(r["released_at"], "release", f"成果 {r['product']} {r['version']} 取自 {r['table']}")
    order = sorted(told.steps, key=lambda s: s.at or datetime.min.replace(tzinfo=UTC))
    return Story(
        feed=feed_id, receipt=receipt.id, row_number=row_number, state=told.state or "skipped",
        file=receipt.original_name, values=told.values, rules=tuple(told.rules), steps=tuple(order),
        tables=tuple(tables), releases=tuple(releases),
    )  # fmt: skip


def _receipt(settings: Settings, feed: Feed, beginning: str) -> Receipt:
    receipts = landing.receipts_of(settings, feed.id)
    found = [r for r in receipts if r.id.startswith(beginning)] if beginning else receipts[-1:]
    if len(found) != 1:
        hint = f"the newest is {receipts[-1].id}" if receipts else "nothing was delivered yet"
        several = f"{len(found)} receipts begin" if found else "no receipt begins"
        raise UnknownName(f"{several} with {beginning!r}", hint=hint, feed=feed.id)
    return found[0]


class _Told:
    """A story while it is told."""

    def __init__(self, settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, number: int) -> None:
        self.settings, self.catalog, self.feed, self.receipt, self.number = settings, catalog, feed, receipt, number
        self.steps: list[Step] = []
        self.values: dict[str, str] = {}
        self.rules: list[str] = []
        self.state = ""
        self.outcome = landing.read_outcome(settings, receipt)

    def say(self, at: datetime | None, step: str, message: str) -> None:
        self.steps.append(Step(at=at, step=step, message=message))

    def landed(self) -> None:
        r = self.receipt
        self.say(r.arrived_at, "arrived", f"{r.original_name}（{r.size:,} 字节，来自 {r.source}）")
        same = f"，与 {r.duplicate_of} 内容相同" if r.duplicate_of else ""
        self.say(r.landed_at, "landed", f"落地为第 {r.sequence} 次交付，sha256 {r.sha256[:12]}…{same}")

    def record(self) -> None:
        """The record in the landed file."""
        path = landing.landed_file(self.settings, self.receipt)
        if self.receipt.expired_at or not path.exists():
            self.say(self.receipt.expired_at, "expired", "原始文件已按保存期限销毁")
            return
        try:
            opened = open_file(path, self.feed.format, Wanted.of(self.feed))
        except LakehouseError as e:
            self.say(None, "record", f"文件按现在的合同读不出：{e.code}")
            return
        try:
            for batch in opened.batches:
                if (at := pc.index(batch.column(0), self.number).as_py()) < 0:
                    continue
                cells = {n: batch.column(i + 1)[at].as_py() for i, n in enumerate(opened.columns)}
                clear = clear_columns(self.catalog, self.feed)
                self.values = shown_values({k: v for k, v in cells.items() if v}, clear)
                self.say(
                    self.receipt.landed_at, "record", f"文件中的第 {self.number} 条记录，{len(self.values)} 项有值"
                )
                return
        finally:
            opened.close()
        raise UnknownName(
            f"the delivery has no record {self.number}", hint=f"it has {(self.outcome or {}).get('rows_found', 0)}",
            receipt=self.receipt.id,
        )  # fmt: skip

    def loaded(self) -> None:
        if self.outcome is None:
            self.state = "pending"
            return
        at = datetime.fromisoformat(self.outcome["loaded_at"])
        self.say(at, "loaded", f"本次交付：{self.outcome['verdict']}，{self.outcome['message']}")
        if self.outcome["verdict"] == "stopped":
            self.state = "stopped"

    def quarantined(self) -> bool:
        """What the quarantine says; whether it has the row."""
        path = self.settings.quarantine_path(self.feed.id)
        if not exists(path):
            return False
        with connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            rows = con.execute(
                f"SELECT rules, reasons, quarantined_at, status, closed_at, closed_by FROM {scan_sql(con, path)} "
                f"WHERE receipt = $receipt AND row_number = $number ORDER BY part",
                {"receipt": self.receipt.id, "number": self.number},
            ).fetchall()
        for rules, reasons, since, status, closed_at, closed_by in rows:
            self.rules += [r for r in rules if r not in self.rules]
            self.say(since, "quarantined", f"隔离：{reasons}")
            if status != "open":
                self.say(closed_at, "closed", f"{_STATUS.get(status, status)}（{closed_by}）")
            self.state = "quarantined" if status == "open" else "closed"
        return bool(rows)

    def versions(self) -> datetime | None:
        """Since when the row was in the feed table, as far as its versions are kept."""
        path = self.settings.feed_path(self.feed.id)
        if not exists(path):
            return None
        found = [v for v in self._kept_versions(path) if v[2]]
        if not found:
            return None
        first, last = found[-1], found[0]
        newest = DeltaTable(path).version()
        self.say(first[1], "feed", f"进入 feed.{self.feed.id}，版本 {first[0]}")
        if last[0] == newest:
            self.state = "loaded"
        else:
            self.state = "replaced"
            self.say(last[1], "feed", f"版本 {last[0]} 之后不再在表中（被更新、替换或删除）")
        return first[1]

    def _kept_versions(self, path: str) -> list[tuple[int, datetime, bool]]:
        """Version, time and whether the row is in it, newest first, down to the last kept one."""
        out: list[tuple[int, datetime, bool]] = []
        con = connect()
        for commit in DeltaTable(path).history(MOST_VERSIONS):
            version, at = int(commit["version"]), datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
            if at < self.receipt.landed_at and (out and not out[-1][2]):
                break
            rows = _count(con, path, version, self.receipt.id, self.number)
            if rows is None:
                break  # its files were removed at the end of the retention
            out.append((version, at, rows > 0))
        return out

    def history(self) -> None:
        path = self.settings.history_path(self.feed.id)
        key = self.catalog.table_key(self.feed)
        if not key or not exists(path):
            return
        names = ", ".join(quote(k) for k in key)
        with connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            table = scan_sql(con, path)
            rows = con.execute(
                f"SELECT _receipt, _row_number, {VALID_FROM}, {VALID_TO} FROM {table} SEMI JOIN (SELECT {names} "
                f"FROM {table} WHERE _receipt = $r AND _row_number = $n) USING ({names}) ORDER BY {VALID_FROM}",
                {"r": self.receipt.id, "n": self.number},
            ).fetchall()
        for receipt, number, since, until in rows:
            own = "本行" if (receipt, number) == (self.receipt.id, self.number) else f"{receipt} 第 {number} 条"
            self.say(since, "history", f"{own} 有效至 {until.isoformat(timespec='seconds') if until else '今'}")

    def skipped(self) -> None:
        """Why a row is in no table: asked of the delivery itself, staged once more."""
        path = landing.landed_file(self.settings, self.receipt)
        if self.state == "stopped" or not path.exists() or self.receipt.duplicate_of or self.receipt.deletes:
            return
        rules = compile_rules(self.catalog, self.feed, as_of=self.receipt.arrived_at)
        at = datetime.fromisoformat((self.outcome or {})["loaded_at"])
        with stage(
            self.settings, self.catalog, self.feed, path, receipt=f"trace-{self.receipt.id}", loaded_at=at, rules=rules
        ) as staged:
            rows = staged.con.execute(
                "SELECT coalesce(l.why, s._skip) FROM staged s LEFT JOIN _losers l ON l.r = s.rowid "
                "WHERE s._row_number = $1",
                [self.number],
            ).fetchall()
        why = next((r[0] for r in rows if r[0]), None)
        told = _SKIPPED.get(str(why), f"跳过：{why}") if why else "入库时被表中已有的行取代，或其版本已不保存"
        self.say(at, "skipped", told)
        self.state = "skipped" if why else "replaced"


def _count(con: duckdb.DuckDBPyConnection, path: str, version: int, receipt: str, number: int) -> int | None:
    """Rows of a version of a table that are this record, None when its files are gone."""
    files = [unquote(u.removeprefix("file://")) for u in DeltaTable(path, version=version).file_uris()]
    if not files:
        return 0
    if "://" in path:
        load_extension(con, "delta")
        relation = f"delta_scan({literal(path)}, version = {version})"
    elif all(map(os.path.exists, files)):
        relation = f"read_parquet([{', '.join(map(literal, files))}], union_by_name = true)"
    else:
        return None
    sql = f"SELECT count(*) FROM {relation} WHERE _receipt = $1 AND _row_number = $2"
    row = con.execute(sql, [receipt, number]).fetchone()
    return int(row[0]) if row else 0


_STATUS = {
    "loaded": "更正或重放后入库",
    "resent": "部门后来的交付已重新送来",
    "withdrawn": "部门作废",
    "skipped": "重放时不再需要",
}
_SKIPPED = {
    "duplicate": "跳过：同一批中另有内容相同的行",
    "superseded": "跳过：同一批中另有更新的行",
    "blank": "跳过：空行",
    "footer": "跳过：表尾的合计或注",
    "header": "跳过：文件中再次出现的表头",
    "no_value": "跳过：宽表中没有值",
}
