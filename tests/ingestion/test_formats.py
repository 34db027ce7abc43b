"""Excel, JSON, NDJSON, vector maps, wide years: each told by content, read as text, counted to the last record."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]


def workbook(rows: list[list[Any]], merges: tuple[str, ...] = (), sheet: str = "Sheet1") -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    for area in merges:
        book.active.merge_cells(area)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


# --- Excel

EXCEL = """
format: {type: excel, header_row: auto, footer: "^(合计|填表人)"}
load: {mode: snapshot, key: [resident_id]}
fields:
  street_name: {from: 街道}
  resident_id: {from: 证件号码, required: true}
  birth_date: {from: 出生日期, formats: ["%Y/%m/%d"]}
  time_limit_hours: {from: 小时}
"""


@pytest.fixture
def sheet_house(build: Build, contracts: dict[str, str]) -> Any:
    return build(contracts["head"] + EXCEL)


def test_excel_with_titles_merged_cells_footer_dates_and_numbers(sheet_house: Any) -> None:
    ids = [sheet_house.resident_id(n) for n in range(4)]
    rows = [
        ["流动人口登记表", None, None, None],
        ["单位（盖章）：某所", None, None, "2026年8月"],
        ["街道", "证件号码", "出生日期", "小时"],
        ["广内街道", ids[0], dt.date(1980, 1, 1), 24],
        [None, ids[1], "1980/01/01", 24.0],
        [None, ids[2], dt.datetime(1980, 1, 1), "24"],
        ["展览路街道", ids[3], None, None],
        ["合计", None, None, 4],
    ]
    result = sheet_house.send(workbook(rows, ("A1:D1", "A2:C2", "A4:A6")), "a.xlsx")
    assert (result.rows_found, result.rows_loaded, result.skipped) == (5, 4, {"footer": 1})
    assert result.about["header_row"] == 3
    assert sorted(
        sheet_house.rows("street_name, birth_date::text, time_limit_hours, _row_number"), key=lambda r: r[3]
    ) == [
        ("广内街道", "1980-01-01", 24, 1),
        ("广内街道", "1980-01-01", 24, 2),
        ("广内街道", "1980-01-01", 24, 3),
        ("展览路街道", None, None, 4),
    ]


def test_a_merge_across_columns_fills_only_its_cells(sheet_house: Any) -> None:
    rows = [
        ["街道", "证件号码", "出生日期", "小时"],
        ["甲街道", sheet_house.resident_id(1), "1980/01/01", 3],
        [None] * 4,
    ]
    result = sheet_house.send(workbook(rows, ("C2:D2",)), "a.xlsx")
    assert result.rows_quarantined == 1
    assert "time_limit_hours.type" in result.reasons


def test_a_credit_code_stored_as_number_shows_as_excel_shows_it(build: Build, contracts: dict[str, str]) -> None:
    house = build(
        contracts["head"]
        + """
format: {type: excel}
load: {mode: upsert, key: [uscc]}
fields:
  uscc: {from: 信用代码, required: true}
"""
    )
    result = house.send(workbook([["信用代码"], [911101061021672900], ["91110106102167290A"]]), "a.xlsx")
    assert result.rows_loaded == 1
    assert "uscc.not_scientific" in result.reasons
    assert house.rows("raw", "quarantine") == [('{"信用代码":"9.11101061021673E+17"}',)]


def test_sheet_by_name_and_a_missing_sheet(build: Build, contracts: dict[str, str]) -> None:
    content = workbook([["编号", "雨量"], ["A", 1]], sheet="雨量表")
    good = contracts["readings"].replace("type: csv", "type: excel, sheet: 雨量表")
    assert build(good).send(content, "a.xlsx").rows_loaded == 1
    result = build(good.replace("雨量表", "没有")).send(content + b"\0", "b.xlsx")
    assert result.verdict == "stopped"
    assert "雨量表" in result.message


def test_a_real_xls_named_csv(build: Build, contracts: dict[str, str], shared_data: Path) -> None:
    house = build(
        contracts["head"]
        + """
format: {type: excel, header_row: auto}
load: {mode: snapshot}
drift: {columns: evolve}
fields:
  entity_name: {from: 项目名称}
