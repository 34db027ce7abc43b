"""What checking costs: the row split and the gate, beside a bare load of the same rows; the gate's memory at 10 M rows.

The row split is what the checks add to the one pass over a delivery: the pass with the contract's rules less the
same pass with none. The gate is the Great Expectations suite, imports excluded.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from bench.bench_ingest import FEED, landed, sample


def split_and_gate(rows: int) -> float:
    """Seconds the checks add to a load of so many rows."""
    with landed(rows) as (settings, catalog, receipt):
        without = _pass(settings, catalog, receipt, checked=False, gated=False)[0]
        passed, gate = _pass(settings, catalog, receipt, checked=True, gated=True)
        return max(passed - without, 0.0) + gate


def gate(rows: int) -> float:
    """Seconds of the gate alone; its peak memory is what the report shows, the staged rows included."""
    with landed(rows) as (settings, catalog, receipt):
        return _pass(settings, catalog, receipt, checked=True, gated=True)[1]


def _pass(settings: Any, catalog: Any, receipt: Any, *, checked: bool, gated: bool) -> tuple[float, float]:
    from ingestion.landing import landed_file
    from ingestion.stage import stage
    from quality.gate import run_gate
    from quality.rules import BatchStats, compile_rules

    feed, now = catalog.feed(FEED), datetime.now(UTC)
    rules = compile_rules(catalog, feed, as_of=now)
    started = time.perf_counter()
    path = landed_file(settings, receipt)
    used = rules if checked else ()
    with stage(settings, catalog, feed, path, receipt=receipt.id, loaded_at=now, rules=used) as staged:
        passed = time.perf_counter() - started
        if not gated:
            return passed, 0.0
        batch = BatchStats(
            feed=feed.id,
            receipt=receipt.id,
            rows_found=staged.rows_found,
            rows_accepted=staged.rows_accepted,
            rows_quarantined=staged.rows_quarantined,
            rows_skipped=staged.rows_skipped,
            arrived_at=now,
            previous_rows=None,
            row_failures={**staged.reasons, **staged.warned},
        )
        started = time.perf_counter()
        found = run_gate(staged.con, "accepted", catalog=catalog, feed=feed, rules=rules, batch=batch, now=now)
        assert found.verdict != "stopped", found.reason
        return passed, time.perf_counter() - started


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The rows of the report."""
    from bench.harness import compare

    rows = int(1_000_000 * scale)
    here = "bench.bench_gate"
    sample(rows)
    out = [
        compare(f"row split and gate, {rows:,} rows / bare load", ours=f"{here}:split_and_gate",
                yardstick="bench.bench_ingest:bare", args={"rows": rows}, rows=rows, target=0.6),
    ]  # fmt: skip
    if scale >= 1:
        many = 10 * rows
        sample(many)
        out.append(compare(f"gate, {many:,} rows", ours=f"{here}:gate", args={"rows": many}, rows=many, runs=1))
    return out
