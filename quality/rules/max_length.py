"""A text longer than its element allows."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import (
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    expectation,
    not_null_and,
)


class Params(RuleParams):
    characters: int = Field(ge=1)


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    return [
        Check(
            "max_length",
            (column,),
            not_null_and(column, f"length({column.sql}) > {params.characters}"),
            f"{column.label}：超过 {params.characters} 个字符",
            expectation("expect_column_value_lengths_to_be_between", column=column.name, max_value=params.characters),
        )
    ]


RULE = RowRule(
    name="max_length",
    title="长度",
    dimension="validity",
    types=("string",),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(Column("sensor_id", "传感器编号", "string"),),
            field="sensor_id",
            params={"characters": 4},
            fixtures=(
                Fixture({"sensor_id": "雨量站一"}, (), "characters count, not bytes"),
                Fixture({"sensor_id": None}, (), "no value has no length"),
                Fixture({"sensor_id": "雨量站一二"}, ("max_length",), "one too many"),
            ),
        ),
    ),
)
