"""Great Expectations, quiet and without a home: lazily imported, no analytics, no files outside what is asked for."""

from __future__ import annotations

import gc
import logging
import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

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
    """What Great Expectations found. ``exception``: an error inside the expectation; then ``success`` is no answer.

    Attributes:
        observed: the number the expectation is about; ``details``: numbers besides, by column, kind or category.
        doubtful: columns that hold what looks like a finding and is none by the company it keeps.
    """

    success: bool
    evaluated: int | None
    unexpected: int | None
    exception: str | None
    observed: float | None = None
    details: dict[str, float] = field(default_factory=dict)
    doubtful: tuple[str, ...] = ()


class Suite(NamedTuple):
    """A suite to be asked about a table or view of the connection's main schema."""

    table: str
    name: str
    stated: Sequence[Stated]


@lru_cache(maxsize=2)
def great_expectations(*, tables: bool = False) -> ModuleType:
    """The module, imported once (2 to 8 s) with its voice turned down and nothing sent anywhere.

    All that lives by then is left out of garbage collection: looking through the module's million objects, which
    stay as long as the process does, costs half a second each time.

    Args:
        tables: with the expectations of built tables and releases, which no delivery needs.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    for name in ("great_expectations", "great_expectations.data_context", "py.warnings"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        import quality.gx_expectations

        if tables:
            import quality.gx_table_expectations  # noqa: F401 - defining an expectation registers it
    # it gives this one a voice of its own, on being imported
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    gc.freeze()
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
    return run_suites(con, [Suite(table, name, stated)])[0]


def run_suites(con: duckdb.DuckDBPyConnection, suites: Sequence[Suite]) -> list[tuple[dict[str, Answer], Any]]:
    """Check several tables in one context of Great Expectations; see `run_suite`.

    Raises:
        ContractError: an expectation type does not exist.
    """
    from quality.gx_dialect import lend

    gx = great_expectations()
    from great_expectations.core.run_identifier import RunIdentifier

    answered = []
    with _one_at_a_time, warnings.catch_warnings(), lend(con) as url:
        # it warns that "postgresql" has a datasource of its own; ours is DuckDB underneath
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        # it lives in memory and has nowhere to be saved to, yet writes all of itself out as YAML for every asset
        context.variables.save = lambda: None
        source = context.data_sources.add_sql(name="duckdb", connection_string=url)
        for table, name, stated in suites:
            batch = (
                source.add_table_asset(name=name, table_name=table).add_batch_definition_whole_table("all").get_batch()
            )
            suite = gx.ExpectationSuite(name=name, expectations=[_build(s) for s in stated])
            # counts only: with an empty list of examples no statement fetches a value
            found = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
            # as a validation definition would note; those are kept in stores, written out at every step
            run = RunIdentifier(run_time=datetime.now(UTC))
            found.meta.update(run_id=run, validation_time=run.run_time)
            answers = {r.expectation_config.meta["rule"]: _answer(r) for r in found.results}
            answered.append((answers, found))
    return answered


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
        observed=_number(found.get("observed_value")),
        details=found.get("details") or {},
        doubtful=tuple(found.get("doubtful") or ()),
    )


def _number(observed: Any) -> float | None:
    return float(observed) if isinstance(observed, int | float) else None


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
