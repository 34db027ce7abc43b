"""The checkpoints of libraries and marts: what was built is asked its suite before anything is made of it.

A Delta table is visible once it is committed; so a layer is checked by the time it is built (`warehouse.gate_ahead`
asks about each table while dbt builds others), and what a stop rule fails goes back to the version readers had before,
with everything of the layer that was made from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.table_models import PROJECT, TableModel, compile_model, read_models
from warehouse import duck
from warehouse.delta import append_rows, exists, scan_sql

if TYPE_CHECKING:
    import duckdb

    from quality.table_gate import TableSuite, TableVerdict
    from warehouse.gate_changes import Asked, ChangesGate


class SuiteVerdict(BaseModel):
    """What a suite says of a table or a release.

    Attributes:
        name: ``schema.table`` or product; ``suite``: ``library:…``, ``mart:…``, ``release:…``.
        verdict: ``passed``, ``warned`` or ``stopped``.
        rules, failed: rules asked, and how many of them found something.
        reason: Chinese, why it was stopped or warned.
        restored: whether the table is again what it was before the build.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    suite: str
    verdict: str
    rules: int
    failed: int
    rows: int
    reason: str = ""
    restored: bool = False


def check_built(
    settings: Settings,
    catalog: Catalog,
    tables: Iterable[str] | None = None,
    *,
    receipt: str,
    now: datetime,
    project: Path = PROJECT,
    remember_profiles: bool = False,
    ahead: Mapping[str, Asked] | None = None,
) -> list[SuiteVerdict]:
    """Ask the suites of library tables and marts about the tables as they stand; results go to
    ``platform.validations`` and the Data Docs' store.

    Args:
        tables: ``schema.table``; those without a suite or a Delta table are left out. None: all.
        receipt: of the build or check.
        remember_profiles: this is a build: tables that were asked before are asked about what has changed since, and
            later builds are held against what was measured, unless the table is stopped. Else all is asked.
        ahead: verdicts of tables that were asked already, as they stand.

    Raises:
        ContractError: a model declares a rule that cannot be compiled.
    """
    models = read_models(project)
    wanted = [models[t] for t in (models if tables is None else tables) if t in models]
    present = [m for m in wanted if m.columns and exists(path_of(settings, m))]
    if not present:
        return []
    from warehouse.answers import last_answers, remember_answers
    from warehouse.gate_changes import ChangesGate
    from warehouse.profiles import Profile, remember

    given = dict(ahead or {})
    left = [m for m in present if m.table not in given]
    if left:
        suites = suites_of(settings, catalog, left, now)
        with ChangesGate(settings, models, last_answers(settings) if remember_profiles else {}) as changes:
            asked = ask(settings, suites, models, receipt=receipt, now=now, changes=changes)
        given |= {a.verdict.suite.subject: a for a in asked}
    verdicts = [given[m.table].verdict for m in present]
    record(settings, verdicts, receipt, now, {m.suite: {c.name: c.label for c in m.columns.values()} for m in present})
    if remember_profiles:
        kept = [v for v in verdicts if v.gate.verdict != "stopped"]
        remember(settings, [Profile(v.suite.suite, c, receipt, now, n) for v in kept for c, n in v.profile.items()])
    remember_answers(settings, [a for m in present if (a := given[m.table].answered) is not None], receipt, now)
    return [summary(v) for v in verdicts]


def suites_of(settings: Settings, catalog: Catalog, models: Sequence[TableModel], now: datetime) -> list[TableSuite]:
    """The suites of tables, with what is known besides: earlier builds, and which feeds are late.

    Raises:
        ContractError: a model declares a rule that cannot be compiled.
    """
    return [_suite(m, evidence) for m, evidence in _evidence(settings, catalog, models, now)] if models else []


def ask(
    settings: Settings,
    suites: Sequence[TableSuite],
    models: Mapping[str, TableModel],
    *,
    receipt: str,
    now: datetime,
    changes: ChangesGate,
) -> list[Asked]:
    """Ask suites of built tables about them as they stand; nothing is kept.

    Args:
        models: all models, by ``schema.table``: rules refer to other tables.
        changes: asks tables that were asked before; Great Expectations asks the others, and all that fails.
    """
    from warehouse.gate_changes import Asked, standings

    found = {s.suite: changes.ask(s, receipt=receipt, now=now) for s in suites}
    whole = [s for s in suites if found[s.suite] is None]
    of = [standings(settings, models, s) for s in whole]
    for at, verdict in zip(of, _ask_whole(settings, whole, models, receipt, now), strict=True):
        found[verdict.suite.suite] = Asked.whole(verdict, at)
    return [asked for s in suites if (asked := found[s.suite]) is not None]


