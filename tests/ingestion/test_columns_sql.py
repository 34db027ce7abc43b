"""Text forms to types: dates in several styles, numbers, capitals, booleans, instants with summer time."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from catalog.errors import ContractError
from catalog.model import CodeList, Element, FieldSpec, Format, ResolvedField
from ingestion.columns_sql import code_map, typed_sql
from ingestion.parsers import PARSERS, parser

DUCKDB = duckdb.connect()


def read(text: str | None, kind: str, fmt: str = "csv", scale: int = 3, **spec: Any) -> Any:
    """``text`` through the SQL of a field ``f``."""
    element = Element(label="值", grade=1, type=kind, precision=20, scale=scale)
    field = ResolvedField(
        name="f", element=element, spec=FieldSpec.model_validate({"from": "F", **spec}), label="值", type=kind,
        precision=20, scale=scale, unit=None, code_list=None, grade=1, mask=None, required=False, rules=(),
    )  # fmt: skip
    sql = typed_sql(field, Format(type=fmt), mapped=None)
    with DUCKDB.cursor() as con:
        con.execute("SET TimeZone = 'UTC'")
        row = con.execute(
            f'SELECT CAST({sql} AS VARCHAR) FROM (SELECT CAST($1 AS VARCHAR) AS "f__raw")', [text]
        ).fetchone()
        assert row
        return row[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", "12"), ("-3", "-3"), ("12.0", "12"), ("1,234", "1234"), ("１２", "12"), ("12.5", None), ("1e3", "1000"),
     ("0x1F", None), ("", None), ("12个", None), ("99999999999999999999", None), (None, None)],
)  # fmt: skip
def test_integers(text: str | None, value: str | None) -> None:
    assert read(text, "integer") == value


@pytest.mark.parametrize(
    ("text", "value"), [("1435313.650", "1435313.650"), ("1,234.5", "1234.500"), ("－2", "-2.000"), ("N/A", None)]
)
def test_decimals(text: str, value: str | None) -> None:
    assert read(text, "decimal") == value


@pytest.mark.parametrize(("text", "value"), [("1.5", "1.5"), ("nan", None), ("inf", None), ("1,000.5", "1000.5")])
def test_doubles(text: str, value: str | None) -> None:
    assert read(text, "double") == value


def test_multiply_does_not_smear_digits() -> None:
    assert read("300", "double", multiply=0.001) == "0.3"
    assert read("12.5", "decimal", multiply=10_000) == "125000.000"


@pytest.mark.parametrize(
    ("text", "value"), [("是", "true"), ("否", "false"), ("Y", "true"), ("0", "false"), ("?", None)]
)
def test_booleans(text: str, value: str | None) -> None:
    assert read(text, "boolean") == value


@pytest.mark.parametrize(
    ("text", "formats", "value"),
    [("2020/1/5", ["%Y/%m/%d", "%Y-%m-%d"], "2020-01-05"), ("2020-01-05", ["%Y/%m/%d", "%Y-%m-%d"], "2020-01-05"),
     ("19/7/2023", ["%d/%m/%Y"], "2023-07-19"), ("19/7/2023", ["%Y/%m/%d"], None), ("2023-02-30", [], None),
     ("2023年7月9日", ["%Y年%m月%d日"], "2023-07-09"), ("20230709", ["%Y%m%d"], "2023-07-09"), ("2023-07-09", [], "2023-07-09")],
)  # fmt: skip
def test_dates(text: str, formats: list[str], value: str | None) -> None:
    assert read(text, "date", formats=formats) == value


def test_excel_dates_are_iso_besides_the_formats() -> None:
    assert read("2020-01-05", "date", "excel", formats=["%Y/%m/%d"]) == "2020-01-05"


@pytest.mark.parametrize(
    ("text", "spec", "value"),
    [("2024-01-01 08:00:00", {}, "2024-01-01 00:00:00+00"), ("2024-01-01", {}, "2023-12-31 16:00:00+00"),
     ("2024-01-01T08:00:00+08:00", {}, "2024-01-01 00:00:00+00"), ("2024-01-01T00:00:00Z", {}, "2024-01-01 00:00:00+00"),
     ("1988-07-01 09:00:00", {}, "1988-07-01 00:00:00+00"), ("1988-01-01 08:00:00", {}, "1988-01-01 00:00:00+00"),
     ("2013-3-1 0", {"formats": ["%Y-%m-%d %H"]}, "2013-02-28 16:00:00+00"),
     ("2024-07-01 08:00:00", {"timezone": "UTC"}, "2024-07-01 08:00:00+00"),
     ("2024-07-01 08:00:00", {"timezone": "Europe/Berlin"}, "2024-07-01 06:00:00+00"),
     ("2024-07-01 08:00 +0800", {"formats": ["%Y-%m-%d %H:%M %z"]}, "2024-07-01 00:00:00+00"),
     ("31-12-2024", {}, None), ("昨天", {}, None)],
)  # fmt: skip
def test_instants_are_utc(text: str, spec: dict[str, Any], value: str | None) -> None:
    assert read(text, "timestamp", **spec) == value


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [("500(万元人民币)", "500.000", "CNY"), ("858万人民币", "858.000", "CNY"), ("30(万美元)", "30.000", "USD"),
     ("10,664,248.9900(万元人民币)", "10664248.990", "CNY"), ("300,000(万日元)", "300000.000", "JPY"),
     ("250(万香港元)", "250.000", "HKD"), ("25(万德国马克)", "25.000", "DEM"), ("66(万英镑)", "66.000", "GBP"),
     ("326.5070(万)", "326.507", "CNY"), ("1.5亿元", "15000.000", "CNY"), ("30000元", "3.000", "CNY"), ("无", None, None)],
)  # fmt: skip
def test_registered_capital(text: str, amount: str | None, currency: str | None) -> None:
    assert read(text, "decimal", parse="capital_amount_10k") == amount
    assert read(text, "string", parse="capital_currency") == currency


@pytest.mark.parametrize(
    ("text", "value"), [("１，５００万", "15000000.000"), ("3.2亿", "320000000.000"), ("12", "12.000")]
)
def test_chinese_numbers(text: str, value: str) -> None:
    assert read(text, "decimal", parse="number_cn") == value


def test_percent_and_digits() -> None:
    assert read("12.5%", "decimal", parse="percent") == "12.500"
    assert read("12‰", "decimal", parse="percent") == "1.200"
    assert read("010-1234 5678", "string", parse="digits") == "01012345678"


@pytest.mark.parametrize(
    ("text", "value"),
    [("11010519491231002X44", "11010519491231002X"), ("11010519491231002X44B1", "11010519491231002X"),
     ("11010519491231002X", None), ("4401", None)],
)  # fmt: skip
def test_a_disability_certificate_begins_with_its_holders_number(text: str, value: str | None) -> None:
    assert read(text, "string", parse="id_of_disability_certificate") == value


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [("110102001000049", "registration_15", "110102001000049"), ("110102001000048", "unknown", None),
     ("9.11E+17", "scientific", None), ("91350100M000100Y43", "uscc", None), ("11010519491231002X", "resident_id", None)],
)  # fmt: skip
def test_what_stands_in_a_code_column(text: str, kind: str, number: str | None) -> None:
    assert read(text, "string", parse="entity_code_kind") == kind
    assert read(text, "string", parse="registration_number_of_code") == number


@pytest.mark.parametrize(
    ("text", "value"),
    [("11010519491231002X", "11010519491231002X"), ("11010519491231002XA1", "11010519491231002X"),
     ("110102800101001", "110102800101001"), ("91110102101379136C", None), ("9.11E+17", None), ("看不懂", None)],
)  # fmt: skip
def test_the_person_whose_number_stands_in_a_code_column(text: str, value: str | None) -> None:
    assert read(text, "string", parse="resident_id_of_code") == value


def test_an_unknown_parser_names_those_there_are() -> None:
    with pytest.raises(ContractError, match="number_cn"):
        parser("nothing")
    assert set(PARSERS) >= {"capital_amount_10k", "capital_currency", "number_cn"}


def test_code_maps_take_codes_names_short_forms_and_own_values() -> None:
    element = Element(label="民族", grade=1, codes="e")
    codes = CodeList.model_validate(
        {
            "id": "e",
            "title": "民族",
            "source": "",
            "values": [{"code": c, "name": n} for c, n in (("01", "汉族"), ("02", "蒙古族"), ("11", "满族"))],
        }
    )
    field = ResolvedField(
        name="e", element=element, spec=FieldSpec.model_validate({"from": "E", "codes": {"旗人": "11"}}), label="民族",
        type="string", precision=1, scale=1, unit=None, code_list="e", grade=1, mask=None, required=False, rules=(),
    )  # fmt: skip
    made = code_map(field, codes)
    assert {k: made[k] for k in ("旗人", "汉族", "汉", "01", "蒙古")} == {
        "旗人": "11", "汉族": "01", "汉": "01", "01": "01", "蒙古": "02",
    }  # fmt: skip
