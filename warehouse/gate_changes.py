"""Asks suites of tables that were asked before about what has changed since (`quality.new_rows`).

A day changes a hundredth of a table's rows. What was answered of the others holds as long as the suite is the same and
an unbroken line of commits leads from the version that was asked; where it does not, all is asked again.
"""

# ruff: noqa: S608 - SQL is put together from paths of the log, escaped, and quoted names
from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
from pyroaring import BitMap64

from catalog.settings import Settings
from quality.new_rows import Part, ask_new_rows, sample_is_whole
from quality.suite_document import document_of
from quality.table_models import TableModel
from quality.table_rules import relation_of
from warehouse import duck
from warehouse.answers import Answered, digest_of
from warehouse.delta_log import DataFile, files_at
from warehouse.gone_rows import gone_values_sql, tells_gone_rows
from warehouse.table_changes import Changes, Standing, changes_since, standing

if TYPE_CHECKING:
    from quality.table_gate import TableSuite, TableVerdict
    from quality.table_rules.base import CompiledTableRule

log = logging.getLogger("lakehouse.quality")


@dataclass(frozen=True)
class Asked:
    """A verdict, and what of it is remembered; None when the tables that were asked are not known for certain."""

    verdict: TableVerdict
    answered: Answered | None

    @classmethod
    def whole(cls, verdict: TableVerdict, of: Mapping[str, Standing] | None) -> Asked:
        """Of a table all rows of which were asked, with the tables ``of`` as they stood before."""
        suite = verdict.suite
        if of is None or verdict.gate.verdict == "stopped":
            return cls(verdict, None)
        return cls(verdict, Answered(suite.suite, digest_of(suite), verdict.gate.rows, 0, of, verdict.answers))


