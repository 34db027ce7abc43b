"""The contracts' suites asked about the feed tables as they stand now, not about a batch.

A rule may have become stricter since a row was loaded, or a table may have been written by another version:
``lakehouse check`` says so. Results are rows of ``platform.validations`` with receipt ``check-<time>``.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict

from catalog.errors import UnknownName
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.gate import run_gate
from quality.rules import BatchStats, compile_rules
from quality.verdict import GateResult
from warehouse import duck
from warehouse.checkpoints import SuiteVerdict, check_built
from warehouse.delta import append_rows, exists


def check_tables(
    settings: Settings, catalog: Catalog, tables: list[str] | None = None, *, now: datetime
) -> list[SuiteVerdict]:
    """Check the named library tables and marts (``schema.table``), or all that are there.

    Raises:
        UnknownName: one of ``tables`` is no library table or mart, or was not built yet.
    """
    from quality.table_models import read_models
    from warehouse.tables import resolve

    models = read_models()
    for name in tables or ():
        resolve(settings, name)
        if name not in models:
            raise UnknownName(
                f"{name} is no library table or mart", hint="feed tables are checked by their feed's id", table=name
            )
    found = check_built(settings, catalog, tables, receipt=f"check-{now:%Y%m%dT%H%M%SZ}", now=now)
    if found:
        from quality.data_docs import build_docs

        build_docs(settings)
    return found


class FeedCheck(BaseModel):
    """What the suite says of one feed table.

    Attributes:
        rules, failed: rules asked, and how many of them found something.
        worst: Chinese sentence of the gravest failure, empty when there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: str
    verdict: str
    rules: int
    failed: int
    rows: int
    worst: str


def check_feeds(
    settings: Settings, catalog: Catalog, feeds: list[str] | None = None, *, now: datetime
) -> list[FeedCheck]:
    """Check the named feeds, or every feed that has a table.

    Raises:
        UnknownName: one of ``feeds`` is not a feed, or has no table yet.
    """
    wanted = [catalog.feed(f) for f in feeds] if feeds else list(catalog.feeds.values())
    out = []
    for feed in wanted:
        if feeds or exists(settings.feed_path(feed.id)):
            out.append(_check(settings, catalog, feed, now))
    if out:
        from quality.data_docs import build_docs

        build_docs(settings)
    return out


def _check(settings: Settings, catalog: Catalog, feed: Feed, now: datetime) -> FeedCheck:
    receipt = f"check-{now:%Y%m%dT%H%M%SZ}"
    vaulted = {f.name: f.element.pseudonym for f in catalog.vaulted(feed)}
    # what stands in the vault was asked about at the gate; here its pseudonym answers for the key
    rules = tuple(
        rule
        for rule in compile_rules(catalog, feed, as_of=now)
        if rule.rule == "key_unique" or not vaulted.keys() & set(rule.columns)
    )
    keys = "".join(f", {duck.quote(p)} AS {duck.quote(n)}" for n, p in vaulted.items() if p and n in feed.load.key)
    settings.build.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=settings.build, prefix="check-") as folder:
        con = duck.connect(spill=Path(folder))
        try:
            duck.load_extension(con, "delta")
            path = duck.literal(settings.feed_path(feed.id))
            con.execute(f"CREATE TABLE accepted AS SELECT *{keys} FROM delta_scan({path})")  # noqa: S608 - our own path
            row = con.execute("SELECT count(*) FROM accepted").fetchone()
            rows = int(row[0]) if row else 0
            batch = BatchStats(
                feed=feed.id, receipt=receipt, rows_found=rows, rows_accepted=rows, rows_quarantined=0,
                rows_skipped=0, arrived_at=now, previous_rows=rows,
            )  # fmt: skip
            gate = run_gate(
                con, "accepted", catalog=catalog, feed=feed, rules=rules, batch=batch, now=now,
                docs_dir=settings.home / "data_docs",
            )  # fmt: skip
        finally:
            con.close()
    append_rows(settings.platform_path("validations"), gate.to_arrow())
    return _summary(feed, gate)


def _summary(feed: Feed, gate: GateResult) -> FeedCheck:
    failed = [r for r in gate.results if not r.success]
    order = {"stop": 0, "reject": 1, "warn": 2}
    worst = min(failed, key=lambda r: (order[r.severity], -(r.share or 0)), default=None)
    return FeedCheck(
        feed=feed.id,
        verdict=gate.verdict,
        rules=len(gate.results),
        failed=len(failed),
        rows=gate.rows,
        worst=worst.message if worst else "",
    )
