"""The files look as departments send them: encodings, title rows, merged cells, old map formats."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from catalog.registry import Catalog
from demo.geometry import to_gcj02
from tests.demo.conftest import District

CSV_FEEDS = {
    "public_security__household": "gb18030",
    "market_supervision__enterprises": "utf-8",
    "market_supervision__penalties": "gb18030",
    "market_supervision__listed_companies": "utf-8-sig",
    "planning__address_points": "utf-8-sig",
    "ecology__air_hourly": "utf-8",
    "hotline__work_orders": "utf-8-sig",
    "hotline__messages": "utf-8",
    "tax__arrears": "gb18030",
    "city_sensing__sensors": "utf-8-sig",
    "city_sensing__gateway": "utf-8",
}


@pytest.mark.parametrize("feed_id", CSV_FEEDS)
def test_csv_headers_are_the_contracts_columns(district: District, catalog: Catalog, feed_id: str) -> None:
    feed = catalog.feed(feed_id)
    wanted = {n for f in feed.fields.values() for n in (*f.from_[:1], *([f.x, f.y] if f.x else []))}
    for path in district.drop.glob(feed.source.path):
        header = district.rows(str(path.relative_to(district.drop)), CSV_FEEDS[feed_id])[0]
        assert wanted <= {*header, None}
        assert len(set(header)) == len(header)


@pytest.mark.parametrize("feed_id", [f for f, e in CSV_FEEDS.items() if e == "utf-8-sig"])
def test_byte_order_marks(district: District, catalog: Catalog, feed_id: str) -> None:
    for path in district.drop.glob(catalog.feed(feed_id).source.path):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_gb18030_is_not_utf8(district: District) -> None:
    data = (district.drop / "public_security/household/household_20260629.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        data.decode("utf-8")


def test_rows_of_the_ledger_point_at_the_faulty_record(district: District) -> None:
    path = "public_security/household/household_20260629.csv"
    rows = district.rows(path, "gb18030")[1:]
    found = {r["fault"]: rows[int(r["row"]) - 1] for r in district.table("faults.csv") if r["file"] == path}
    assert found["wrong_code"][2] == "M"
    assert found["future_birth"][4] == "2099-01-01"
    assert found["missing_required"][1] == ""
    assert len(found["ragged_long"]) == 14
    assert len(found["ragged_short"]) == 11


def test_unescaped_commas_widen_a_row_of_penalties(district: District) -> None:
    entries = [r for r in district.table("faults.csv") if r["fault"] == "unescaped_comma"]
    assert entries
    for entry in entries:
        assert len(district.rows(entry["file"], "gb18030")[int(entry["row"])]) > 15


def test_floating_population_is_an_office_workbook(district: District) -> None:
    from openpyxl import load_workbook

    path = next((district.drop / "public_security/floating_population").glob("*.xlsx"))
    sheet = load_workbook(path)["登记表"]
    merged = [str(r) for r in sheet.merged_cells.ranges]
    assert "A1:K1" in merged
    assert sheet["A1"].value.startswith("西城区")
    assert "盖章" in sheet["A2"].value
    assert [c.value for c in sheet[3]][:4] == ["街道", "社区", "姓名", "证件号码"]
    down = [r for r in sheet.merged_cells.ranges if r.min_col == r.max_col == 1 and r.min_row > 3]
    assert len(down) >= 10
    assert sheet.cell(sheet.max_row, 1).value.startswith("合计")
    totals = district.summary.feeds["public_security__floating_population"]
    assert sheet.max_row == 3 + totals.rows


def test_workbooks_carry_no_time_of_writing(district: District) -> None:
    for path in district.drop.rglob("*.xlsx"):
        with zipfile.ZipFile(path) as z:
            assert {i.date_time[0] for i in z.infolist()} == {1980}
            assert b"2026-06-30T09:00:00Z" in z.read("docProps/core.xml")


def test_indicators_are_wide_and_anchored(district: District) -> None:
    from openpyxl import load_workbook

    sheet = load_workbook(district.drop / "statistics/indicators/indicators_2025.xlsx").active
    rows = list(sheet.iter_rows(values_only=True))
    header = list(rows[1])
    assert header[:3] == ["指标", "单位", "2016年"]
    assert header[-1] == "2025年"
    assert rows[-1][0].startswith("注：")
    gdp = next(r for r in rows if r[0] == "地区生产总值")
    assert gdp[header.index("2019年")] == 5007.3
    assert gdp[header.index("2021年")] == 5408.1


def test_cpi_document(district: District) -> None:
    document = json.loads((district.drop / "statistics/cpi/cpi_202606.json").read_text(encoding="utf-8"))
    records = document["result"]["data"]
    assert set(records[0]) == {"report_month", "cpi_national_yoy100", "cpi_city_yoy100", "cpi_rural_yoy100"}
    assert len(records) > 100


def test_streets_come_as_geojson_and_old_shapefile(district: District, catalog: Catalog) -> None:
    import pyogrio
    import shapely

    folder = district.drop / "planning/divisions"
    geo = json.loads((folder / "xicheng_streets.geojson").read_text(encoding="utf-8"))
    names = {f["properties"]["adcode"]: f["properties"]["name"] for f in geo["features"]}
    assert names == {c.code: c.name for c in catalog.code_list("streets").values}
    with zipfile.ZipFile(folder / "xicheng_streets_shp.zip") as z:
        parts = {n.rsplit(".")[-1] for n in z.namelist()}
        assert parts == {"shp", "shx", "dbf", "prj"}
    place = f"/vsizip/{folder / 'xicheng_streets_shp.zip'}/xicheng_streets.shp"
    meta, table = pyogrio.read_arrow(place, encoding="gb18030")
    assert list(meta["fields"]) == ["街道名称", "街道代码", "面积公顷"]
    assert dict(zip(table["街道代码"].to_pylist(), table["街道名称"].to_pylist(), strict=True)) == names
    shapes = {f["properties"]["adcode"]: shapely.geometry.shape(f["geometry"]) for f in geo["features"]}
    old = dict(zip(table["街道代码"].to_pylist(), shapely.from_wkb(table["wkb_geometry"].to_pylist()), strict=True))
    for code, shape in shapes.items():
        assert shape.is_valid
        assert shape.exterior.is_ccw
        assert (
            shape.equals_exact(shapely.orient_polygons(old[code]), 1e-9)
            or shape.symmetric_difference(old[code]).area < 1e-12
        )
    assert 40e2 < sum(table["面积公顷"].to_pylist()) < 60e2


def test_streets_do_not_overlap(district: District) -> None:
    import shapely

    geo = json.loads((district.drop / "planning/divisions/xicheng_streets.geojson").read_text(encoding="utf-8"))
    shapes = [shapely.geometry.shape(f["geometry"]) for f in geo["features"]]
    union = shapely.union_all(shapes)
    assert abs(sum(s.area for s in shapes) - union.area) < 1e-8
    assert union.geom_type == "Polygon"


def test_address_points_are_gcj02_inside_their_street(district: District) -> None:
    import shapely

    geo = json.loads((district.drop / "planning/divisions/xicheng_streets.geojson").read_text(encoding="utf-8"))
    shapes = {f["properties"]["name"]: shapely.geometry.shape(f["geometry"]) for f in geo["features"]}
    path = "planning/address_points/address_points_20260629.csv"
    bad = district.faulty(path)
    rows = [r for i, r in enumerate(district.rows(path, "utf-8-sig")[1:], start=1) if i not in bad]
    inside = 0
    for r in rows:
        lon, lat = float(r[6]), float(r[7])
        shift_lon, shift_lat = (float(b) - a for a, b in zip((lon, lat), to_gcj02(lon, lat), strict=True))  # type: ignore[arg-type]
        inside += shapes[r[2]].buffer(1e-4).contains(shapely.Point(lon - shift_lon, lat - shift_lat))
    assert inside == len(rows)
    assert len({r[1] for r in rows}) == len(rows)


def test_gcj02_offset_of_the_district() -> None:
    lon, lat = to_gcj02(116.366, 39.912)  # type: ignore[arg-type]
    assert 0.0058 < lon - 116.366 < 0.0066
    assert 0.0011 < lat - 39.912 < 0.0017


def test_air_straddles_the_change_of_the_index(district: District) -> None:
    rows = []
    for path in sorted((district.drop / "ecology/air_hourly").glob("*Guanyuan*")):
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"No","year","month"')
        rows += [line.split(",") for line in text.splitlines()[1:]]
    days = {datetime(int(r[1]), int(r[2]), int(r[3])) for r in rows}
    assert min(days) < datetime(2026, 3, 1) < max(days)
    assert len(days) == 60
    fine = [int(r[5]) for r in rows if r[5].isdigit()]
    carbon = [int(r[9]) for r in rows if r[9].isdigit() and r[9] != "999999"]
    assert 10 < sum(fine) / len(fine) < 90
    assert all(c % 100 == 0 for c in carbon)
    assert 0.005 < sum(r[5] == "NA" for r in rows) / len(rows) < 0.08


def test_rain_has_a_storm(district: District) -> None:
    depth: dict[str, float] = {}
    for path in sorted((district.drop / "water/rain_gauges").glob("rain_????????.ndjson")):
        seen: set[tuple[str, str]] = set()
        for line in path.read_text(encoding="utf-8").splitlines():
            reading = json.loads(line)
            key = (reading["sensor_id"], reading["time"])
            if key in seen or not isinstance(reading["rain_mm"], float) or reading["rain_mm"] < 0:
                continue
            seen.add(key)
            day = reading["time"][:10]
            depth[day] = depth.get(day, 0) + reading["rain_mm"] / 15
    assert 40 < depth["2026-06-23"] < 250
    assert depth["2026-06-25"] == 0


def test_work_orders_have_seasons_bursts_and_open_ends(district: District) -> None:
    path = "hotline/work_orders/gd_20260629.csv"
    bad = district.faulty(path)
    rows = [r for i, r in enumerate(district.rows(path, "utf-8-sig")[1:], start=1) if i not in bad]
    heat = [r[1][5:7] for r in rows if r[9] == "供暖不热"]
    assert sum(m in ("01", "02") for m in heat) > 0.7 * len(heat)
    burst = [r for r in rows if r[9] == "道路积水" and r[4] == "广安门外街道"]
    assert sum(r[1][:10] in ("2026-06-23", "2026-06-24", "2026-06-25") for r in burst) > 0.6 * len(burst)
    assert any(not r[16] for r in rows)
    assert all(r[1] <= r[14] <= r[15] for r in rows if r[15])
    assert len({r[0] for r in rows}) == len(rows)


def test_a_fault_free_uscc_is_valid(district: District) -> None:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    for e in district.table("entities.csv"):
        values = [alphabet.index(c) for c in e["uscc"]]
        assert (sum(v * pow(3, i, 31) for i, v in enumerate(values[:17])) + values[17]) % 31 == 0
    assert len({e["uscc"] for e in district.table("entities.csv")}) == district.summary.entities


def test_word_lists_are_in_the_package(root: Path) -> None:
    assert sorted(p.name for p in (root / "demo" / "data").iterdir()) == [
        "areas.csv", "homophones.yaml", "hotline.yaml", "indicators.yaml", "lookalikes.yaml", "names.yaml",
        "organisations.yaml", "streets.yaml", "trades.yaml",
    ]  # fmt: skip