class ChangesGate:
    """Suites of one lake on one connection; close it.

    Args:
        models: all models, by ``schema.table``.
        earlier: what suites were answered last, by their names.
    """

    def __init__(self, settings: Settings, models: Mapping[str, TableModel], earlier: Mapping[str, Answered]) -> None:
        self._settings, self._models, self._earlier = settings, models, earlier
        self._open = ExitStack()
        self._con: duckdb.DuckDBPyConnection | None = None
        self._digests: dict[str, str] = {}
        self._seen: dict[str, Standing] = {}
        self._told: dict[tuple[str, Standing], tuple[DataFile, ...] | None] = {}
        self._known: dict[tuple[str, str, Standing], str] = {}
        self._lost: dict[tuple[str, str, Standing, Standing], str | None] = {}

    def __enter__(self) -> ChangesGate:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what it holds."""
        self._open.close()

    def may_ask(self, suite: TableSuite) -> bool:
        """Whether the suite was answered before as it is now."""
        if suite.suite not in self._digests:
            self._digests[suite.suite] = digest_of(suite)
        told = self._earlier.get(suite.suite)
        return told is not None and told.digest == self._digests[suite.suite]

    def ask(self, suite: TableSuite, *, receipt: str, now: datetime) -> Asked | None:
        """The verdict on a table as it stands; None when all of it has to be asked."""
        from quality.table_gate import verdict_from

        told, of = self._earlier.get(suite.suite), standings(self._settings, self._models, suite)
        if told is None or of is None or not self.may_ask(suite) or set(told.of) != set(of):
            return None
        changes = changes_since(self._path(suite.subject), told.of[suite.subject])
        files = self._files(suite.subject, of[suite.subject])
        if changes is None or files is None or changes.now != of[suite.subject]:
            return None
        try:
            part = self._part(suite, told, of, changes, files)
            answers = ask_new_rows(suite, part, told.answers)
        except duckdb.Error as e:  # what cannot be read is judged by whoever asks all rows
            log.warning("what has changed in %s cannot be asked (%s): all of it is", suite.subject, type(e).__name__)
            return None
        if answers is None:
            return None
        verdict = verdict_from(suite, answers, document_of(suite, answers), receipt, now)
        since = 0 if sample_is_whole(part) else part.since
        return Asked(verdict, Answered(suite.suite, told.digest, part.rows, since, of, answers))

    def _part(
        self, suite: TableSuite, told: Answered, of: Mapping[str, Standing], changes: Changes, files: Sequence[DataFile]
    ) -> Part:
        con = self._connection()

        def all_of(names: Iterable[str]) -> None:
            for name in names:
                self._view(con, name, of[name])

        lost, known = {}, {}
        for rule in suite.rules:
            if rule.asked == "reference" and not changes.whole:
                (parent,) = rule.needs
                known[rule.code] = self._known_of(con, parent, rule.field, told.of[parent], of[parent])
                if gone := self._lost_of(con, suite, rule, told.of[parent], of[parent]):
                    lost[rule.code] = gone
        new = con if changes.whole else None
        if changes.new and not changes.whole:
            new = con.cursor()
            self._open.callback(new.close)
            new.execute("SET TimeZone = 'UTC'")
            new.execute(f"CREATE TEMP VIEW {duck.quote(suite.relation)} AS SELECT * FROM {_parquet(changes.new)}")
        old = [f for f in files if f.path not in changes.new]

        def have_key(columns: Sequence[str]) -> bool:
            return new is not None and _have_key(new, suite.relation, old, columns)

        rows = sum(f.rows - len(f.deleted) for f in files)
        since = told.since + changes.new_rows
        return Part(con, all_of, new, have_key, rows, since, lost, known, unchanged=changes.none)

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._con is None:
            self._settings.build.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = self._open.enter_context(TemporaryDirectory(dir=self._settings.build, prefix="check-"))
            # what is new is little, and a second thread costs more than it helps
            self._con = self._open.enter_context(duck.connect(spill=Path(folder), house_only=True, threads=1))
            self._con.execute("SET TimeZone = 'UTC'")
        return self._con

    def _view(self, con: duckdb.DuckDBPyConnection, name: str, at: Standing) -> None:
        """All rows of a table as it stands, under its relation's name."""
        if self._seen.get(name) != at:
            files = self._files(name, at)
            if files and not any(f.deleted for f in files):
                rows = _parquet([f.path for f in files])
            else:
                duck.load_extension(con, "delta")
                rows = f"delta_scan({duck.literal(self._path(name))})"
            con.execute(f"CREATE OR REPLACE VIEW {duck.quote(relation_of(name))} AS SELECT * FROM {rows}")
            self._seen[name] = at

    def _known_of(self, con: duckdb.DuckDBPyConnection, parent: str, field: str, then: Standing, now: Standing) -> str:
        """A table of values that another's column certainly has; at first, those that came to it."""
        asked = (parent, field, now)
        if asked not in self._known:
            name = self._known[asked] = f"_known_{len(self._known)}"
            changes, column = changes_since(self._path(parent), then), duck.quote(field)
            if changes is not None and changes.new and changes.all_there and not changes.whole:
                came = f"SELECT {column} AS v FROM {_parquet(changes.new)}"
            else:
                self._view(con, parent, now)
                came = f"SELECT {column} AS v FROM {duck.quote(relation_of(parent))} WHERE false"
            con.execute(f"CREATE TABLE {name} AS {came}")
        return self._known[asked]

    def _lost_of(
        self,
        con: duckdb.DuckDBPyConnection,
        suite: TableSuite,
        rule: CompiledTableRule,
        then: Standing,
        now: Standing,
    ) -> str | None:
        """SQL of the values that the table a reference leads to has no longer; None when it has lost none."""
        (parent,), (own,) = rule.needs, rule.columns
        asked = (parent, rule.field, then, now)
        if asked not in self._lost:
            known = self._known_of(con, parent, rule.field, then, now)
            self._lost[asked] = self._lost_values(con, parent, rule.field, (then, now), known) if then != now else None
        if self._lost[asked] != UNKNOWN:
            return self._lost[asked]
        column, child = duck.quote(own), duck.quote(suite.relation)
        there = f"{duck.quote(relation_of(parent))} AS there ON own.{column} = there.{duck.quote(rule.field)}"
        return f"SELECT own.{column} AS v FROM {child} AS own ANTI JOIN {there} WHERE own.{column} IS NOT NULL"

    def _lost_values(
        self, con: duckdb.DuckDBPyConnection, parent: str, field: str, since: tuple[Standing, Standing], known: str
    ) -> str | None:
        then, now = since
        changes, column = changes_since(self._path(parent), then), duck.quote(field)
        if changes is None or not tells_gone_rows(changes):
            return UNKNOWN
        if not changes.gone:
            return None
        name, numbers = f"_lost_{len(self._lost)}", f"_gone_{len(self._lost)}"
        values = gone_values_sql(con, changes.gone, field, numbers)
        known, there = duck.quote(known), duck.quote(relation_of(parent))
        con.execute(
            f"CREATE TEMP TABLE {name} AS SELECT DISTINCT v FROM ({values}) AS gone "
            f"ANTI JOIN {known} USING (v) WHERE v IS NOT NULL"
        )
        con.unregister(numbers)
        if not _any(con, f"FROM {name}"):  # most have only changed
            return None
        self._view(con, parent, now)
        lost = f"SELECT v FROM {name} AS gone ANTI JOIN {there} AS there ON gone.v = there.{column}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {lost}")
        return f"SELECT v FROM {name}" if _any(con, f"FROM {name}") else None

    def _files(self, name: str, at: Standing) -> tuple[DataFile, ...] | None:
        if (name, at) not in self._told:
            files = files_at(Path(self._path(name)), at.version)
            # of a partitioned table the files hold only a part of the columns
            whole = files is not None and not any(f.add.get("partitionValues") for f in files)
            self._told[name, at] = files if whole else None
        return self._told[name, at]

    def _path(self, name: str) -> str:
        from warehouse.checkpoints import path_of

        return path_of(self._settings, self._models[name])


