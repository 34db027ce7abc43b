"""Asks the suites of a layer's tables while dbt builds the rest of the layer.

dbt seldom keeps all cores busy: some statements run on one, and the suites of the tables that are built already fit in
between. What is asked, and what follows from the answers at the layer's end, is the same. A suite waits for the tables
its rules refer to; an answer counts only of the versions of all of them that stand at the end; and what was not come
to, or changed since, is asked then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.table_models import TableModel
from warehouse.answers import last_answers
from warehouse.checkpoints import ask, suites_of, versions
from warehouse.gate_changes import Asked, ChangesGate

if TYPE_CHECKING:
    from quality.table_gate import TableSuite


class Ahead:
    """A thread that asks the suite of each table it is told of.

    Args:
        models: all models with suites, by ``schema.table``.
        tables: those that will be built; others a rule refers to stand as they are.
        receipt: of the build.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        models: Mapping[str, TableModel],
        tables: Iterable[str],
        *,
        receipt: str,
        now: datetime,
    ) -> None:
        self._settings, self._catalog, self._models = settings, catalog, models
        self._tables = [t for t in tables if t in models]
        self._receipt, self._now = receipt, now
        self._news: SimpleQueue[str] = SimpleQueue()
        self._ended = threading.Event()
        self._asked: dict[str, tuple[Asked, dict[str, int | None]]] = {}
        pool = ThreadPoolExecutor(1, thread_name_prefix="gate-ahead")
        self._done = pool.submit(self._ask_as_built)
        pool.shutdown(wait=False)  # it ends with what it was given

    def built(self, table: str) -> None:
        """Say that ``table`` was built; returns at once."""
        self._news.put(table)

    def stop(self) -> None:
        """Ask nothing further, and wait until nothing is being asked."""
        self._ended.set()
        self._news.put("")
        wait([self._done])

    def verdicts(self) -> dict[str, Asked]:
        """After `stop`: the verdicts that count, by table.

        Raises:
            Exception: what asking raised.
        """
        self._done.result()
        used = {name for _, seen in self._asked.values() for name in seen}
        standing = versions(self._settings, [self._models[name] for name in used])
        return {
            table: asked
            for table, (asked, seen) in self._asked.items()
            if all(standing[name] == version for name, version in seen.items())
        }

    def _ask_as_built(self) -> None:
        from quality.gx_context import great_expectations

        models = [self._models[t] for t in self._tables if self._models[t].columns]
        waiting = {s.subject: s for s in suites_of(self._settings, self._catalog, models, self._now)}
        with ChangesGate(self._settings, self._models, last_answers(self._settings)) as changes:
            if not all(changes.may_ask(s) for s in waiting.values()):
                great_expectations(tables=True)  # takes seconds: by the time there is something to ask it is there
            self._ask_waiting(waiting, changes)

    def _ask_waiting(self, waiting: dict[str, TableSuite], changes: ChangesGate) -> None:
        open_tables = set(self._tables)
        while not self._ended.is_set():
            built = self._news.get()
            if built not in open_tables:
                continue
            open_tables.remove(built)
            ready = [s for s in waiting.values() if s.subject not in open_tables and not open_tables & _needed(s)]
            for suite in ready:
                if self._ended.is_set():
                    return
                del waiting[suite.subject]
                self._ask(suite, changes)

    def _ask(self, suite: TableSuite, changes: ChangesGate) -> None:
        names = {suite.subject, *_needed(suite)} & set(self._models)
        seen = versions(self._settings, [self._models[name] for name in names])
        (asked,) = ask(self._settings, [suite], self._models, receipt=self._receipt, now=self._now, changes=changes)
        self._asked[suite.subject] = (asked, seen)


def _needed(suite: TableSuite) -> set[str]:
    return {name for rule in suite.rules for name in rule.needs}
