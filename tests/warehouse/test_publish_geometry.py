"""What leaves with shapes: GeoJSON, GeoParquet and tiles say the same as the rows, and are read back."""

from __future__ import annotations

import json
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from catalog.errors import ReleaseRefused
from catalog.registry import Catalog
from catalog.settings import Settings
from tests.warehouse.publish_support import NOW, Make, make, one, read_csv
from warehouse import release_files, release_formats
from warehouse.publish import publish

pytestmark = pytest.mark.slow
__all__ = ["make"]

# Its ring runs clockwise, which RFC 7946 wants the other way round.
POLYGON = "POLYGON ((116.35 39.9, 116.35 39.92, 116.38 39.92, 116.38 39.9, 116.35 39.9))"


class TestGeometry:
    @pytest.fixture
    def divisions(self, settings: Settings, make: Make) -> Catalog:
        import shapely

        shapes = [shapely.to_wkb(shapely.from_wkt(POLYGON)), None]
        table = pa.table(
            {
                "division_code": ["110102001", "110102003"],
                "division_name": ["西长安街街道", "新街口街道"],
                "valid_from": pa.array([date(2004, 1, 1), None]),
                "geom_cgcs2000": pa.array(shapes, pa.binary()),
            }
        )
        write_deltalake(settings.table_path("library", "spatiotemporal", "divisions"), table)
        names: dict[str, Any] = {"division_code": {}, "division_name": {}, "valid_from": {"grade": 1}}
        return make(
            table="spatiotemporal.divisions",
            columns={**names, "geom_cgcs2000": {}},
            order_by=["division_code"],
            formats=["csv", "xlsx", "parquet", "geojson", "geoparquet", "pmtiles", "delta"],
        )

    def test_geojson_follows_rfc_7946(self, settings: Settings, divisions: Catalog) -> None:
        release = one(settings, divisions)
        assert release.folder is not None
        found = json.loads((release.folder / "sample.geojson").read_text())
        assert found["type"] == "FeatureCollection"
        assert "CGCS2000" in found["description"]
        first, second = found["features"]
        ring = first["geometry"]["coordinates"][0]
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
        assert area > 0, "outer rings run counter-clockwise"
        assert ring[0][0] > ring[0][1], "longitude comes first"
        assert second["geometry"] is None
        properties = {"division_code": "110102001", "division_name": "西长安街街道", "valid_from": "2004-01-01"}
        assert first["properties"] == properties

    def test_geoparquet_opens_with_its_crs(self, settings: Settings, divisions: Catalog) -> None:
        import geopandas

        release = one(settings, divisions)
        assert release.folder is not None
        frame = geopandas.read_parquet(release.folder / "sample.geo.parquet")
        assert frame.crs.to_epsg() == 4490
        assert frame.geometry.name == "geom_cgcs2000"
        meta = json.loads(pq.read_schema(release.folder / "sample.geo.parquet").metadata[b"geo"])
        column = meta["columns"]["geom_cgcs2000"]
        assert column["geometry_types"] == ["Polygon"]
        assert column["bbox"] == [116.35, 39.9, 116.38, 39.92]

    def test_tiles_hold_the_released_columns_and_equal_rows_give_equal_bytes(
        self, settings: Settings, divisions: Catalog
    ) -> None:
        import shapely

        from warehouse.vector_tiles import mercator, read_features

        first = one(settings, divisions)
        assert first.folder is not None
        (row, properties, _), *_ = found = list(read_features(first.folder / "sample.pmtiles"))
        assert {r for r, *_ in found} == {row} == {0}, "the row without a shape is not drawn"
        columns = {"division_code": "110102001", "division_name": "西长安街街道", "valid_from": "2004-01-01"}
        assert properties == columns
        whole = shapely.union_all([shape for *_, shape in found])
        assert whole.hausdorff_distance(mercator(shapely.from_wkt(POLYGON))) < 0.4  # metres of the projection
        again = publish(settings, divisions, "sample", now=NOW, version="2026-11-23.1")[0]
        assert again.folder is not None
        assert (again.folder / "sample.pmtiles").read_bytes() == (first.folder / "sample.pmtiles").read_bytes()

    def test_tiles_that_lack_a_row_are_not_released(
        self, settings: Settings, divisions: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        suffix, writer, check = release_files.FILES["pmtiles"]

        def damaged(job: release_formats.Job, path: Path) -> None:
            none = job.canonical.with_name(".none")
            job.con.execute(f"COPY (FROM {job.rows_sql} WHERE geom_cgcs2000 IS NULL) TO '{none}' (FORMAT parquet)")
            writer(release_formats.Job(job.con, job.plan, none, job.types, job.dictionary), path)
            none.unlink()

        monkeypatch.setitem(release_files.FILES, "pmtiles", (suffix, damaged, check))
        with pytest.raises(ReleaseRefused, match="read back"):
            one(settings, divisions)

    def test_geometry_is_text_in_csv_and_absent_from_xlsx(self, settings: Settings, divisions: Catalog) -> None:
        release = one(settings, divisions)
        assert release.folder is not None
        assert read_csv(release.folder / "sample.csv")[0]["geom_cgcs2000"].startswith("POLYGON ((116.35 39.9")
        heads = [c.value for c in openpyxl.load_workbook(release.folder / "sample.xlsx")["数据"][2]]
        assert heads == ["division_code", "division_name", "valid_from"]