def _ask_whole(
    settings: Settings, suites: Sequence[TableSuite], models: Mapping[str, TableModel], receipt: str, now: datetime
) -> list[TableVerdict]:
    from quality.table_gate import run_table_suites

    if not suites:
        return []
    settings.build.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        TemporaryDirectory(dir=settings.build, prefix="check-") as folder,
        duck.connect(spill=Path(folder), house_only=True) as con,
    ):
        _views(settings, con, suites, models)
        return run_table_suites(con, suites, receipt=receipt, now=now)


def record(
    settings: Settings,
    verdicts: Sequence[TableVerdict],
    receipt: str,
    now: datetime,
    labels: Mapping[str, Mapping[str, str]],
) -> None:
    """Keep the results of suites in ``platform.validations`` and for the Data Docs."""
    import pyarrow as pa

    from quality.data_docs import docs_dir, keep_suite

    if not verdicts:
        return
    append_rows(settings.platform_path("validations"), pa.concat_tables([v.gate.to_arrow() for v in verdicts]))
    for v in verdicts:
        name = v.suite.suite
        title = v.suite.title or v.suite.subject
        keep_suite(docs_dir(settings), name, title, receipt, v.gate, v.document, now, labels.get(name, {}))


def summary(verdict: TableVerdict) -> SuiteVerdict:
    """A verdict as people and programs read it."""
    gate = verdict.gate
    return SuiteVerdict(
        name=verdict.suite.subject,
        suite=verdict.suite.suite,
        verdict=gate.verdict,
        rules=len(gate.results),
        failed=sum(not r.success for r in gate.results),
        rows=gate.rows,
        reason=gate.reason,
    )


def path_of(settings: Settings, model: TableModel) -> str:
    """Where the Delta table of a model lies."""
    schema, _, table = model.table.partition(".")
    return settings.table_path(model.layer, schema, table)


def versions(settings: Settings, models: Iterable[TableModel]) -> dict[str, int | None]:
    """The Delta version of each table, None where there is none."""
    from warehouse.log_state import version

    found = {m.table: version(path_of(settings, m)) for m in models}
    return {table: at if at >= 0 else None for table, at in found.items()}


def made_from(stopped: Iterable[str], models: Mapping[str, TableModel], built: Iterable[str]) -> list[str]:
    """Of the tables that were built, those stopped and everything made from them, in the order of building."""
    bad = set(stopped)
    among = [t for t in built if t in models]
    grown = True
    while grown:
        new = {t for t in among if t not in bad and bad.intersection(models[t].parents)}
        bad |= new
        grown = bool(new)
    return [t for t in among if t in bad]


def restore(
    settings: Settings, tables: Iterable[str], models: Mapping[str, TableModel], before: Mapping[str, int | None]
) -> list[str]:
    """Give readers the tables as they were before the build; a table that was not there becomes empty.

    Returns:
        Tables that changed.
    """
    from deltalake import DeltaTable

    from warehouse.tables import table_lock

    done = []
    for name in tables:
        path, version = path_of(settings, models[name]), before.get(name)
        if not exists(path):
            continue
        with table_lock(settings, name):
            table = DeltaTable(path)
            if version is None:
                table.delete()
            elif table.version() != version:
                table.restore(version)
            else:
                continue
        done.append(name)
    return done


def _evidence(
    settings: Settings, catalog: Catalog, models: Sequence[TableModel], now: datetime
) -> list[tuple[TableModel, dict[str, dict[str, Any]]]]:
    """What suites need besides the tables: earlier builds, and which feeds are late."""
    from warehouse.profiles import history
    from warehouse.status import late_feeds

    past = history(settings)
    late = late_feeds(settings, catalog, now)
    found = []
    for model in models:
        evidence: dict[str, dict[str, Any]] = {
            code: {"history": values} for (suite, code), values in past.items() if suite == model.suite
        }
        hours = {feed: late[feed] for feed in model.inputs if feed in late}
        evidence["inputs"] = {"observed": len(hours), "detail": hours}
        found.append((model, evidence))
    return found


def _suite(model: TableModel, evidence: dict[str, Any]) -> TableSuite:
    from quality.table_gate import TableSuite
    from quality.table_rules import relation_of

    rules = compile_model(model)
    return TableSuite(
        subject=model.table,
        suite=model.suite,
        relation=relation_of(model.table),
        rules=rules,
        title=re.split("[（，；。]", model.description)[0] or model.table,
        evidence=evidence,
    )


def _views(
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    suites: Sequence[TableSuite],
    models: Mapping[str, TableModel],
) -> None:
    """A view on each table that is asked or referred to. One that is not there fails the check that needs it."""
    from quality.table_rules import relation_of

    con.execute("SET TimeZone = 'UTC'")
    names = {s.subject for s in suites} | {n for s in suites for r in s.rules for n in r.needs}
    for name in sorted(names & set(models)):
        path = path_of(settings, models[name])
        if exists(path):
            view = duck.quote(relation_of(name))
            con.execute(f"CREATE VIEW {view} AS SELECT * FROM {scan_sql(con, path)}")  # noqa: S608
