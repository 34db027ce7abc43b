"""Expectations of libraries, marts and releases, for what Great Expectations has no word for.

Each measures inside DuckDB and gives back counts: ``observed_value`` is the number a rule is about, ``details`` are
numbers by column, kind or (hashed) category. No value of a row reaches a result. Importing this imports Great
Expectations.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import great_expectations.compatibility.sqlalchemy as gx_sqlalchemy
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from quality import table_judges as judges
from quality.distinct import repeated_hashes
from quality.gx_dialect import lent_to
from quality.gx_expectations import Aggregate, aggregate
from quality.table_judges import Judged

sa = gx_sqlalchemy.sqlalchemy


class Counted(Aggregate):
    """An aggregate over the table."""

    metric_name = "table.lakehouse_aggregate"
    value_keys = ("aggregate",)

    @aggregate
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> Any:
        return sa.literal_column(f"({metric_value_kwargs['aggregate']})"), metric_domain_kwargs, {}


def _asked(answer: Callable[..., Any]) -> Any:
    """The method of a metric, in the form Great Expectations calls, that asks ``answer``.

    Args:
        answer: takes a cursor of the lent connection and the metric's ``value_keys``.
    """

    def ask(
        cls: Any,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> Any:
        return answer(lent_to(execution_engine.engine), **metric_value_kwargs)

    return metric_value(engine=SqlAlchemyExecutionEngine)(ask)


class Statement(TableMetricProvider):
    """The rows of a statement of its own, which groups or joins."""

    metric_name = "table.lakehouse_statement"
    value_keys = ("statement",)

    @_asked
    def _sqlalchemy(con: Any, statement: str) -> list[list[Any]]:
        return [list(row) for row in con.execute(statement).fetchall()]


class Repeated(TableMetricProvider):
    """Rows a statement counts among those whose key is not alone; 0, unasked, where no two hashes of keys are equal."""

    metric_name = "table.lakehouse_repeated"
    value_keys = ("statement", "relation", "hashed")

    @_asked
    def _sqlalchemy(con: Any, statement: str, relation: str, hashed: str) -> int:
        repeated = repeated_hashes(con, hashed, relation)
        if repeated is not None and not len(repeated):
            return 0
        counted = con.execute(statement).fetchone()
        return int(counted[0]) if counted else 0


class Content(TableMetricProvider):
    """What the scanner finds above ``grades`` in a sample of rows: ``[column, kind, hits, grade]``; ``found``: it has
    looked already."""

    metric_name = "table.lakehouse_content"
    value_keys = ("relation", "columns", "sample", "grades", "found")

    @_asked
    def _sqlalchemy(
        con: Any, relation: str, columns: list[str], sample: int, grades: dict[str, int], found: list[Any] | None
    ) -> list[Any]:
        from quality.content import scan_sample

        return list(found) if found is not None else scan_sample(con, relation, columns, sample, grades)


class _TableExpectation(BatchExpectation):
    """What all have in common: the columns Data Docs show them under, and how they answer."""

    column: str | None = None

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        rows = int(metrics["table.row_count"])
        judged = self._judge(metrics, rows)
        return {"success": judged.success, "result": judges.result(judged, rows, self._doubtful(metrics))}

    @abstractmethod
    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged: ...

    def _doubtful(self, metrics: Mapping[str, Any]) -> list[str]:
        """Columns of which rows that are not looked at again may yet come to be found."""
        return []


class _NoneFails(_TableExpectation):
    """An aggregate counts failing rows, and there are none."""

    aggregate: str

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "table.lakehouse_aggregate")
    success_keys: ClassVar[tuple[str, ...]] = ("aggregate",)
    args_keys: ClassVar[tuple[str, ...]] = ("aggregate",)

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        return judges.none_fails(int(metrics["table.lakehouse_aggregate"] or 0))


class ExpectValuesToBeGiven(_NoneFails):
    """每行都有值。"""


class ExpectFlagNotToBeRaised(_NoneFails):
    """没有一行被标记。"""


class ExpectIdentifiersToBeValid(_NoneFails):
    """标识号码（公民身份号码、统一社会信用代码等）格式与校验位正确。"""


class ExpectValuesToBeInCodeList(_NoneFails):
    """代码在代码表内。"""


class _StatementExpectation(_TableExpectation):
    statement: str

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "table.lakehouse_statement")
    success_keys: ClassVar[tuple[str, ...]] = ("statement",)
    args_keys: ClassVar[tuple[str, ...]] = ("statement",)


class _NoRowFound(_StatementExpectation):
    """A statement counts failing rows, and there are none."""

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        return judges.none_fails(int(metrics["table.lakehouse_statement"][0][0] or 0))


class ExpectKeyToBeUnique(_TableExpectation):
    """主键不重复。``hashed``: the key's hash in ``relation``, NULL where a part of it is missing."""

    statement: str
    relation: str
    hashed: str

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "table.lakehouse_repeated")
    success_keys: ClassVar[tuple[str, ...]] = ("statement", "relation", "hashed")
    args_keys: ClassVar[tuple[str, ...]] = ("statement",)

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        return judges.none_fails(int(metrics["table.lakehouse_repeated"]))


