"""What became of a delivery, and the platform tables that keep it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from ingestion.landing import Receipt

Verdict = Literal["passed", "warned", "stopped", "duplicate", "empty"]


class LoadResult(BaseModel):
    """The outcome of one delivery; rows_found = rows_loaded + rows_quarantined + rows_skipped, always.

    Attributes:
        receipt: empty when the file could not even be landed.
        file: name the delivery came under.
        rows_found: records in the file; where wide columns are unpivoted, values.
        rows_skipped: duplicates, superseded rows, footers, blank rows; every row of a batch that was stopped.
        verdict: ``passed``; ``warned`` (rows quarantined, or a warning rule broken); ``stopped`` (nothing of
            it is visible); ``duplicate`` (the same bytes came before); ``empty``.
        reasons: rule code to rejected rows. A row may break several rules.
        skipped: why rows were skipped.
        warnings: rule code to rows that broke a rule that only warns.
        message: one Chinese sentence for people.
        error: code, message, hint and place when the file could not be read.
        about: what the reader found out: encoding, header row, sheet, coordinate system.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    feed: str
    receipt: str
    file: str = ""
    rows_found: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0
    verdict: Verdict
    reasons: dict[str, int] = Field(default_factory=dict)
    skipped: dict[str, int] = Field(default_factory=dict)
    warnings: dict[str, int] = Field(default_factory=dict)
    message: str = ""
    error: dict[str, Any] | None = None
    about: dict[str, Any] = Field(default_factory=dict)


LOADS_SCHEMA = pa.schema(
    [
        ("feed", pa.string()),
        ("receipt", pa.string()),
        ("sequence", pa.int64()),
        ("file", pa.string()),
        ("source", pa.string()),
        ("sha256", pa.string()),
        ("size_bytes", pa.int64()),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
        ("landed_at", pa.timestamp("us", tz="UTC")),
        ("loaded_at", pa.timestamp("us", tz="UTC")),
        ("verdict", pa.string()),
        ("rows_found", pa.int64()),
        ("rows_loaded", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("rows_skipped", pa.int64()),
        ("reasons", pa.string()),
        ("skipped", pa.string()),
        ("warnings", pa.string()),
        ("message", pa.string()),
        ("error", pa.string()),
        ("about", pa.string()),
    ]
)
"""``platform.loads``: one row a receipt; reasons, skipped, warnings, error and about are JSON text."""


def loads_row(receipt: Receipt, result: LoadResult, loaded_at: datetime) -> pa.Table:
    """The row of ``platform.loads`` for one receipt."""

    def text(value: Mapping[str, Any] | None) -> str | None:
        return json.dumps(value, ensure_ascii=False, default=str) if value else None

    row = {
        "feed": receipt.feed,
        "receipt": receipt.id,
        "sequence": receipt.sequence,
        "file": receipt.original_name,
        "source": receipt.source,
        "sha256": receipt.sha256,
        "size_bytes": receipt.size,
        "arrived_at": receipt.arrived_at,
        "landed_at": receipt.landed_at,
        "loaded_at": loaded_at,
        "verdict": result.verdict,
        "rows_found": result.rows_found,
        "rows_loaded": result.rows_loaded,
        "rows_quarantined": result.rows_quarantined,
        "rows_skipped": result.rows_skipped,
        "reasons": text(result.reasons),
        "skipped": text(result.skipped),
        "warnings": text(result.warnings),
        "message": result.message,
        "error": text(result.error),
        "about": text(result.about),
    }
    return pa.Table.from_pylist([row], schema=LOADS_SCHEMA)


def describe(result: LoadResult) -> str:
    """A Chinese sentence on a load, for people."""
    if result.verdict == "empty":
        return "文件中没有记录，原有数据不变"
    if result.verdict == "duplicate":
        return "同样的内容已经收到过，没有重复入库"
    parts = [f"收到 {result.rows_found} 行", f"入库 {result.rows_loaded}"]
    if result.rows_quarantined:
        worst = sorted(result.reasons.items(), key=lambda kv: -kv[1])[:3]
        parts.append(f"隔离 {result.rows_quarantined}（{'、'.join(f'{k} {n}' for k, n in worst)}）")
    if result.rows_skipped:
        parts.append(f"跳过 {result.rows_skipped}（{'、'.join(f'{k} {n}' for k, n in result.skipped.items())}）")
    if result.warnings:
        parts.append("提示 " + "、".join(f"{k} {n}" for k, n in list(result.warnings.items())[:3]))
    return "，".join(parts)
