"""`lakehouse geo`: single values and CSV files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lakehouse.cli import app

run = CliRunner().invoke


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as f:
        return list(csv.DictReader(f))


def test_a_point_is_converted_there_and_back() -> None:
    there = json.loads(
        run(app, ["geo", "convert", "116.404", "39.915", "--from", "WGS84", "--to", "BD09", "--json"]).stdout
    )
    back = run(app, ["geo", "convert", str(there["x"]), str(there["y"]), "--from", "BD09", "--to", "WGS84", "--json"])
    assert json.loads(back.stdout) == {"x": 116.404, "y": 39.915, "crs": "WGS84"}


def test_a_file_keeps_its_columns_and_gets_two(tmp_path: Path) -> None:
    source = tmp_path / "p.csv"
    source.write_bytes('名称,经纬度\n甲,"116.41024449916938,39.91640428150164"\n乙,未匹配\n'.encode("gb18030"))
    out = tmp_path / "out.csv"
    done = run(
        app, ["geo", "convert", "--file", str(source), "--x", "经纬度", "--y", "经纬度", "--out", str(out), "--json"]
    )
    assert json.loads(done.stdout)["without"] == 1
    first, second = rows(out)
    assert (first["名称"], first["x_cgcs2000"], first["y_cgcs2000"]) == ("甲", "116.404000000", "39.915000000")
    assert (second["x_cgcs2000"], second["y_cgcs2000"]) == ("", "")


def test_grid_codes_of_a_point_and_back() -> None:
    found = json.loads(run(app, ["geo", "grid", "116.3621", "39.8784", "--level", "4", "--json"]).stdout)
    assert found["beidou_code"] == "N50J47562"
    cell = json.loads(run(app, ["geo", "grid", "--code", "N50J47562", "--json"]).stdout)
    assert cell["west"] <= 116.3621 < cell["east"]


def test_a_file_is_judged(tmp_path: Path) -> None:
    area = tmp_path / "area.geojson"
    ring = [[116.32, 39.87], [116.4, 39.87], [116.4, 39.97], [116.32, 39.97], [116.32, 39.87]]
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    points = tmp_path / "p.csv"
    points.write_text("x,y\n" + "".join(f"39.{870 + i},116.3{20 + i}\n" for i in range(75)) + "0,0\n", encoding="utf-8")
    done = run(app, ["geo", "detect", str(points), "--x", "x", "--y", "y", "--area", str(area), "--json"])
    found = json.loads(done.stdout)
    assert found["swapped"]
    assert found["flags"]["zero"] == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["convert", "116"], "one number"), (["convert", "1", "2", "--to", "EPSG:0"], "no such system"),
     (["convert", "--file", "none.csv", "--out", "o.csv"], "no such file"), (["grid", "--code", "850"], "no code")],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(arguments: list[str], reason: str) -> None:
    from catalog.errors import InputError

    done = run(app, ["geo", *arguments])
    assert isinstance(done.exception, InputError), reason
