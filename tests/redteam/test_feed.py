"""Attempts to see raw values through the commands around a delivery, and through what it makes them say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import LakehouseError
from catalog.registry import Catalog, load_catalog
from catalog.settings import Settings
from tests.redteam import canaries
from tests.redteam.canaries import EVERYBODY, PERSONS, found_in
from tests.redteam.conftest import HOUSEHOLD_HEADER, NOW, household_rows

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

FEED = "public_security__household"
WHO = PERSONS[0]
Cli = Callable[..., str]


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    """An empty lakehouse to send bad deliveries to."""
    made = Settings(home=tmp_path / "var", lake=str(tmp_path / "var" / "lake"))
    made.make_dirs()
    return made


def told(house: Settings, catalog: Catalog, content: bytes, name: str = "delivery.csv") -> str:
    """Everything a load of ``content`` says and leaves, but the landed bytes and the sealed rows; never a canary."""
    from ingestion.load import ingest
    from lakehouse.present import plain

    file = house.drop / name
    file.write_bytes(content)
    try:
        said = json.dumps(plain(ingest(house, catalog, FEED, file=file, now=NOW)), ensure_ascii=False, default=str)
    except LakehouseError as e:
        said = f"{e} {e.as_dict()}"
    assert found_in(said) == [], "the attempt succeeded"
    leave_out = ("lake/landing", "lake/feed", "lake/quarantine", "lake/vault", "drop", "keys")
    assert canaries.search(house.home, leave_out=leave_out) == {}
    return said


def delivery(*rows: list[str], header: str = HOUSEHOLD_HEADER) -> bytes:
    lines = [header, *(",".join(r) for r in rows)]
    return ("\n".join(lines) + "\n").encode("gb18030")


def ordinary() -> list[list[str]]:
    return household_rows()[len(PERSONS) :]


def of(n: int = 0) -> list[str]:
    return list(household_rows()[n])


# --- commands ----------------------------------------------------------------------------------------------------


def test_look_into_quarantine(cli: Cli) -> None:
    assert "birth_date" in cli("feed", "quarantine", FEED)


def test_look_into_quarantine_as_json(cli: Cli) -> None:
    shown = json.loads(cli("feed", "quarantine", FEED, "--json"))
    assert shown[0]["shown"]


def test_look_into_quarantine_of_the_hotline(cli: Cli) -> None:
    assert "WO2026" in cli("feed", "quarantine", "hotline__work_orders", "--json")


def test_replay_quarantine_and_read_what_it_says(cli: Cli) -> None:
    assert json.loads(cli("feed", "replay", FEED, "--json"))["rows_quarantined"] == 1


def test_show_a_contract(cli: Cli) -> None:
    cli("feed", "show", FEED, "--json")


def test_read_the_status(cli: Cli) -> None:
    assert FEED in cli("status", "--json")


def test_read_the_doctor(cli: Cli) -> None:
    cli("doctor", "--json")


def test_check_the_feeds_again(cli: Cli) -> None:
    assert FEED in cli("check", FEED, "--json")


def test_scan_a_table_for_examples(cli: Cli) -> None:
    answer = cli("grade", "scan", f"feed.{FEED}", "--json")
    assert "registered_address" in answer


def test_scan_a_file_for_examples(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("name,id,phone\n" + "\n".join(f"{c.name},{c.resident_id},{c.phone}" for c in EVERYBODY))
    assert "resident_id" in cli("grade", "scan", file, "--json")


def test_preview_a_sample_for_a_new_feed(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(root / "catalog", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setenv("LAKEHOUSE_CATALOG", str(folder))
    file = tmp_path / "sample.csv"
    header = "姓名,身份证号,手机号码,家庭住址,生日,备注"
    lines = [f"{c.name},{c.resident_id},{c.phone},{c.address},{c.birth},{c.name}住{c.address}" for c in EVERYBODY]
    file.write_text("\n".join([header, *lines * 3]) + "\n", encoding="utf-8")
    said = cli("feed", "new", file, "--department", "tax", "--yes")
    assert "姓名" in said
    assert canaries.search(folder) == {}
    load_catalog(folder)


def test_trace_an_error_to_its_cause(cli: Cli) -> None:
    cli("feed", "show", WHO.name[:2])
    cli("ingest", "no__feed", "--json")


# --- what a bad delivery makes the house say ---------------------------------------------------------------------


def test_deliver_without_a_header(house: Settings, catalog: Catalog) -> None:
    """The first person stands where the names of the columns are looked for."""
    told(house, catalog, delivery(of(1), *ordinary()[:3], header=",".join(of(0))))


def test_deliver_a_person_as_an_extra_column(house: Settings, catalog: Catalog) -> None:
    header = f"{HOUSEHOLD_HEADER},{WHO.name}{WHO.phone}"
    told(house, catalog, delivery(*([*r, "x"] for r in ordinary()[:3]), header=header))


def test_deliver_a_name_where_a_code_is_due(house: Settings, catalog: Catalog) -> None:
    row = of(0)
    row[2] = WHO.name
    told(house, catalog, delivery(row, *ordinary()))


def test_deliver_an_address_where_a_date_is_due(house: Settings, catalog: Catalog) -> None:
    row = of(0)
    row[4], row[12] = WHO.address, WHO.name
    told(house, catalog, delivery(row, *ordinary()))


def test_deliver_rows_with_too_many_cells(house: Settings, catalog: Catalog) -> None:
    told(house, catalog, delivery([*of(0), WHO.name, WHO.address], *ordinary()))


def test_deliver_an_unclosed_quote(house: Settings, catalog: Catalog) -> None:
    row = of(0)
    row[9] = f'"{WHO.address}'
    told(house, catalog, delivery(*ordinary()[:5], row, *ordinary()[5:]))


def test_deliver_bytes_of_no_encoding(house: Settings, catalog: Catalog) -> None:
    content = delivery(of(0), *ordinary())
    told(house, catalog, content[:300] + b"\xff\xfe\x80\x80" + content[300:])


def test_deliver_a_workbook_named_csv(house: Settings, catalog: Catalog) -> None:
    told(house, catalog, b"PK\x03\x04" + WHO.name.encode() + b"\x00" * 50)


def test_deliver_everybody_twice(house: Settings, catalog: Catalog) -> None:
    told(house, catalog, delivery(of(0), of(0), of(1), *ordinary()))


def test_deliver_only_bad_rows_so_that_the_batch_stops(house: Settings, catalog: Catalog) -> None:
    rows: list[list[str]] = []
    for n in range(3):
        row = of(n)
        row[4] = WHO.name
        rows.append(row)
    assert "stopped" in told(house, catalog, delivery(*rows))


def test_deliver_a_script_for_the_data_docs(house: Settings, catalog: Catalog) -> None:
    from quality.data_docs import build_docs

    row = of(0)
    row[3] = "<script>alert(1)</script>"
    told(house, catalog, delivery(row, *ordinary()))
    build_docs(house)
    pages = list((house.home / "data_docs").rglob("*.html"))
    assert pages
    assert not any("<script>alert(1)" in p.read_text(encoding="utf-8") for p in pages)


def test_die_while_rows_are_staged(house: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a crash leaves on the disk holds nobody, once the next run has begun."""
    from ingestion import load

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    file = house.drop / "delivery.csv"
    file.write_bytes(delivery(of(0), *ordinary()))
    with monkeypatch.context() as patch:
        patch.setattr(load, "_gate", die)
        with pytest.raises(KeyboardInterrupt):
            load.ingest(house, catalog, FEED, file=file, now=NOW)
    left = canaries.search(house.home, leave_out=("lake/landing", "drop", "keys", "lake/vault"))
    assert left == {}
