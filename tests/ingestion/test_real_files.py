"""The real files load through the repository's own contracts, counted against data/MANIFEST.md to the last row."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.load import ingest
from ingestion.results import LoadResult
from tests.delta_rows import rows_of

FILES = {
    "ecology__air_hourly": "air/PRSA_Data_Guanyuan_20130301-20170228.csv",
    "market_supervision__enterprises": "legal/beijing_enterprises_reg1980_1998.csv",
    "hotline__messages": "hotline/messages_with_reply_train.csv",
    "tax__arrears": "opendata_bj/企业欠税公告信息.csv",
    "market_supervision__listed_companies": "opendata_bj/市市场监督管理局-上市公司名录.csv",
    "market_supervision__penalties": "opendata_bj/法人行政处罚信息.csv",
}


def records(shared_data: Path, name: str) -> int:
    """Records of a file by the manifest, which counts the header."""
    text = (shared_data / "MANIFEST.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {re.escape(name)} \| [\d,]+ \| (\d+) \|", text, re.MULTILINE)
    assert row, name
    return int(row.group(1)) - 1


def load(settings: Settings, catalog: Catalog, feed: str, path: Path) -> LoadResult:
    (result,) = ingest(settings, catalog, feed, file=path)
    assert result.rows_found == result.rows_loaded + result.rows_quarantined + result.rows_skipped
    return result


@pytest.mark.slow
@pytest.mark.parametrize("feed", FILES)
def test_every_record_is_accounted_for(settings: Settings, catalog: Catalog, shared_data: Path, feed: str) -> None:
    result = load(settings, catalog, feed, shared_data / FILES[feed])
    assert result.rows_found == records(shared_data, FILES[feed])
    assert result.rows_loaded >= 0.99 * result.rows_found
    assert load(settings, catalog, feed, shared_data / FILES[feed]).verdict == "duplicate"


@pytest.mark.slow
def test_street_polygons_from_geojson_then_shapefile(settings: Settings, catalog: Catalog, shared_data: Path) -> None:
    import shapely

    for name in ("xicheng_15_streets_osm_wgs84.geojson", "xicheng_streets_gbkdbf_cgcs2000_shp.zip"):
        result = load(settings, catalog, "planning__divisions", shared_data / "geo" / name)
        assert (result.rows_found, result.rows_loaded) == (15, 15)
    table = rows_of(settings.feed_path("planning__divisions"))
    shapes = shapely.from_wkb(table["geom_cgcs2000"].to_pylist())
    assert len(shapes) == 15
    assert shapely.is_valid(shapes).all()
    assert all(a > 0 for a in table["area_ha"].to_pylist())


@pytest.mark.slow
def test_air_values_are_what_the_file_says(settings: Settings, catalog: Catalog, shared_data: Path) -> None:
    import duckdb
    from deltalake import DeltaTable

    path = shared_data / FILES["ecology__air_hourly"]
    load(settings, catalog, "ecology__air_hourly", path)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'Asia/Shanghai'")
        files = [f.removeprefix("file://") for f in DeltaTable(settings.feed_path("ecology__air_hourly")).file_uris()]
        ours = con.execute(
            "SELECT count(*), sum(pm25_ugm3), sum(co_mgm3), count(*) FILTER (WHERE pm25_ugm3 IS NULL), "
            "min(observed_at)::varchar, max(observed_at)::varchar FROM read_parquet($1)", [files]
        ).fetchone()  # fmt: skip
        theirs = con.execute(
            'SELECT count(*), sum(try_cast("PM2.5" AS double)), sum(try_cast("CO" AS double)) / 1000, '
            "count(*) FILTER (WHERE \"PM2.5\" = 'NA') FROM read_csv($1, all_varchar = true)", [str(path)]
        ).fetchone()  # fmt: skip
    assert ours
    assert theirs
    assert ours[:2] == theirs[:2]
    assert ours[2] == pytest.approx(theirs[2])
    assert ours[3] == theirs[3]
    assert ours[4:] == ("2013-03-01 00:00:00+08", "2017-02-28 23:00:00+08")


@pytest.mark.slow
def test_capitals_in_all_their_forms(settings: Settings, catalog: Catalog, shared_data: Path) -> None:

    load(settings, catalog, "market_supervision__enterprises", shared_data / FILES["market_supervision__enterprises"])
    table = rows_of(
        settings.feed_path("market_supervision__enterprises"),
        ["registered_capital_text", "registered_capital_10k", "registered_capital_currency"],
    )
    texts, amounts, currencies = (table[i].to_pylist() for i in range(3))
    assert sum(t is None for t in texts) == sum(a is None for a in amounts) == sum(c is None for c in currencies)
    by_currency = Counter(currencies)
    assert by_currency["CNY"] > 20_000
    assert by_currency["USD"] > 800
    assert by_currency["DEM"] == 6
    assert dict(zip(texts, map(str, amounts), strict=True))["10,664,248.9900(万元人民币)"] == "10664248.990000"


@pytest.mark.slow
def test_the_gate_runs_and_its_results_are_kept(
    settings: Settings, catalog: Catalog, shared_data: Path, real_gate: None
) -> None:
    import pyarrow as pa
    from deltalake import DeltaTable

    result = load(settings, catalog, "tax__arrears", shared_data / FILES["tax__arrears"])
    assert result.verdict in ("passed", "warned")
    table: pa.Table = rows_of(settings.platform_path("validations"))
    assert set(table["receipt"].to_pylist()) == {result.receipt}
    assert "row_count_change" in table["code"].to_pylist()
    half = (shared_data / FILES["tax__arrears"]).read_bytes().splitlines(keepends=True)[:100]
    smaller = settings.home / "half.csv"
    smaller.write_bytes(b"".join(half))
    stopped = load(settings, catalog, "tax__arrears", smaller)
    assert (stopped.verdict, stopped.rows_loaded, stopped.rows_skipped) == ("stopped", 0, stopped.rows_found)
    assert "row_count_change" in stopped.message
    assert DeltaTable(settings.feed_path("tax__arrears")).count() == result.rows_loaded
