"""An instant far from the moment its message arrived: a clock that runs wrong, or data too late to be used."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, sql_expectation


class Params(RuleParams):
    """``of``: field with the moment of arrival; ``late_hours``: how late a message may be; ``ahead_minutes``: how far
    the sender's clock may run ahead."""

    of: str
    late_hours: float = Field(gt=0)
    ahead_minutes: float = Field(default=5, ge=0)


def checks(context: RuleContext, params: Params) -> list[Check]:
    column, arrival = context.own(), context.column(params.of, "timestamp")
    late, ahead = round(params.late_hours * 3600), round(params.ahead_minutes * 60)
    return [
        Check(
            "ahead",
            (column, arrival),
            f"coalesce({column.sql} > {arrival.sql} + INTERVAL {ahead} SECOND, false)",
            f"{column.label}：晚于{arrival.label} {params.ahead_minutes:g} 分钟以上，设备时钟有误",
            sql_expectation(f"coalesce({column.sql} > {arrival.sql} + INTERVAL {ahead} SECOND, false)"),
        ),
        Check(
            "too_late",
            (column, arrival),
            f"coalesce({column.sql} < {arrival.sql} - INTERVAL {late} SECOND, false)",
            f"{column.label}：早于{arrival.label} {params.late_hours:g} 小时以上，迟到过久或设备时钟有误",
            sql_expectation(f"coalesce({column.sql} < {arrival.sql} - INTERVAL {late} SECOND, false)"),
        ),
    ]


_INSTANT = "TIMESTAMP WITH TIME ZONE"
_ARRIVED = "2026-01-01 08:00:00+08"
RULE = RowRule(
    name="arrives_within",
    title="到达及时",
    dimension="timeliness",
    types=("timestamp",),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(
                Column("observed_at", "观测时间", "timestamp", duckdb_type=_INSTANT),
                Column("received_at", "接收时间", "timestamp", duckdb_type=_INSTANT),
            ),
            field="observed_at",
            params={"of": "received_at", "late_hours": 24, "ahead_minutes": 5},
            fixtures=(
                Fixture({"observed_at": "2026-01-01 07:59:59+08", "received_at": _ARRIVED}, (), "a second old"),
                Fixture({"observed_at": "2026-01-01 08:05:00+08", "received_at": _ARRIVED}, (), "just allowed"),
                Fixture({"observed_at": "2025-12-31 08:00:00+08", "received_at": _ARRIVED}, (), "a day old"),
                Fixture(
                    {"observed_at": "2026-01-01 09:00:00+08", "received_at": _ARRIVED}, ("ahead",), "an hour ahead"
                ),
                Fixture({"observed_at": "2025-12-31 07:59:59+08", "received_at": _ARRIVED}, ("too_late",), "too old"),
                Fixture({"observed_at": None, "received_at": _ARRIVED}, (), "no instant"),
                Fixture({"observed_at": "2026-01-01 09:00:00+08", "received_at": None}, (), "arrival not known"),
            ),
        ),
    ),
)