class ExpectMaskToBeApplied(_NoRowFound):
    """离开的值都经过了声明的脱敏方法。"""


class ExpectReferencesToExist(_NoRowFound):
    """引用的主键在被引用的表中存在。"""


class _Groups(_StatementExpectation):
    """The groups of equal quasi-identifiers: groups, persons of the smallest, below k, below l."""

    at: ClassVar[int]

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        groups, smallest, below_k, below_l = metrics["table.lakehouse_statement"][0]
        failing = int((below_k, below_l)[self.at])
        observed = smallest if self.at == 0 else failing
        return Judged(failing == 0, observed, failing, {"groups": groups, "failing": failing})


class ExpectGroupsToHaveKPersons(_Groups):
    """k-匿名：准标识相同的每一组不少于 k 人。"""

    at: ClassVar[int] = 0


class ExpectGroupsToHaveLValues(_Groups):
    """l-多样性：准标识相同的每一组至少有 l 种敏感取值。"""

    at: ClassVar[int] = 1


class ExpectNoIdentifierInColumns(_StatementExpectation):
    """各文本列中没有公民身份号码和手机号码。The statement gives column, kind, cells, and cells that look like it."""

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        found = metrics["table.lakehouse_statement"]
        return judges.nothing_found({f"{column} {kind}": int(hits) for column, kind, hits, _ in found if hits})

    def _doubtful(self, metrics: Mapping[str, Any]) -> list[str]:
        # where rows go, others may come to be most of those that look like it
        return sorted({column for column, _, _, seen in metrics["table.lakehouse_statement"] if seen})


class ExpectNoContentAboveGrade(_TableExpectation):
    """内容的级别不高于列的级别。``grades``: column to its grade; ``kinds``: what is looked for, empty for all."""

    relation: str
    columns: list[str]
    sample: int
    grades: dict[str, int]
    kinds: list[str] = []  # noqa: RUF012 - a pydantic default
    but: list[str] = []  # noqa: RUF012 - a pydantic default
    found: list[Any] | None = None

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "table.lakehouse_content")
    success_keys: ClassVar[tuple[str, ...]] = ("relation", "columns", "sample", "grades", "kinds", "but", "found")
    args_keys: ClassVar[tuple[str, ...]] = ("columns", "sample")

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        found = metrics["table.lakehouse_content"]
        return judges.nothing_found(judges.above_grade(found, self.grades, self.kinds, self.but))


class ExpectDistributionNotToShift(_StatementExpectation):
    """分布与历史相比没有明显变化。

    ``history``: earlier builds, category to share; ``method``: ``psi`` (population stability index, 总体稳定性指数) or
    ``tv`` (total variation); ``limit``: from it on it has shifted. The statement gives category and rows.
    """

    history: list[dict[str, float]] = []  # noqa: RUF012 - a pydantic default
    method: str = "psi"
    limit: float
    min_rows: int = 100

    success_keys: ClassVar[tuple[str, ...]] = ("statement", "history", "method", "limit", "min_rows")

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        return judges.distribution(
            judges.shares_of(metrics["table.lakehouse_statement"], rows),
            rows,
            history=self.history,
            method=self.method,
            limit=self.limit,
            min_rows=self.min_rows,
        )


class ExpectNumberNotToShift(_StatementExpectation):
    """数值（行数、均值）与历史相比没有明显变化。

    ``max_change_pct``: against the median of ``history``; ``max_z``: standard deviations from its mean, asked when
    there are five numbers or more. The statement gives the number.
    """

    history: list[float] = []  # noqa: RUF012 - a pydantic default
    max_change_pct: float | None = None
    max_z: float | None = None

    success_keys: ClassVar[tuple[str, ...]] = ("statement", "history", "max_change_pct", "max_z")

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        measured = metrics["table.lakehouse_statement"][0][0]
        return judges.number(measured, history=self.history, max_change_pct=self.max_change_pct, max_z=self.max_z)


class _Given(_TableExpectation):
    """A number found out elsewhere, because it is not in the table: it is recorded and judged here."""

    observed: float | None = None
    detail: dict[str, float] = {}  # noqa: RUF012 - a pydantic default

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count",)
    success_keys: ClassVar[tuple[str, ...]] = ("observed", "detail")
    args_keys: ClassVar[tuple[str, ...]] = ("observed",)


class ExpectInputsToBeFresh(_Given):
    """所依据的资源都未逾期。``observed``: feeds that are late; ``detail``: hours of each."""

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        return judges.inputs_fresh(self.observed, self.detail)


class ExpectWatermarkToBePresent(_Given):
    """文件副本带有接收方的水印。``observed``: 1 when it was read back and names its recipient alone; unknown is no."""

    def _judge(self, metrics: Mapping[str, Any], rows: int) -> Judged:
        return Judged(self.observed == 1, self.observed, None, self.detail)
