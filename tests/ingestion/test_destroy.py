"""One of 200 persons is erased: nothing of that person is left in any byte, and nobody else has changed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import UnknownName
from catalog.registry import load_catalog
from ingestion import landing
from ingestion.destroy import erase_person, person_of
from ingestion.load import ingest
from ingestion.quarantine import replay
from tests.delta_rows import rows_of
from tests.ingestion.conftest import NOW, PEOPLE, House, resident_id
from warehouse import duck
from warehouse.audit_verify import verify
from warehouse.erase_person import Person, holds
from warehouse.objections import ObjectionRefused
from warehouse.row_changes import change_rows, mark_rows

PHONES = """  phone: {from: 联系电话}
"""
VICTIM = 7
NAME, PHONE = "欧阳销毁", "13800009876"


class Killed(BaseException):
    """The process dies here."""


def line(n: int, updated: str = "2026-07-01 08:00:00", sex: str = "") -> str:
    name, phone = (NAME, PHONE) if n == VICTIM else (f"王小{n}", f"139{n:08d}")
    return f"{resident_id(n)},{name},{sex or ('女' if n % 2 == 0 else '男')},汉族,1980/01/01,{updated},{phone}"


def people(*lines: str) -> str:
    return "身份证号,姓名,性别,民族,出生日期,更新时间,联系电话\n" + "".join(f"{x}\n" for x in lines)


@pytest.fixture
def lake(build: Callable[[str], House]) -> House:
    """200 persons, a second delivery, quarantined rows, a library with history, a release and a report."""
    house = build(PEOPLE + PHONES)
    house.send(people(*(line(n) for n in range(200))), "a.csv", encoding="gb18030")
    again = [line(n, "2026-07-02 08:00:00") for n in range(5, 10)]
    wrong = [line(n, "2026-07-03 08:00:00", sex="X") for n in (VICTIM, 50)]
    house.send(people(*again, *wrong), "b.csv", encoding="gb18030")
    rows = [{"resident_key": k, "n": n} for n, (k,) in enumerate(house.rows("resident_key"))]
    residents = house.settings.table_path("library", "population", "residents")
    for _ in range(2):
        write_deltalake(residents, pa.Table.from_pylist(rows), mode="overwrite")
    victim = key_of(house)
    members = house.settings.table_path("library", "population", "memberships")
    write_deltalake(members, pa.table({"person_key": [str(r["resident_key"]) for r in rows]}))
    with duck.connect() as con:  # the person's row is marked as deleted, and stays in a file of the present version
        marked = mark_rows(con, DeltaTable(members), f"person_key = '{victim}'")
        assert marked is not None
        change_rows(marked, None, note={})
    homes = [{"household_key": "h1", "head_key": victim, "note": f"户主 {resident_id(VICTIM)}"},
             {"household_key": "h2", "head_key": key_of(house, 1), "note": "无"}]  # fmt: skip
    write_deltalake(house.settings.table_path("library", "population", "households"), pa.Table.from_pylist(homes))
    write_deltalake(house.settings.table_path("mart", "hotline", "topics"), pa.table({"topic": ["噪声"]}))
    released = house.settings.releases / "people" / "1"
    released.mkdir(parents=True)
    (released / "people.csv").write_text(f"key\n{victim}\n", encoding="utf-8")
    (released / "other.csv").write_text("key\n1\n", encoding="utf-8")
    docs = house.settings.home / "data_docs"
    docs.mkdir()
    (docs / "x.html").write_text(f"<p>{resident_id(VICTIM)}</p>", encoding="utf-8")
    return house


def key_of(house: House, n: int = VICTIM) -> str:
    return person_of(house.settings, house.catalog, resident_id=resident_id(n)).key


def erase(house: House, **options: object) -> dict[str, object]:
    person = person_of(house.settings, house.catalog, resident_id=resident_id(VICTIM))
    given = {"reason": "本人申请", "by": "li.ming", "now": NOW, **options}
    return erase_person(house.settings, house.catalog, person, **given)  # type: ignore[arg-type]


def traces(house: House, key: str) -> list[Path]:
    """Files that hold the ID, 15 digits of it, the pseudonym, the name or the phone, in any encoding or page."""
    number = resident_id(VICTIM)
    person = Person(key, (number, NAME, PHONE))
    return [p for p in house.settings.home.rglob("*") if p.is_file() and "keys" not in p.parts and holds(p, person)]


def everyone_else(house: House) -> list[tuple[Any, ...]]:
    return house.opened("* EXCLUDE (_loaded_at)", where=f"resident_key <> '{key_of(house)}'")


def check_erased(house: House, certificate: dict[str, object], key: str, others: list[tuple[Any, ...]]) -> None:
    assert certificate["verified"] is True
    assert traces(house, key) == []
    assert everyone_else(house) == others
    assert len(others) == 199
    tables = {t["table"]: t for t in certificate["tables"]}  # type: ignore[attr-defined]
    assert tables["feed.t__f"]["rows_removed"] == 1
    assert tables["vault.t__f"]["rows_removed"] == 1
    assert tables["quarantine.t__f"]["rows_removed"] == 1
    assert tables["population.residents"]["rows_removed"] == 1
    assert (tables["population.households"]["rows_removed"], tables["population.households"]["cells_blanked"]) == (0, 2)
    assert tables["population.memberships"]["rows_removed"] == 0
    assert "hotline.topics" not in tables
    assert sum(t["rows_removed"] for t in tables.values()) == certificate["rows_removed"] == 4


@pytest.mark.slow
def test_nothing_of_the_person_is_left_and_nobody_else_changed(lake: House) -> None:
    key, others = key_of(lake), everyone_else(lake)
    assert len(traces(lake, key)) > 8
    certificate = erase(lake)
    check_erased(lake, certificate, key, others)
    folder = Path(str(certificate["folder"]))
    assert "未发现残留" in (folder / "certificate.html").read_text(encoding="utf-8")
    faults, _ = verify(lake.settings.home / "audit", None)
    assert faults == []
    log = (lake.settings.home / "audit" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    last = [e for e in map(json.loads, log) if e["event"] == "person.erased"][-1]
    assert last["detail"]["certificate_sha256"] == certificate["certificate_sha256"]
    assert (lake.settings.releases / "people" / "1" / "people.csv.withdrawn.json").exists()
    assert (lake.settings.releases / "people" / "1" / "other.csv").exists()
    assert lake.platform("erasures", "subject, rows_removed, verified") == [(certificate["subject"], 4, True)]


@pytest.mark.slow
def test_neither_replay_nor_the_same_file_nor_a_rebuild_from_landing_brings_the_person_back(lake: House) -> None:
    key, others = key_of(lake), everyone_else(lake)
    erase(lake)
    assert replay(lake.settings, lake.catalog, lake.feed_id, now=NOW).rows_found == 1
    same = people(*(line(n) for n in range(200)))
    assert lake.send(same, "a.csv", encoding="gb18030").verdict == "duplicate"
    assert traces(lake, key) == []
    first, *_ = landing.receipts_of(lake.settings, lake.feed_id)
    (note,) = first.redactions
    assert (note["records"], note["sha256"] != first.sha256) == (1, True)
    copy = lake.settings.home / "rebuilt.csv"
    copy.write_bytes(landing.landed_file(lake.settings, first).read_bytes())
    result = lake.ingest(file=copy)
    assert (result.rows_found, result.rows_quarantined) == (200, 0)
    assert result.skipped["blank"] == 1
    assert [row[0] for row in everyone_else(lake)] == [row[0] for row in others]
    assert lake.rows("count(*)") == [(199,)]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["destroy.landed", "destroy.table", "destroy.files", "destroy.verified"])
def test_a_run_killed_anywhere_is_finished_by_the_next(lake: House, step: str) -> None:
    key, others = key_of(lake), everyone_else(lake)

    def die(name: str) -> None:
        if name == step:
            raise Killed

    with pytest.raises(Killed):
        erase(lake, checkpoint=die)
    check_erased(lake, erase(lake), key, others)
    assert not list((lake.settings.home / "reports" / "destroy").glob("*/progress.json"))


@pytest.mark.slow
def test_a_dry_run_changes_nothing_and_an_unknown_person_is_said_so(lake: House) -> None:
    def files() -> dict[str, bytes]:
        ours = (p for p in lake.settings.home.rglob("*") if p.is_file() and "locks" not in p.parts)
        return {str(p): p.read_bytes() for p in ours}

    before = files()
    found = erase(lake, dry_run=True)
    assert {t["table"]: t["rows_removed"] for t in found["tables"]}["feed.t__f"] == 1  # type: ignore[attr-defined]
    with pytest.raises(ObjectionRefused, match="personal value") as said:
        erase(lake, reason=f"代 {resident_id(3)} 申请", dry_run=True)
    assert resident_id(3) not in str(said.value)
    nobody = person_of(lake.settings, lake.catalog, resident_id=resident_id(1, "19990909"))
    for dry in (True, False):
        with pytest.raises(UnknownName, match="no trace"):
            erase_person(lake.settings, lake.catalog, nobody, reason="申请", by="li", now=NOW, dry_run=dry)
    assert files() == before


@pytest.mark.slow
def test_by_pseudonym_the_number_is_found_in_what_was_delivered(lake: House) -> None:
    key = key_of(lake)
    person = person_of(lake.settings, lake.catalog, resident_key=key)
    assert person.ids == (resident_id(VICTIM),)
    assert resident_id(VICTIM) not in repr(person)
    assert key not in repr(person)


@pytest.mark.slow
def test_no_old_version_of_a_table_can_be_read(lake: House) -> None:
    erase(lake)
    table = DeltaTable(lake.settings.table_path("library", "population", "residents"))
    assert rows_of(table).num_rows == 199
    with pytest.raises(Exception, match=r"(?i)version|not found|log"):
        rows_of(DeltaTable(table.table_uri, version=0))


@pytest.mark.slow
def test_rows_known_by_the_key_of_linking_go_too(lake: House) -> None:
    """The population library knows people by ``person_key``; a run killed half way still knows which it was."""
    settings, key = lake.settings, key_of(lake)
    known = [{"person_key": f"{n:032x}", "resident_key": key_of(lake, n)} for n in (VICTIM, VICTIM + 1)]
    write_deltalake(settings.platform_path("person_identities"), pa.Table.from_pylist(known))
    stated = [{"person_key": p["person_key"], "feed_id": feed} for p in known for feed in ("t__f", "t__g")]
    write_deltalake(settings.table_path("library", "population", "sources"), pa.Table.from_pylist(stated))
    heads = [{"household_key": str(i), "head_key": p["person_key"]} for i, p in enumerate(known)]
    write_deltalake(settings.table_path("library", "population", "homes"), pa.Table.from_pylist(heads))

    def die(step: str) -> None:
        if step == "destroy.files":
            raise Killed

    with pytest.raises(Killed):
        erase(lake, checkpoint=die)
    certificate = erase(lake)
    tables = {t["table"]: t for t in certificate["tables"]}  # type: ignore[attr-defined]
    assert tables["population.sources"]["rows_removed"] == 2
    assert tables["platform.person_identities"]["rows_removed"] == 1
    assert (tables["population.homes"]["rows_removed"], tables["population.homes"]["cells_blanked"]) == (0, 1)
    left = rows_of(settings.table_path("library", "population", "homes")).to_pylist()
    assert sorted(r["head_key"] or "" for r in left) == ["", known[1]["person_key"]]
    assert traces(lake, key) == []


OCCUPANTS = """
title: 测试使用人
provider: hotline
catalogue: {code: "2/99-0002", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: files, path: t/g/*}
format: {type: FORMAT}
load: {mode: upsert, key: [occupancy_number], newest_by: updated_at}
fields:
  occupancy_number: {from: 登记编号, required: true}
  resident_id: {from: 证件号码}
  person_name: {from: 使用人, required: true}
  phone: {from: 联系电话}
  updated_at: {from: 登记时间}
"""
LINKING = """
note: 测试
thresholds: {link: 4.0, review: -2.0, margin: 3.0}
max_block: 2000
max_persons_per_id: 3
max_drop_pct: 50
registers:
"""
PERSON = "{name: person_name, resident_id: resident_id, phone: phone, updated: updated_at}"


def occupants(kind: str, day: int) -> str | bytes:
    """Three records without a number: of the victim, of a namesake whose key begins alike, of a neighbour."""
    heads = ("登记编号", "证件号码", "使用人", "联系电话", "登记时间")
    lines = [(key, "", name, phone, f"2026-07-0{day} 08:00:00")
             for key, name, phone in (("7", NAME, PHONE), ("77", NAME, "13800001111"), ("9", "赵邻居", "13800002222"))]  # fmt: skip
    if kind == "csv":
        return "".join(",".join(x) + "\n" for x in (heads, *lines))
    records = [dict(zip(heads, x, strict=True)) for x in lines]
    if kind == "json":
        return json.dumps(records, ensure_ascii=False)
    if kind == "ndjson":
        return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    for x in (heads, *lines):
        book.active.append(x)
    book.save(out)
    return out.getvalue()


@pytest.mark.slow
def test_records_without_a_number_go_when_linking_knows_whose_they_are(build: Callable[[str], House]) -> None:
    """In every delivery that held them; a namesake whose record number begins alike keeps everything."""
    house, kinds = build(PEOPLE + PHONES), ("csv", "excel", "json", "ndjson")
    folder, feeds = house.settings.catalog_dir, [f"t__{k}" for k in kinds]
    for i, kind in enumerate(kinds):
        contract = OCCUPANTS.replace("FORMAT", kind).replace("t/g/*", f"t/{kind}/*").replace("0002", f"001{i}")
        (folder / "feeds" / "t" / f"{kind}.yaml").write_text(contract, encoding="utf-8")
    (folder / "linking").mkdir()
    registers = "".join(f"  {f}:\n    - {PERSON}\n" for f in feeds)
    (folder / "linking" / "persons.yaml").write_text(LINKING + registers, encoding="utf-8")
    house.catalog = load_catalog(folder)
    house.send(people(line(VICTIM), line(8)))
    for feed, kind, day in ((f, k, d) for f, k in zip(feeds, kinds, strict=True) for d in (1, 2)):
        path = house.settings.drop / "t" / kind / f"{day}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = occupants(kind, day)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        ingest(house.settings, house.catalog, feed, now=NOW)
    key, person = key_of(house), "a" * 64
    links = [{"feed": f, "record_key": "7", "role": "self", "person_key": person, "has_own_id": False} for f in feeds]
    write_deltalake(house.settings.platform_path("person_links"), pa.Table.from_pylist(links))
    known = [{"person_key": person, "resident_key": key}]
    write_deltalake(house.settings.platform_path("person_identities"), pa.Table.from_pylist(known))

    certificate = erase(house)
    assert (certificate["verified"], certificate["left"]) == (True, [])
    assert certificate["linked"] == [{"feed": f, "records": 1, "unnumbered": 1} for f in feeds]
    tables = {t["table"]: t["rows_removed"] for t in certificate["tables"]}  # type: ignore[attr-defined]
    files = [f for f in certificate["files"] if f["area"] == "landing"]  # type: ignore[attr-defined]
    assert (len(files), {f["how"] for f in files}) == (9, {"records blanked"})
    everything = (p for p in house.settings.home.rglob("*") if p.is_file() and "keys" not in p.parts)
    assert [p for p in everything if holds(p, Person(PHONE))] == []
    for feed in feeds:
        assert (tables[f"feed.{feed}"], tables[f"vault.{feed}"]) == (1, 1)
        rest = [r["occupancy_number"] for r in rows_of(house.settings.feed_path(feed)).to_pylist()]
        assert sorted(rest) == ["77", "9"]
        again = landing.landed_file(house.settings, landing.receipts_of(house.settings, feed)[0])
        (result,) = ingest(house.settings, house.catalog, feed, now=NOW, file=again)
        assert (result.rows_found, result.rows_quarantined, result.skipped["blank"]) == (3, 0, 1)