UNKNOWN = "unknown"
"""In place of SQL: the log does not tell which values a table has lost."""


def standings(settings: Settings, models: Mapping[str, TableModel], suite: TableSuite) -> dict[str, Standing] | None:
    """The table of a suite and those its rules refer to, as they stand; None when one of them is not known."""
    from warehouse.checkpoints import path_of

    found = {}
    for name in {suite.subject, *(n for rule in suite.rules for n in rule.needs)}:
        at = standing(path_of(settings, models[name])) if name in models else None
        if at is None:
            return None
        found[name] = at
    return found


def _have_key(new: duckdb.DuckDBPyConnection, relation: str, old: Sequence[DataFile], columns: Sequence[str]) -> bool:
    """Whether a row of files that is not deleted has a key of the relation's rows."""
    if not old:
        return False
    names = [duck.quote(c) for c in columns]
    given = " AND ".join(f"{n} IS NOT NULL" for n in names)
    same = " AND ".join(f"there.{n} = came.{n}" for n in names)
    there = f"{_parquet([f.path for f in old], numbered=True)} AS there"
    came = f"(SELECT {', '.join(names)} FROM {duck.quote(relation)} WHERE {given}) AS came"
    found = new.execute(
        f"SELECT _file, list(file_row_number) AS numbers FROM {there} SEMI JOIN {came} ON {same} GROUP BY _file"
    ).to_arrow_table()
    deleted = {str(f.path): f.deleted for f in old}
    return any(
        BitMap64(found.column("numbers")[i].values.to_numpy()) - deleted[file]
        for i, file in enumerate(found.column("_file").to_pylist())
    )


def _any(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    return con.execute(f"{relation} LIMIT 1").fetchone() is not None


def _parquet(paths: Sequence[Path], *, numbered: bool = False) -> str:
    named = ", ".join(duck.literal(str(p)) for p in paths)
    more = ", filename = '_file', file_row_number = true, hive_partitioning = false" if numbered else ""
    return f"read_parquet([{named}], union_by_name = true{more})"