"""
    )
    content = (shared_data / "opendata_bj" / "环境影响登记表备案.csv").read_bytes()
    result = house.send(content, "a.csv")
    assert (result.rows_found, result.rows_loaded) == (1445, 1445)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (-3.5, "-3.5"), (999_999_999_999_999.0, "999999999999999"), (9.1e17, "9.1E+17"), (True, "true"),
        (dt.date(2026, 1, 2), "2026-01-02"), (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
        (dt.datetime(2026, 1, 2), "2026-01-02"), (dt.time(8, 30), "08:30:00"), ("", None), (" x ", " x "),
    ],
)  # fmt: skip
def test_cells_as_text(value: Any, text: str | None) -> None:
    from ingestion.formats.excel import text as as_text

    assert as_text(value) == text


# --- wide years

WIDE = """
format: {type: excel, footer: "^注", unpivot: {columns: "^([0-9]{4})年$", name: period_year, value: value}, null_values: ["", "-"]}
load: {mode: upsert, key: [indicator_name, period_year]}
fields:
  indicator_name: {from: 指标, required: true}
  indicator_unit: {from: 单位, required: true}
  period_year: {from: period_year, required: true}
  indicator_value: {from: value, required: true}
"""


def test_wide_years_become_rows_and_every_value_is_counted(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + WIDE)
    rows = [
        ["主要指标", None, None, None, None],
        ["指标", "单位", "2019年", "2020 年", "２０２１年"],
        ["人口", "万人", 113.7, 110.6, "-"],
        ["产值", "亿元", "5007.3", "约五千", None],
        ["注：初步数", None, None, None, None],
    ]
    result = house.send(workbook(rows), "a.xlsx")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (7, 3, 1)
    assert result.skipped == {"no_value": 2, "footer": 1}
    assert house.rows("indicator_name, period_year, indicator_value::double, _row_number") == [
        ("产值", 2019, 5007.3, 2), ("人口", 2019, 113.7, 1), ("人口", 2020, 110.6, 1),
    ]  # fmt: skip
    assert house.rows("row_number, part", "quarantine") == [(2, 2)]


def test_no_wide_column_is_an_error(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + WIDE)
    result = house.send(workbook([["指标", "单位", "合计"], ["人口", "万人", 1]]), "a.xlsx")
    assert result.verdict == "stopped"


# --- JSON

CPI = """
format: {type: json, records: result.data}
load: {mode: upsert, key: [period_month]}
fields:
  period_month: {from: report_month, required: true}
  cpi_national_yoy100: {from: cpi, required: true}
"""


def test_json_records_keep_their_digits(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + CPI)
    text = '{"result":{"data":[{"report_month":"2025-04","cpi":99.900},{"report_month":"2025-05","cpi":"100.1"},7]}}'
    result = house.send(text, "a.json")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (3, 2, {"bad_record": 1})
    assert house.rows("period_month, cpi_national_yoy100::text") == [("2025-04", "99.900"), ("2025-05", "100.100")]
    assert house.rows("row_number", "quarantine") == [(3,)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"result":{"data":[{"report_month":"2025-04"', "cut short"),
        ('{"result":{"rows":[]}}', "rows"),
        ('{"result":{"data":{}}}', "no list"),
        ("[" * 100_000 + "]" * 100_000, "deep"),
        ('{"result" {"data":[]}}', "line=1"),
    ],
)
def test_a_json_document_that_is_not_as_agreed(build: Build, contracts: dict[str, str], text: str, says: str) -> None:
    result = build(contracts["head"] + CPI).send(text, "a.json")
    assert result.verdict == "stopped"
    assert says in result.message


def test_json_with_a_new_key_is_drift(build: Build, contracts: dict[str, str]) -> None:
    text = '{"result":{"data":[{"report_month":"2025-04","cpi":1,"ppi":2}]}}'
    result = build(contracts["head"] + CPI).send(text, "a.json")
    assert "extra: ppi" in result.message


# --- NDJSON

GAUGE = """
format: {type: ndjson}
load: {mode: append, key: [sensor_id, observed_at]}
fields:
  sensor_id: {from: id, required: true}
  observed_at: {from: time, required: true}
  rain_mm: {from: mm}
  geom_cgcs2000: {x: lon, y: lat, crs: "EPSG:4490"}
