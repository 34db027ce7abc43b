"""The district as a whole: the same bytes every time, and a ledger that adds up."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from catalog.registry import Catalog
from demo import generate
from tests.demo.conftest import RESIDENTS, District

pytestmark = pytest.mark.slow
SOMETIMES = {"civil_affairs__deaths", "civil_affairs__marriages", "disabled_federation__certificates"}
"""On some days a small district has nothing to tell here."""


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the files of a district of seed 3."""
    folder = tmp_path_factory.mktemp("third")
    generate(folder / "drop", folder / "truth", residents=400, seed=3)
    return _digests(folder)


def test_same_arguments_give_the_same_bytes(tmp_path: Path, third: dict[str, str]) -> None:
    generate(tmp_path / "drop", tmp_path / "truth", residents=400, seed=3)
    assert _digests(tmp_path) == third


def test_another_seed_gives_other_people_in_the_same_files(tmp_path: Path, third: dict[str, str]) -> None:
    generate(tmp_path / "drop", tmp_path / "truth", residents=400, seed=4)
    a, b = third, _digests(tmp_path)
    # on its last day so small a district may have nothing to tell in some register
    assert {f for f in a.keys() ^ b.keys() if "20260630" not in f} == set()
    assert a["truth/residents.csv"] != b["truth/residents.csv"]


def test_every_contract_gets_files_where_it_looks(district: District, catalog: Catalog) -> None:
    for feed_id in district.summary.feeds:
        found = sorted(district.drop.glob(catalog.feed(feed_id).source.path))
        listed = sorted(district.drop / f["file"] for f in district.table("files.csv") if f["feed"] == feed_id)
        assert found == listed, feed_id


AT_ONCE = {
    *("planning__poi", "planning__residential_compounds"),
    *("public_security__cameras", "urban_management__grid_cells"),
}
"""Surveys that are delivered whole, in one file."""


def test_upsert_and_append_feeds_come_in_several_files(district: District, catalog: Catalog) -> None:
    for feed_id, totals in district.summary.feeds.items():
        if catalog.feed(feed_id).load.mode != "snapshot" and feed_id not in SOMETIMES | AT_ONCE:
            assert totals.files >= 2, feed_id
    assert {f for f in AT_ONCE if district.summary.feeds[f].files != 1} == set(), "these need no exemption"


def test_nothing_else_is_left_in_the_drop_folder(district: District) -> None:
    listed = {f["file"] for f in district.table("files.csv")}
    assert {str(p.relative_to(district.drop)) for p in district.drop.rglob("*") if p.is_file()} == listed


def test_files_sort_in_the_order_they_were_sent(district: District) -> None:
    for feed_id in district.summary.feeds:
        files = [f["file"] for f in district.table("files.csv") if f["feed"] == feed_id]
        assert files == sorted(files), feed_id


def test_the_ledger_adds_up(district: District) -> None:
    faults = Counter((r["file"], r["expected"]) for r in district.table("faults.csv"))
    for f in district.table("files.csv"):
        assert int(f["rows"]) == int(f["loaded"]) + int(f["quarantined"]) + int(f["skipped"])
        if f["copy_of"]:
            assert (district.drop / f["file"]).read_bytes() == (district.drop / f["copy_of"]).read_bytes()
            assert f["skipped"] == f["rows"]
            continue
        for outcome in ("quarantined", "skipped", "warned"):
            assert faults[f["file"], outcome] == int(f[outcome]), (f["file"], outcome)


def test_summary_is_written_as_returned(district: District) -> None:
    written = json.loads((district.truth / "summary.json").read_text(encoding="utf-8"))
    assert written == district.summary.model_dump(mode="json", exclude={"out", "truth"})
    assert written["faults"] == len(district.table("faults.csv"))


def test_default_rate_breaks_about_one_record_in_fifty(district: District) -> None:
    household = district.summary.feeds["public_security__household"]
    share = (household.expected_quarantined + household.expected_warned) / household.rows
    assert 0.01 < share < 0.03


def test_no_faults_on_request(tmp_path: Path) -> None:
    summary = generate(tmp_path / "drop", tmp_path / "truth", residents=300, faults=0)
    assert all(t.expected_quarantined == 0 for t in summary.feeds.values())
    assert {r["fault"] for r in _faults(tmp_path)} == {"resent_record", "footer"}


def _faults(folder: Path) -> list[dict[str, str]]:
    import csv

    with (folder / "truth" / "faults.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def test_every_kind_of_fault_comes_up_in_a_full_demo(district: District) -> None:
    kinds = {r["fault"] for r in district.table("faults.csv")}
    assert kinds >= {
        "bad_checksum_id", "wrong_code", "impossible_date", "future_birth", "scientific_uscc", "personal_id_as_uscc",
        "ragged_long", "ragged_short", "duplicate_row", "missing_required", "phone_garbage", "outside_coordinates",
        "swapped_coordinates", "negative_rain", "pm10_below_pm25", "response_before_call", "na_token",
        "unescaped_comma", "resent_record", "number_as_text", "two_numbers_in_a_cell",
    }  # fmt: skip


def test_smallest_district_and_progress(tmp_path: Path) -> None:
    lines: list[str] = []
    summary = generate(
        tmp_path / "drop", tmp_path / "truth", residents=100, as_of=date(2026, 2, 10), on_progress=lines.append
    )
    assert summary.residents == 100
    assert len(lines) >= 15


@pytest.mark.parametrize("wrong", [{"residents": 20}, {"seed": -1}, {"faults": 0.9}])
def test_arguments_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"residents|seed"):
        generate(tmp_path / "drop", **wrong)  # type: ignore[arg-type]


def test_the_truth_knows_every_resident_once(district: District) -> None:
    people = district.table("residents.csv")
    assert len(people) == RESIDENTS
    assert len({p["resident_id"] for p in people}) == RESIDENTS
    assert [int(p["person"]) for p in people] == list(range(1, RESIDENTS + 1))


@pytest.mark.parametrize("residents", [100, 300])
def test_the_smallest_districts_have_both_kinds_of_residents(tmp_path: Path, residents: int) -> None:
    summary = generate(tmp_path / "drop", residents=residents, truth=tmp_path / "truth", as_of=date(2026, 6, 30))
    assert summary.feeds["public_security__household"].rows > residents // 2
    assert summary.feeds["public_security__floating_population"].rows > residents // 10
