"""Values of grade 3 and 4 come out of SQL masked, in clear only under a grant and a signature."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.errors import ContractError
from catalog.grants import load_grants
from catalog.registry import Catalog, load_catalog
from catalog.settings import Settings
from warehouse.access import AccessDenied, Principal
from warehouse.approvals import ApprovalRefused, public_key
from warehouse.grants import ClearRequest, check_grants
from warehouse.masking import column_views, highest_grade
from warehouse.query import run_sql
from warehouse.tables import TableRef

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PHRASE = "reader walks along the moat"
PURPOSE = "核对户籍登记差错"
HOME = "b2" * 32
PERSON = "p" + "0" * 15
KEY = "ab" * 32
GRANT = f"""
principal: reader
tables:
  feed.public_security__household: [person_name, birth_date]
purpose: {PURPOSE}
legal_basis: 《中华人民共和国户口登记条例》
valid_from: 2026-01-01
valid_to: 2026-12-31
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Settings:
    """One household row, a row of its quarantine, one resident, and one reader with one grant."""
    home = tmp_path_factory.mktemp("masked")
    folder = home / "catalog"
    shutil.copytree(root / "catalog", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    people = f"reader: {{name: 甲, department: health, roles: [request], public_key: {public_key('reader', PHRASE)}}}\n"
    (folder / "dictionary" / "people.yaml").write_text(people)
    (folder / "grants").mkdir(exist_ok=True)
    (folder / "grants" / "reader.yaml").write_text(GRANT)
    made = Settings(home=home, lake=str(home / "lake"), catalog_dir=folder)
    made.make_dirs()
    row = {
        "resident_id": "11010219800101001X",
        "resident_key": KEY,
        "person_name": "欧阳某某",
        "sex_code": "1",
        "birth_date": date(1980, 5, 6),
        "household_number": "110102007000123",
        "household_key": HOME,
        "phone": "13801234567",
        "surprise": "不在契约里的列",
        "_receipt": "r1",
    }
    write_deltalake(made.feed_path("public_security__household"), pa.Table.from_pylist([row]))
    raw = {"receipt": "r1", "row_number": 2, "rules": ["a.b"], "raw": '{"姓名": "欧阳某某"}', "status": "open"}
    write_deltalake(made.quarantine_path("public_security__household"), pa.Table.from_pylist([raw]))
    resident = {
        "person_key": PERSON,
        "resident_key": KEY,
        "household_key": HOME,
        "birth_date": date(1980, 5, 6),
        "kind": "x",
    }
    write_deltalake(made.table_path("library", "population", "residents"), pa.Table.from_pylist([resident]))
    home_row = {"household_key": HOME, "head_key": PERSON, "members_count": 3}
    write_deltalake(made.table_path("library", "population", "households"), pa.Table.from_pylist([home_row]))
    load = {"feed": "f", "rows_found": 3, "file": "欧阳某某.csv", "message": "…", "error": "欧阳某某"}
    write_deltalake(made.platform_path("loads"), pa.Table.from_pylist([load]))
    return made


def one(lake: Settings, sql: str, **more: Any) -> dict[str, Any]:
    with run_sql(lake, sql, now=NOW, **more) as result:
        names = [c.name for c in result.columns]
        return dict(zip(names, result.rows()[0], strict=True))


def clear(person: str = "reader", passphrase: str = PHRASE, purpose: str = PURPOSE) -> ClearRequest:
    return ClearRequest(person, passphrase, purpose)


HOUSEHOLD = "select * from feed.public_security__household"


def test_a_feed_table_is_masked_by_its_elements(lake: Settings) -> None:
    assert one(lake, HOUSEHOLD) == {
        "resident_id": "110102********001X",
        "resident_key": KEY,
        "person_name": "欧阳**",
        "sex_code": "1",
        "birth_date": date(1980, 1, 1),
        "household_number": None,
        "household_key": HOME,
        "phone": "138****4567",
        "surprise": None,
        "_receipt": "r1",
    }


def test_predicates_meet_masked_values_only(lake: Settings) -> None:
    table = "feed.public_security__household"
    for condition in ("person_name = '欧阳某某'", "birth_date = date '1980-05-06'", "surprise is not null"):
        assert one(lake, f"select count(*) as n from {table} where {condition}") == {"n": 0}
    assert one(lake, f"select max(birth_date) as d from {table}") == {"d": date(1980, 1, 1)}


def test_the_answer_names_what_was_masked(lake: Settings) -> None:
    with run_sql(lake, "select household_key from population.residents", now=NOW) as result:
        columns = ("person_key", "birth_date")
        assert result.masked == tuple(f"population.residents.{c}" for c in columns)


def test_keys_still_join_without_being_shown(lake: Settings) -> None:
    sql = """
        select r.household_key, r.person_key, h.head_key, h.members_count
        from population.residents r join population.households h
        on r.household_key = h.household_key and r.person_key = h.head_key
    """
    found = one(lake, sql)
    assert found["members_count"] is None
    assert found["household_key"] == HOME
    assert len(found["person_key"]) == len(found["head_key"]) == 64
    assert one(lake, sql)["person_key"] != found["person_key"]


def test_what_only_looks_like_a_pseudonym_is_not_shown(lake: Settings, catalog: Catalog) -> None:
    ref = TableRef("library", "population", "residents", "")
    views = column_views(catalog, ref, [("resident_key", "VARCHAR"), ("person_key", "BIGINT")], salt="s")
    there = [
        "0a" * 16,
        "0a" * 32,
        "11010519491231002X",
        "北京市西城区月坛南街三十八号" * 2 + "某某某某",
        "0A" * 16,
        "0a" * 17,
    ]
    sql = f"SELECT {views[0].expression} FROM (SELECT unnest(?) AS resident_key)"
    assert [v for (v,) in duckdb.sql(sql, params=[there]).fetchall()] == [*there[:2], None, None, None, None]
    assert len(there[3]) == 32
    assert views[1].expression == "CAST(NULL AS BIGINT)"


def test_quarantine_and_platform_tables_keep_delivered_text_back(lake: Settings) -> None:
    found = one(lake, "select * from quarantine.public_security__household")
    assert found == {"receipt": "r1", "row_number": 2, "rules": ["a.b"], "raw": None, "status": "open"}
    assert one(lake, "select * from platform.loads") == {
        "feed": "f",
        "rows_found": 3,
        "file": None,
        "message": None,
        "error": None,
    }


def test_what_nobody_graded_is_masked(catalog: Catalog) -> None:
    columns = [("x", "BIGINT"), ("y", "VARCHAR"), ("z", "INTEGER[]")]
    for layer, schema in (("feed", "feed"), ("library", "secret"), ("extract", "extract"), ("platform", "platform")):
        ref = TableRef(layer, schema, "unknown", "")
        views = column_views(catalog, ref, columns, salt="s")
        assert [v.is_masked for v in views] == [layer != "platform", True, True]
        assert highest_grade(catalog, ref) == (3 if layer == "platform" else 4)


def test_a_grant_gives_the_columns_it_names(lake: Settings) -> None:
    found = one(lake, HOUSEHOLD, clear=clear())
    assert (found["person_name"], found["birth_date"]) == ("欧阳某某", date(1980, 5, 6))
    assert (found["resident_id"], found["phone"]) == ("110102********001X", "138****4567")
    lines = (lake.home / "audit" / "log.jsonl").read_text().splitlines()
    detail = json.loads(lines[-1])["detail"]
    assert (detail["person"], detail["purpose"], detail["grants"]) == ("reader", PURPOSE, ["reader"])
    assert detail["clear"] == [f"feed.public_security__household.{c}" for c in ("birth_date", "person_name")]
    assert len(detail["signature"]) == 128
    assert "feed.public_security__household.phone" in detail["masked"]
    assert "select" not in lines[-1]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (clear(person="stranger"), ApprovalRefused),
        (clear(passphrase="somebody else's guess"), ApprovalRefused),
        (clear(purpose="好奇"), AccessDenied),
    ],
)
def test_who_or_what_for_is_not_as_granted(lake: Settings, request_: ClearRequest, error: type[Exception]) -> None:
    with pytest.raises(error):
        one(lake, HOUSEHOLD, clear=request_)
    event = json.loads((lake.home / "audit" / "log.jsonl").read_text().splitlines()[-1])
    assert event["detail"]["allowed"] is False
    assert "好奇" not in json.dumps(event, ensure_ascii=False)


