"""The result of a suite as Great Expectations writes it, for answers that were put together without it.

Importing Great Expectations takes two seconds and each of its suites a twentieth: more than it takes to look at what a
day has brought. Data Docs show both alike; a test holds this against what Great Expectations writes itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from quality.gx_context import Answer
from quality.table_judges import Judged, result

if TYPE_CHECKING:
    from quality.table_gate import TableSuite

_DEFAULTS: dict[str, Any] = {"method": "psi", "min_rows": 100, "kinds": [], "but": [], "history": [], "detail": {}}
"""Arguments that Great Expectations does not write down, since they say what the expectation says anyway."""
_NO_ERROR = {"raised_exception": False, "exception_traceback": None, "exception_message": None}


@dataclass(frozen=True)
class Document:
    """What `quality.data_docs` keeps of a suite."""

    content: dict[str, Any]

    def to_json_dict(self) -> dict[str, Any]:
        """The content, of JSON's types."""
        return self.content


def document_of(suite: TableSuite, answers: Mapping[str, Answer]) -> Document:
    """The result of ``suite`` with an answer to each of its rules."""
    from quality.table_gate import state

    at = datetime.now(UTC)
    name, batch = suite.suite, f"duckdb-{suite.suite}"
    results = []
    for rule in suite.rules:
        stated, answer = state(rule, suite), answers[rule.code]
        judged = Judged(answer.success, _plain(answer.observed), answer.unexpected, answer.details)
        given = stated.expectation["kwargs"].items()
        kwargs = {k: v for k, v in given if v is not None and not (k in _DEFAULTS and v == _DEFAULTS[k])}
        results.append(
            {
                "success": answer.success,
                "expectation_config": {
                    "type": stated.expectation["type"],
                    "kwargs": {"batch_id": batch, **kwargs},
                    "meta": {"rule": stated.code, **stated.meta},
                    "description": stated.message,
                    "severity": "critical" if stated.critical else "warning",
                },
                "result": result(judged, answer.evaluated or 0, answer.doubtful),
                "meta": {},
                "exception_info": dict(_NO_ERROR),
            }
        )
    passed, asked = sum(a.success for a in answers.values()), len(results)
    batch_names = {"data_asset_name": name, "batch_identifiers": {}}
    meta = {
        "great_expectations_version": _version(),
        "batch_spec": {"type": "table", "table_name": suite.relation, "schema_name": None, **batch_names},
        "batch_markers": {"ge_load_time": f"{at:%Y%m%dT%H%M%S.%fZ}"},
        "active_batch_definition": {"datasource_name": "duckdb", "data_connector_name": "fluent", **batch_names},
        "run_id": {"run_name": None, "run_time": at.isoformat()},
        "validation_time": at.isoformat(),
    }
    statistics = {
        "evaluated_expectations": asked,
        "successful_expectations": passed,
        "unsuccessful_expectations": asked - passed,
        "success_percent": 100.0 * passed / asked if asked else None,
    }
    return Document(
        {
            "success": passed == asked,
            "suite_name": name,
            "suite_parameters": {},
            "results": results,
            "statistics": statistics,
            "meta": meta,
            "id": None,
        }
    )


@lru_cache(maxsize=1)
def _version() -> str:
    return version("great_expectations")


def _plain(observed: float | None) -> float | int | None:
    """A count as the whole number it is."""
    return int(observed) if observed is not None and float(observed).is_integer() else observed