"""


def reading(n: int, **changes: Any) -> str:
    row = {"id": f"S{n}", "time": "2026-07-01T08:00:00+08:00", "mm": 1.5, "lon": 116.36, "lat": 39.91, **changes}
    return json.dumps(row, ensure_ascii=False)


def test_ndjson_lines_and_bad_lines(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + GAUGE)
    text = "\n".join(
        [reading(1), "{坏的", "", reading(2, mm=None, time="2026-07-01T01:00:00Z"), "[1]", reading(3)[:-1]]
    )
    result = house.send(text, "a.ndjson")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (5, 2, {"bad_record": 3})
    assert house.rows("sensor_id, observed_at::text, rain_mm, _row_number") == [
        ("S1", "2026-07-01 00:00:00+00", 1.5, 1), ("S2", "2026-07-01 01:00:00+00", None, 3),
    ]  # fmt: skip
    assert house.rows("row_number, raw", "quarantine")[0] == (2, '{"_line": "{坏的"}')


def test_ndjson_key_that_appears_late_is_drift(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + GAUGE)
    lines = [reading(n) for n in range(1500)] + [reading(1500, 新="x")]
    result = house.send("\n".join(lines), "a.ndjson")
    assert result.verdict == "stopped"
    assert "extra: 新" in result.message
    assert house.rows() == []


def test_points_become_wkb(build: Build, contracts: dict[str, str]) -> None:
    import shapely

    house = build(contracts["head"] + GAUGE)
    house.send("\n".join([reading(1), reading(2, lon="东经", lat=1), reading(3, lon=None)]), "a.ndjson")
    rows = dict(house.rows("sensor_id, geom_cgcs2000"))
    assert shapely.from_wkb(rows["S1"]).coords[0] == (116.36, 39.91)
    assert rows["S3"] is None
    assert house.rows("rules", "quarantine") == [(["geom_cgcs2000.type"],)]


# --- vector maps

MAP = """
format: {type: vector}
load: {mode: upsert, key: [division_code]}
optional_columns: true
fields:
  division_code: {from: [adcode, 街道代码], required: true}
  division_name: {from: [name, 街道名称], required: true}
  area_ha: {from: 面积公顷}
  geom_cgcs2000: {from: geometry, required: true}
drift: {columns: evolve}
"""


def geojson(**crs: Any) -> str:
    square = [[[116.3, 39.9], [116.4, 39.9], [116.4, 40.0], [116.3, 39.9]]]
    features = [
        {"type": "Feature", "properties": {"adcode": f"11010200{n}", "name": "街道"}, "geometry": shape}
        for n, shape in ((1, {"type": "Polygon", "coordinates": square}), (2, None))
    ]
    return json.dumps({"type": "FeatureCollection", "features": features, **crs}, ensure_ascii=False)


def test_geojson(build: Build, contracts: dict[str, str]) -> None:
    import shapely

    house = build(contracts["head"] + MAP)
    result = house.send(geojson(), "a.geojson")
    assert (result.rows_found, result.rows_loaded) == (2, 1)
    assert result.reasons == {"geom_cgcs2000.required": 1}
    (row,) = house.rows("geom_cgcs2000")
    assert shapely.from_wkb(row[0]).bounds == (116.3, 39.9, 116.4, 40.0)


def test_gcj02_map_is_moved(build: Build, contracts: dict[str, str]) -> None:
    import shapely

    house = build(contracts["head"] + MAP.replace("type: vector", "type: vector, crs: GCJ02"))
    house.send(geojson(), "a.geojson")
    (row,) = house.rows("geom_cgcs2000")
    west, south, *_ = shapely.from_wkb(row[0]).bounds
    assert 0.005 < 116.3 - west < 0.008
    assert 0.0005 < 39.9 - south < 0.003


def test_a_projected_map_is_turned_into_degrees(build: Build, contracts: dict[str, str]) -> None:
    import shapely
    from pyproj import Transformer

    x, y = Transformer.from_crs("EPSG:4490", "EPSG:4548", always_xy=True).transform(116.36, 39.91)
    text = json.dumps(
        {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}},
            "features": [
                {
                    "type": "Feature",
                    "properties": {"adcode": "110102001", "name": "街道"},
                    "geometry": {"type": "Point", "coordinates": [x, y]},
                }
            ],
        }
    )
    house = build(contracts["head"] + MAP)
    assert house.send(text, "a.geojson").rows_loaded == 1
    (row,) = house.rows("geom_cgcs2000")
    assert shapely.from_wkb(row[0]).coords[0] == pytest.approx((116.36, 39.91), abs=1e-8)


def test_zipped_shapefile_with_a_gbk_dbf_and_no_cpg(build: Build, contracts: dict[str, str], shared_data: Path) -> None:
    house = build(contracts["head"] + MAP)
    result = house.send((shared_data / "geo" / "xicheng_streets_gbkdbf_cgcs2000_shp.zip").read_bytes(), "a.zip")
    assert (result.rows_found, result.rows_loaded) == (15, 15)
    assert result.about["encoding"] == "GB18030"
    assert ("110102001", "西长安街街道") in house.rows("division_code, division_name")


def test_an_archive_whose_names_leave_their_folder_is_refused(build: Build, contracts: dict[str, str]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("../../evil.shp", b"x")
    house = build(contracts["head"] + MAP)
    result = house.send(out.getvalue(), "a.zip")
    assert result.verdict == "stopped"
    assert "leaves its folder" in result.message


def test_broken_geojson_is_a_clear_error(build: Build, contracts: dict[str, str]) -> None:
    result = build(contracts["head"] + MAP).send(geojson()[:-40], "a.geojson")
    assert result.verdict == "stopped"
    assert result.error["hint"]