def test_every_table_of_a_statement_must_be_granted(lake: Settings) -> None:
    sql = f"select * from ({HOUSEHOLD}) a join population.residents b using (resident_key)"
    with pytest.raises(AccessDenied, match=r"population\.residents"):
        one(lake, sql, clear=clear())


def test_a_grant_ends(lake: Settings) -> None:
    with pytest.raises(AccessDenied), run_sql(lake, HOUSEHOLD, clear=clear(), now=datetime(2027, 1, 1, tzinfo=UTC)):
        pass


def test_a_stranger_is_refused_before_any_table_is_looked_for(lake: Settings) -> None:
    with pytest.raises(AccessDenied):
        one(lake, "select * from feed.nothing", principal=Principal(id="x"))


def test_nobody_reads_the_vault(lake: Settings) -> None:
    with pytest.raises(AccessDenied):
        one(lake, "select * from vault.person_identity")


BAD_GRANTS = {
    "no end": GRANT.replace("valid_to: 2026-12-31\n", ""),
    "too long": GRANT.replace("2026-12-31", "2027-12-31"),
    "ends before it begins": GRANT.replace("2026-12-31", "2025-12-31"),
    "no purpose": GRANT.replace(PURPOSE, '""'),
    "nothing granted": GRANT.replace("[person_name, birth_date]", "[]"),
    "unknown key": GRANT + "forever: true\n",
    "grade 4 as ceiling": GRANT + "max_grade: 4\n",
    "unknown table": GRANT.replace("feed.public_security__household", "feed.nothing"),
    "unknown column": GRANT.replace("birth_date", "birthday"),
    "column above its ceiling": GRANT + "max_grade: 2\n",
    "table of grade 4": GRANT.replace(
        "feed.public_security__household: [person_name, birth_date]", "population.residents: '*'"
    ),
    "vault": GRANT.replace("feed.public_security__household", "vault.person_identity"),
}


@pytest.mark.parametrize("name", BAD_GRANTS)
def test_a_wrong_grant_is_found_by_lint(name: str, lake: Settings, tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "grants").mkdir()
    (tmp_path / "grants" / "wrong.yaml").write_text(BAD_GRANTS[name])
    with pytest.raises(ContractError) as caught:
        check_grants(lake.model_copy(update={"catalog_dir": tmp_path}), catalog)
    assert "wrong" in str(caught.value)


def test_grants_of_the_house_are_right(root: Path, catalog: Catalog, settings: Settings, lake: Settings) -> None:
    assert check_grants(settings, catalog) == load_grants(root / "catalog") == {}
    assert list(check_grants(lake, load_catalog(lake.catalog_dir))) == ["reader"]
