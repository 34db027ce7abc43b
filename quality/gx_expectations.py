"""Our own expectations, for what Great Expectations has no word for. Importing this imports Great Expectations.

Both count and never fetch: no value of a row reaches a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import great_expectations.compatibility.sqlalchemy as gx_sqlalchemy
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, Expectation, parse_result_format
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

sa = gx_sqlalchemy.sqlalchemy


class RowsBreakingRule(TableMetricProvider):
    """How many rows there are, and how many satisfy ``failing_sql``."""

    metric_name = "table.rows_breaking_rule"
    value_keys = ("failing_sql",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> dict[str, int]:
        rows: Any
        rows, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE)
        # projected first: DuckDB shares common parts of an expression in a SELECT list only
        failing: Any = sa.literal_column(f"({metric_value_kwargs['failing_sql']})").label("failing")
        inner = sa.select(failing).select_from(rows).subquery()
        count = sa.select(sa.func.count(), sa.func.coalesce(sa.func.count_if(inner.c.failing), 0)).select_from(inner)
        found: Any = execution_engine.execute_query(count).fetchone()
        return {"total": int(found[0]), "broken": int(found[1])}


def _looked_up(asked: Expectation, keys: Iterable[str]) -> dict[str, Any]:
    given = asked.configuration.kwargs
    return {key: given[key] if key in given else asked._get_default_value(key) for key in keys}


def _domain(self: Expectation) -> dict[str, Any]:
    return _looked_up(self, self.domain_keys)


def _success(self: Expectation) -> dict[str, Any]:
    return _looked_up(self, (*self.success_keys, *self.domain_keys))


def _runtime(self: Expectation, runtime_configuration: dict[str, Any] | None = None) -> dict[str, Any]:
    found = _looked_up(self, (*self.runtime_keys, *self.success_keys, *self.domain_keys))
    found |= {k: v for k, v in (runtime_configuration or {}).items() if k in self.runtime_keys}
    return found | {"result_format": parse_result_format(found["result_format"])}


# Great Expectations makes the configuration of an expectation anew for every argument it looks up, some eighty times an
# expectation: half of a gate's time. With these it does so once for all the arguments it needs together.
Expectation._get_domain_kwargs = _domain  # type: ignore[method-assign]
Expectation._get_success_kwargs = _success  # type: ignore[method-assign]
Expectation._get_runtime_kwargs = _runtime  # type: ignore[method-assign]


class ExpectNoRowToBreakRule(BatchExpectation):
    """No row satisfies a failing expression compiled from a rule of the contract."""

    failing_sql: str
    column: str | None = None
    """Under which column Data Docs show it."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.rows_breaking_rule",)
    success_keys: ClassVar[tuple[str, ...]] = ("failing_sql",)
    args_keys: ClassVar[tuple[str, ...]] = ("failing_sql",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        found = metrics["table.rows_breaking_rule"]
        share = 100.0 * found["broken"] / found["total"] if found["total"] else 0.0
        return {
            "success": found["broken"] == 0,
            "result": {
                "observed_value": found["broken"],
                "element_count": found["total"],
                "unexpected_count": found["broken"],
                "unexpected_percent": share,
            },
        }


class ExpectBatchMeasureToBeBetween(BatchExpectation):
    """A number measured on the whole batch lies within the limits its rule gives."""

    measure: str
    observed: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    holds: bool

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count",)
    success_keys: ClassVar[tuple[str, ...]] = ("measure", "observed", "minimum", "maximum", "holds")
    args_keys: ClassVar[tuple[str, ...]] = ("measure", "observed", "minimum", "maximum", "holds")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        within = self.observed is None or (
            (self.minimum is None or self.observed >= self.minimum)
            and (self.maximum is None or self.observed <= self.maximum)
        )
        return {"success": bool(self.holds and within), "result": {"observed_value": self.observed}}
