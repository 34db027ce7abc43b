"""The vault from arrival to erasure: what stands where, who may look, and what happens when keys or values are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import ContractError, UnknownName
from quality.data_keys import KeyErased
from quality.keys import KeyFault
from quality.pseudonym import load_key
from tests.delta_rows import rows_of
from warehouse import vault, vault_care, vault_reveal
from warehouse.access import AccessDenied, Principal
from warehouse.approvals import ApprovalRefused, public_key
from warehouse.tables import list_tables, readable_tables

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
WHO = Principal(id="local:test", kind="operator")
PASSPHRASE = "seven green lanterns hang"
CANARIES = ("王小", "110102198001")


@pytest.fixture
def house(people: Any) -> Any:
    """People with a rejected one among them."""
    people.send("\n".join([people.header, people.person(1), people.person(2), people.person(3, 性别="雌")]))
    return people


def open_all(house: Any, *columns: str, **options: Any) -> pa.Table:
    given = {"principal": WHO, "purpose": "测试核对", **options}
    return vault.open_rows(
        house.settings, house.catalog, house.feed_id, columns or ("resident_id", "person_name"), **given
    ).read_all()


def events(house: Any, name: str) -> list[dict[str, Any]]:
    lines = (house.settings.home / "audit" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [e["detail"] for e in map(json.loads, lines) if e["event"] == name]


def enrol(house: Any, roles: str = "[reveal]") -> None:
    file = house.settings.catalog_dir / "dictionary" / "people.yaml"
    key = public_key("zhang_san", PASSPHRASE)
    file.write_text(f"zhang_san: {{name: 张三, department: hotline, roles: {roles}, public_key: {key}}}\n", "utf-8")


def show(house: Any, where: dict[str, str], **options: Any) -> list[dict[str, Any]]:
    given = {"purpose": "协助核实身份", "person": "zhang_san", "passphrase": PASSPHRASE, "now": NOW, **options}
    return vault_reveal.show(house.settings, house.catalog, house.feed_id, where=where, **given)


def without(house: Any, *shown: str) -> bytes:
    """Every byte of the lake but the landed deliveries."""
    lake = Path(house.settings.lake)
    found = [p for p in lake.rglob("*") if p.is_file() and "landing" not in p.relative_to(lake).parts]
    return b"".join(p.read_bytes() for p in found)


def columns(path: str) -> list[str]:
    return [f.name for f in DeltaTable(path).schema().fields]


def test_direct_identifiers_stand_in_the_vault_only(house: Any) -> None:
    assert not {"resident_id", "person_name"} & set(columns(house.settings.feed_path("t__f")))
    assert columns(house.settings.vault_path("t__f")) == [
        "resident_key", "sealed", "_receipt", "_row_number", "_loaded_at",
    ]  # fmt: skip
    assert house.opened("resident_id, person_name, sex_code") == [
        (house.resident_id(1), "王小1", "1"),
        (house.resident_id(2), "王小2", "2"),
    ]


def test_no_clear_value_stands_in_any_file_of_the_lake(house: Any) -> None:
    held = without(house)
    for canary in CANARIES:
        assert canary.encode() not in held


def test_the_vault_is_no_readable_table(house: Any) -> None:
    assert "vault.t__f" in [t.sql_name for t in list_tables(house.settings)]
    assert "vault" not in {t.layer for t in readable_tables(house.settings)}


def test_sql_cannot_read_the_vault(house: Any) -> None:
    from warehouse.query import run_sql

    with pytest.raises(AccessDenied, match="vault"):
        run_sql(house.settings, "select * from vault.t__f")
    with run_sql(house.settings, "show tables") as shown:
        assert not [row for row in shown.rows() if "vault" in str(row)]


def test_opened_rows_have_the_types_of_the_contract_and_leave_an_event(house: Any) -> None:
    found = open_all(house, "person_name")
    assert found.schema.names == ["resident_key", "_receipt", "_row_number", "_loaded_at", "person_name"]
    assert found.schema.field("person_name").type == pa.string()
    (event,) = events(house, "vault.opened")
    assert (event["columns"], event["rows"], event["purpose"]) == (["person_name"], 2, "测试核对")
    log = (house.settings.home / "audit" / "log.jsonl").read_text(encoding="utf-8")
    assert not [c for c in CANARIES if c in log]


def test_nobody_opens_the_vault_without_a_grant_a_purpose_or_a_column_it_holds(house: Any) -> None:
    with pytest.raises(AccessDenied):
        open_all(house, principal=Principal(id="stranger"))
    with pytest.raises(vault.VaultFault, match="purpose"):
        open_all(house, purpose=" ")
    with pytest.raises(UnknownName, match="holds no 'sex_code'"):
        open_all(house, "sex_code")


def test_a_changed_value_is_told_apart_and_not_shown(house: Any) -> None:
    path = house.settings.vault_path("t__f")
    table = rows_of(path)
    changed = [v[:-1] + bytes([v[-1] ^ 1]) for v in table["sealed"].to_pylist()]
    write_deltalake(path, table.set_column(1, "sealed", pa.array(changed, pa.binary())), mode="overwrite")
    with pytest.raises(KeyFault, match="changed, or moved") as caught:
        open_all(house)
    assert not [c for c in CANARIES if c in str(caught.value)]


def test_a_value_moved_from_another_feed_does_not_open(house: Any) -> None:
    other = vault.sealer(house.settings, "other__feed", now=NOW).seal([b"{}"])
    with pytest.raises(KeyFault, match="none of t__f"):
        vault.opener(house.settings, "t__f").open(other)
    own = vault.sealer(house.settings, "t__f", now=NOW, quarantine=True).seal([b"{}"])
    with pytest.raises(KeyFault, match="changed, or moved"):
        vault.opener(house.settings, "t__f").open(own)


def test_a_lost_data_key_stops_reading_and_loading_and_is_not_replaced(house: Any) -> None:
    file = house.settings.keys / "vault" / "t__f.json"
    file.unlink()
    with pytest.raises(KeyFault, match="missing"):
        open_all(house)
    with pytest.raises(KeyFault, match="missing"):
        house.send(house.people(7), "b.csv")
    assert not file.exists()
    assert len(house.rows()) == 2


def test_a_wrong_master_key_is_told_apart(house: Any) -> None:
    (house.settings.keys / "vault.v1.key").write_text("ab" * 32)
    with pytest.raises(KeyFault, match="does not belong to this master"):
        open_all(house)
    assert [s.state for s in vault_care.status(house.settings, house.catalog, now=NOW)] == ["fault"]


def test_a_key_readable_by_others_is_refused(house: Any) -> None:
    (house.settings.keys / "vault.v1.key").chmod(0o640)
    with pytest.raises(KeyFault, match="read by others"):
        open_all(house)


def test_sm4_by_setting_beside_older_values(house: Any) -> None:
    house.settings = house.settings.model_copy(update={"vault_cipher": "sm4-gcm"})
    house.send(house.people(7), "b.csv")
    assert sorted(open_all(house)["person_name"].to_pylist()) == ["王小1", "王小2", "王小7"]
    (state,) = vault_care.status(house.settings, house.catalog, now=NOW)
    assert (state.algorithm, state.keys, state.rows, state.state) == ("sm4-gcm", 2, 3, "ok")


# --- quarantine -------------------------------------------------------------------------------------------------


def test_quarantined_values_are_sealed_shown_masked_and_replayed(build: Build, contracts: dict[str, str]) -> None:
    from ingestion.quarantine import browse, replay

    house = build(contracts["people"])
    house.send("\n".join([house.header, house.person(3, 性别="雌")]))
    assert all(r[0].startswith("sealed:") for r in house.rows("raw", "quarantine"))
    (row,) = browse(house.settings, house.catalog, "t__f")
    assert row.shown["姓名"].startswith("王*")
    house = build(contracts["people"].replace("{from: 性别}", '{from: 性别, codes: {雌: "2"}}'))
    assert replay(house.settings, house.catalog, "t__f", now=NOW).rows_loaded == 1
    assert house.opened("person_name, resident_id") == [("王小3", house.resident_id(3))]


def test_quarantine_without_its_key_says_so(house: Any) -> None:
    from ingestion.quarantine import browse, replay

    (house.settings.keys / "vault" / "t__f.json").unlink()
    for act in (browse, replay):
        with pytest.raises(KeyFault, match="missing"):
            act(house.settings, house.catalog, "t__f")


def test_a_stopped_batch_keeps_nothing_readable(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion import load

    monkeypatch.setattr(load, "_gate", lambda *_: ("stopped", "测试", None))
    people.send("\n".join([people.header, people.person(1), people.person(3, 性别="雌")]))
    assert not list(Path(people.settings.lake, "vault").rglob("*.parquet"))
    held = without(people)
    assert not [c for c in CANARIES if c.encode() in held]


def test_grade_one_feeds_stay_readable_in_quarantine_and_need_no_key(readings: Any) -> None:
    readings.send("编号,雨量\nA,坏\n")
    assert readings.rows("raw", "quarantine")[0][0].startswith("{")
    assert not (readings.settings.keys / "vault").exists()


# --- showing ----------------------------------------------------------------------------------------------------


def test_an_enrolled_person_sees_one_record_and_the_log_says_so(house: Any) -> None:
    enrol(house)
    (row,) = show(house, {"resident_id": house.resident_id(1)})
    assert (row["person_name"], row["resident_id"]) == ("王小1", house.resident_id(1))
    assert show(house, {"resident_key": row["resident_key"]}) == [row]
    assert show(house, {"resident_id": house.resident_id(9)}) == []
    event = events(house, "vault.revealed")[0]
    assert (event["person"], event["rows"], event["key_columns"]) == ("zhang_san", 1, ["resident_id"])
    log = (house.settings.home / "audit" / "log.jsonl").read_text(encoding="utf-8")
    assert not [c for c in CANARIES if c in log]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"purpose": " "}, vault.VaultFault),
        ({"person": "li_si"}, ApprovalRefused),
        ({"person": ""}, ApprovalRefused),
        ({"passphrase": "eight green lanterns hang"}, ApprovalRefused),
        ({"where": {"person_name": "王小1"}}, UnknownName),
        ({"where": {}}, UnknownName),
    ],
)
def test_a_look_is_refused_and_the_refusal_kept(house: Any, change: dict[str, Any], error: type[Exception]) -> None:
    enrol(house)
    where = change.pop("where", {"resident_id": house.resident_id(1)})
    with pytest.raises(error) as caught:
        show(house, where, **change)
    assert not [c for c in CANARIES if c in str(caught.value)]
    assert len(events(house, "vault.refused")) == 1
    assert events(house, "vault.revealed") == []


def test_who_may_only_approve_may_not_look(house: Any) -> None:
    enrol(house, "[approve]")
    with pytest.raises(ApprovalRefused, match="may not look into the vault"):
        show(house, {"resident_id": house.resident_id(1)})


# --- rotation and erasure ---------------------------------------------------------------------------------------


def test_after_a_rotation_old_and_new_values_open(house: Any) -> None:
    (before,) = vault_care.status(house.settings, house.catalog, now=NOW)
    (after,) = vault_care.rotate(house.settings, house.catalog, "t__f", now=NOW)
    assert (after.keys, after.age_days) == (2, 0)
    assert after.key_id != before.key_id
    house.send(house.people(7), "b.csv")
    assert sorted(open_all(house)["person_name"].to_pylist()) == ["王小1", "王小2", "王小7"]
    assert len(events(house, "key.rotated")) == 1


def test_reencryption_leaves_one_key_and_no_old_file(house: Any) -> None:
    from ingestion.quarantine import browse

    vault_file = {p.name for p in Path(house.settings.vault_path("t__f")).glob("*.parquet")}
    (state,) = vault_care.rotate(house.settings, house.catalog, now=NOW, reencrypt=True)
    assert (state.keys, state.rows) == (1, 2)
    assert not vault_file & {p.name for p in Path(house.settings.vault_path("t__f")).glob("*.parquet")}
    assert sorted(open_all(house)["person_name"].to_pylist()) == ["王小1", "王小2"]
    assert len(browse(house.settings, house.catalog, "t__f")) == 1
    house.send(house.people(1, 7), "b.csv")
    assert len(open_all(house)) == 3


def test_a_new_master_wraps_all_and_the_old_one_is_needed_no_more(house: Any) -> None:
    (state,) = vault_care.rotate(house.settings, house.catalog, now=NOW, master=True)
    assert (state.master, state.keys) == ("vault.v2", 1)
    (house.settings.keys / "vault.v1.key").unlink()
    assert len(open_all(house)) == 2


def test_erased_values_say_erased_and_new_ones_open(house: Any) -> None:
    from ingestion.quarantine import browse, replay

    state = vault_care.erase(house.settings, house.catalog, "t__f", now=NOW)
    assert (state.state, state.keys, state.rows) == ("erased", 0, 2)
    with pytest.raises(KeyErased, match="erased on 2026-11-22"):
        open_all(house)
    assert browse(house.settings, house.catalog, "t__f")[0].shown == {}
    assert replay(house.settings, house.catalog, "t__f", now=NOW).rows_found == 0
    assert len(house.rows()) == 2
    house.send(house.people(1, 2), "b.csv")
    assert sorted(open_all(house)["person_name"].to_pylist()) == ["王小1", "王小2"]
    assert len(events(house, "vault.erased")) == 1
    with pytest.raises(UnknownName, match="has no data key"):
        vault_care.erase(house.settings, house.catalog, "x__y", now=NOW)


# --- lakes of before --------------------------------------------------------------------------------------------


def clear_lake(house: Any) -> None:
    """Make the feed table what it was before there was a vault."""
    path = house.settings.feed_path("t__f")
    names = {r["resident_key"]: r for r in open_all(house).to_pylist()}
    table = rows_of(path)
    for name in ("resident_id", "person_name"):
        values = [names[k][name] for k in table["resident_key"].to_pylist()]
        table = table.append_column(name, pa.array(values, pa.string()))
    write_deltalake(path, table, mode="overwrite", schema_mode="overwrite")
    DeltaTable(house.settings.vault_path("t__f")).delete()


def test_a_lake_of_before_is_refused_then_migrated(house: Any) -> None:
    clear_lake(house)
    with pytest.raises(vault.VaultFault, match="in clear: resident_id, person_name") as caught:
        house.send(house.people(7), "b.csv")
    assert "lakehouse vault migrate" in caught.value.hint
    assert [s.state for s in vault_care.status(house.settings, house.catalog, now=NOW)] == ["clear"]
    (state,) = vault_care.migrate(house.settings, house.catalog, now=NOW)
    assert (state.state, state.rows) == ("ok", 2)
    held = without(house)
    assert not [c for c in CANARIES if c.encode() in held]
    assert vault_care.migrate(house.settings, house.catalog, now=NOW) == []
    assert [r.rows_loaded for r in house.ingest_all()] == [1]
    assert sorted(open_all(house)["person_name"].to_pylist()) == ["王小1", "王小2", "王小7"]


def test_an_element_that_becomes_a_direct_identifier_joins_what_is_sealed(
    build: Build, contracts: dict[str, str]
) -> None:
    """What was sealed before stays readable; the table gets the pseudonym in place of the value."""
    contract = contracts["people"].replace("  sex_code:", "  household_number: {from: 户号}\n  sex_code:")
    house = build(contract)
    file = house.settings.catalog_dir / "dictionary" / "elements.yaml"
    now = file.read_text(encoding="utf-8")
    sealed = "identifier: direct, pseudonym: household_key"
    assert sealed in now
    file.write_text(now.replace(sealed, "identifier: quasi"), encoding="utf-8")
    house = build(contract)
    house.send(
        "身份证号,户号,姓名,性别,民族,出生日期,更新时间\n"
        + "".join(f"{house.resident_id(n)},HK77{n},王小{n},女,汉族,1980/01/01,2026-07-01\n" for n in (1, 2))
    )
    assert "household_number" in columns(house.settings.feed_path("t__f"))
    file.write_text(now, encoding="utf-8")
    house = build(contract)
    (state,) = vault_care.migrate(house.settings, house.catalog, now=NOW)
    assert (state.state, state.rows) == ("ok", 2)
    key = load_key(house.settings.keys, create=False)
    assert house.rows("resident_key, household_key") == sorted(
        (key.resident_key(house.resident_id(n)), key.pseudonym(f"HK77{n}")) for n in (1, 2)
    )
    opened = open_all(house, "person_name", "household_number").select(["person_name", "household_number"])
    assert sorted(map(tuple, (r.values() for r in opened.to_pylist()))) == [("王小1", "HK771"), ("王小2", "HK772")]
    assert b"HK771" not in without(house)


# --- contracts --------------------------------------------------------------------------------------------------


def test_a_key_that_is_a_direct_identifier_needs_a_pseudonym(build: Build, contracts: dict[str, str]) -> None:
    with pytest.raises(ContractError, match="direct identifier without a pseudonym") as caught:
        build(contracts["people"].replace("key: [resident_id]", "key: [person_name]"))
    assert "pseudonym: person_name_key" in caught.value.hint


@pytest.mark.parametrize("change", ["newest_by: person_name", "partition_by: [person_name]"])
def test_a_direct_identifier_cannot_order_or_partition(build: Build, contracts: dict[str, str], change: str) -> None:
    with pytest.raises(ContractError, match="no column of the feed table"):
        build(contracts["people"].replace("newest_by: updated_at", change))


@pytest.mark.parametrize(
    ("number", "uscc", "org_code"),
    [
        ("91110102101379136C", "91110102101379136C", None),
        ("110106101379136", None, "101379136"),
        ("11010219800101001X", None, None),
        ("110102800101001", None, None),
        ("看不懂", None, None),
    ],
)
def test_of_a_taxpayer_number_only_an_organisations_code_stays(
    build: Build, contracts: dict[str, str], number: str, uscc: str | None, org_code: str | None
) -> None:
    contract = contracts["head"] + (
        "format: {type: csv}\nload: {mode: snapshot}\nfields:\n  taxpayer_number: {from: 号}\n  remark: {from: 注}\n"
        "  uscc: {from: 号, parse: uscc_of_taxpayer, derived: true}\n"
        "  org_code: {from: 号, parse: org_code_of_taxpayer, derived: true}\n"
    )
    house = build(contract)
    assert house.send(f"号,注\n{number},x\n").rows_loaded == 1
    assert house.opened("uscc, org_code, taxpayer_number") == [(uscc, org_code, number)]


@pytest.mark.slow
def test_what_a_large_stage_spills_cannot_be_read(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion import stage

    monkeypatch.setattr(stage, "MEMORY_LIMIT", "64MB")
    con, spill = stage.open_stage(people.settings, "r1")
    con.execute(
        "CREATE TABLE staged AS SELECT i, 'SECRETCANARY' || (i * 7919 % 1000003) || repeat('x', (i % 50)::INT) AS s "
        "FROM range(3000000) r(i)"
    )
    spilled = [p.read_bytes() for p in spill.iterdir()]
    assert sum(map(len, spilled)) > 1_000_000
    assert not any(b"SECRETCANARY" in data for data in spilled)
    limit = "SELECT current_setting('memory_limit')"
    before = con.execute(limit).fetchone()
    stage.make_room(con)
    assert con.execute(limit).fetchone() == before  # little has spilled
    monkeypatch.setattr(stage, "LARGE_SPILL_BYTES", 1_000_000)
    monkeypatch.setattr(stage, "LARGE_SPILL_MEMORY", "48MB")
    stage.make_room(con)
    assert con.execute(limit).fetchone() == ("45.7 MiB",)
    assert con.execute("SELECT count(*), count(DISTINCT s) > 1000000 FROM staged").fetchone() == (3_000_000, True)
    con.close()
