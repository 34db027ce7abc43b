"""What became of each node of a build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from warehouse.dbt_nodes import describe
from warehouse.dbt_report import scrub


class ModelResult(BaseModel):
    """What became of one node.

    Attributes:
        name: ``schema.table`` of a model or seed, otherwise the test's name.
        node: dbt's unique id; ``file``: its file in the project.
        kind: ``model``, ``seed``, ``test`` or ``unit_test``.
        status: ``success``, ``pass``, ``warn``, ``fail``, ``error``, ``skipped``, or ``stopped`` by the layer's gate.
        rows: rows written to Delta; None for views and tests. ``failures``: failing rows of a test.
        message: the cause when it did not go well, without raw values.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    node: str
    kind: str
    layer: str = ""
    materialized: str = ""
    file: str = ""
    status: str
    seconds: float = 0.0
    rows: int | None = None
    failures: int | None = None
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.status in ("success", "pass", "warn", "no-op")


def node_name(node: Any) -> str:
    if str(node.resource_type) in ("model", "seed"):
        return f"{node.schema}.{node.alias}"
    return str(node.name)


def rows_of_response(response: Mapping[str, Any] | None) -> int | None:
    rows = (response or {}).get("rows_affected")
    return None if rows is None else int(rows)


def result_of(node_result: Any, manifest: Any) -> ModelResult:
    node = node_result.node
    status = str(node_result.status)
    kind = str(node.resource_type)
    info = describe(manifest, only=node.unique_id)
    return ModelResult(
        name=node_name(node),
        node=node.unique_id,
        kind=kind,
        layer=info[0].layer if info else "",
        materialized=str(node.config.materialized) if kind in ("model", "seed") else "",
        file=node.original_file_path,
        status=status,
        seconds=round(node_result.execution_time or 0.0, 3),
        rows=rows_of_response(node_result.adapter_response) if kind == "model" else None,
        failures=node_result.failures,
        message="" if status in ("success", "pass") else scrub(node_result.message or ""),
    )
