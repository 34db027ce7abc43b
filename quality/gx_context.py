"""Great Expectations, quiet and without a home: lazily imported, no analytics, no files outside what is asked for."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from catalog.errors import ContractError

if TYPE_CHECKING:
    import duckdb

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Stated:
    """One expectation to be checked.

    Attributes:
        code: rule code, the name it is found by.
        expectation: ``{"type": …, "kwargs": …}``.
        message: Chinese sentence shown instead of the English template.
        critical: a failure stops the batch.
        meta: what Data Docs and readers of the suite should know; no values of rows.
    """

    code: str
    expectation: dict[str, Any]
    message: str
    critical: bool
    meta: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What Great Expectations found. ``exception``: an error inside the expectation; then ``success`` is no answer."""

    success: bool
    evaluated: int | None
    unexpected: int | None
    exception: str | None


@lru_cache(maxsize=1)
def great_expectations() -> ModuleType:
    """The module, imported once (5 to 8 s) with its voice turned down and nothing sent anywhere."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    for name in ("great_expectations", "great_expectations.data_context", "py.warnings"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        import quality.gx_expectations  # noqa: F401 - defining an expectation registers it
    return gx


def run_suite(
    con: duckdb.DuckDBPyConnection, table: str, name: str, stated: Sequence[Stated]
) -> tuple[dict[str, Answer], Any]:
    """Check ``table`` on an open DuckDB connection.

    Args:
        name: of the suite, shown in Data Docs.

    Returns:
        Rule code to Answer, and the validation result of Great Expectations. It holds counts, never values.

    Raises:
        ContractError: an expectation type does not exist: the contract was compiled for another version.
    """
    from quality.gx_dialect import lend

    gx = great_expectations()
    with _one_at_a_time, warnings.catch_warnings(), lend(con) as url:
        # it warns that "postgresql" has a datasource of its own; ours is DuckDB underneath
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        source = context.data_sources.add_sql(name="duckdb", connection_string=url)
        batch = source.add_table_asset(name=name, table_name=table).add_batch_definition_whole_table("all")
        suite = context.suites.add(gx.ExpectationSuite(name=name))
        suite.expectations = [_build(s) for s in stated]
        suite.save()
        definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        # counts only: with an empty list of examples no statement fetches a value
        found = definition.run(result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    answers = {}
    for result in found.results:
        answers[result.expectation_config.meta["rule"]] = _answer(result)
    return answers, found


def _build(stated: Stated) -> Any:
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.metadata_types import FailureSeverity
    from great_expectations.expectations.registry import get_expectation_impl

    kind, kwargs = stated.expectation["type"], stated.expectation["kwargs"]
    try:
        implementation = get_expectation_impl(kind)
    except ExpectationNotFoundError as e:
        raise ContractError(
            f"Great Expectations has no {kind}, which rule {stated.code} compiles to",
            hint="correct the rule's expectation in quality/rules/",
            rule=stated.code,
        ) from e
    return implementation(
        **kwargs,
        description=stated.message,
        severity=FailureSeverity.CRITICAL if stated.critical else FailureSeverity.WARNING,
        meta={"rule": stated.code, **stated.meta},
    )


def _answer(result: Any) -> Answer:
    exception = _exception(result.exception_info)
    found = result.result or {}
    return Answer(
        success=bool(result.success) and exception is None,
        evaluated=found.get("element_count"),
        unexpected=found.get("unexpected_count"),
        exception=exception,
    )


def _exception(info: Any) -> str | None:
    """The kind of error inside an expectation, without its text, which may quote values.

    ``exception_info`` is either one record or one a metric.
    """
    records = [info] if "raised_exception" in (info or {}) else list((info or {}).values())
    for record in records:
        if isinstance(record, dict) and record.get("raised_exception"):
            text = str(record.get("exception_message") or "error")
            return text.split("\n", 1)[0].split(":", 1)[0][:120]
    return None
