"""Our own expectations, for what Great Expectations has no word for. Importing this imports Great Expectations.

Both count and never fetch: no value of a row reaches a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import great_expectations.compatibility.sqlalchemy as gx_sqlalchemy
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, Expectation, parse_result_format
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration

sa = gx_sqlalchemy.sqlalchemy


class Aggregate(TableMetricProvider):
    """A number that one aggregate tells. Great Expectations asks all aggregates of a suite in one statement, where one
    for each would read the definition of a view of many columns anew every time."""

    metric_name: ClassVar[str]

    @classmethod
    def _get_evaluation_dependencies(
        cls, metric: MetricConfiguration, *args: Any, **kwargs: Any
    ) -> dict[str, MetricConfiguration]:
        found: dict[str, MetricConfiguration] = super()._get_evaluation_dependencies(metric, *args, **kwargs)
        if metric.metric_name == cls.metric_name:
            found["metric_partial_fn"] = MetricConfiguration(
                metric_name=f"{cls.metric_name}.aggregate_fn",
                metric_domain_kwargs=metric.metric_domain_kwargs,
                metric_value_kwargs=metric.metric_value_kwargs,
            )
        return found


aggregate = metric_partial(
    engine=SqlAlchemyExecutionEngine,
    partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
    domain_type=MetricDomainTypes.TABLE,
)
"""Marks the method of an `Aggregate` that gives the aggregate's SQL, the domain as it came, and nothing more."""


class RowsBreakingRule(Aggregate):
    """How many rows satisfy ``failing_sql``."""

    metric_name = "table.rows_breaking_rule"
    value_keys = ("failing_sql",)

    @aggregate
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> Any:
        return sa.literal_column(f"count_if({metric_value_kwargs['failing_sql']})"), metric_domain_kwargs, {}


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

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "table.rows_breaking_rule")
    success_keys: ClassVar[tuple[str, ...]] = ("failing_sql",)
    args_keys: ClassVar[tuple[str, ...]] = ("failing_sql",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        rows, broken = int(metrics["table.row_count"]), int(metrics["table.rows_breaking_rule"] or 0)
        return {
            "success": broken == 0,
            "result": {
                "observed_value": broken,
                "element_count": rows,
                "unexpected_count": broken,
                "unexpected_percent": 100.0 * broken / rows if rows else 0.0,
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
