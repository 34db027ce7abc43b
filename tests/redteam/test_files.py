"""The canary search: everything the house wrote while it loaded, built and released, file by file."""

from __future__ import annotations

import sqlite3
import stat

import pytest

from tests.redteam import canaries
from tests.redteam.canaries import DIRECT, found_in, search
from tests.redteam.conftest import Lake

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

ARRIVED = ("lake/landing", "keys", "lake/vault")
"""Bytes as they arrived, keys, and ciphertext are no place to look."""
IDENTITIES = "platform/platform/person_identities"
"""What a believed number tells of a person, by pseudonym: the population library is built from it."""
BY_DESIGN = ("lake/feed", "lake/quarantine", "lake/library/population", f"lake/{IDENTITIES}")
"""Delta tables that hold quasi-identifiers of persons; nobody but the account of the house reads their files."""


def test_everything_under_home(lake: Lake) -> None:
    assert search(lake.settings.home, leave_out=(*ARRIVED, *BY_DESIGN)) == {}


def test_the_search_itself_finds_what_is_there(lake: Lake) -> None:
    found = search(lake.settings.home / "lake", leave_out=("landing",))
    assert any(name.startswith("library/population/residents") and name.endswith(".parquet") for name in found)


def test_direct_identifiers_in_libraries(lake: Lake) -> None:
    assert search(lake.settings.home / "lake" / "library", DIRECT) == {}


def test_direct_identifiers_in_feed_tables(lake: Lake) -> None:
    # what callers write of themselves is free text: graded 3, masked in SQL, dropped before the libraries
    found = search(lake.settings.home / "lake" / "feed", DIRECT, leave_out=("feed/hotline__work_orders",))
    assert found == {}


def test_anything_of_rejected_rows(lake: Lake) -> None:
    assert search(lake.settings.home / "lake" / "quarantine") == {}


def test_marts_and_extracts(lake: Lake) -> None:
    for layer in ("mart", "extract", "platform"):
        assert (lake.settings.home / "lake" / layer).is_dir() or layer == "extract"
        assert search(lake.settings.home / "lake" / layer, leave_out=(IDENTITIES.removeprefix("platform/"),)) == {}


def test_logs_of_tasks(lake: Lake) -> None:
    logs = [p for p in lake.settings.airflow.rglob("*") if p.is_file() and "log" in p.as_posix().lower()]
    assert logs
    assert search(lake.settings.airflow) == {}


def test_the_metadata_database_of_airflow(lake: Lake) -> None:
    databases = [p for p in lake.settings.airflow.rglob("*.db") if p.stat().st_size > 100_000]
    assert databases
    for file in databases:
        con = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        tables = [r[0] for r in con.execute("select name from sqlite_master where type = 'table'")]
        assert "xcom" in tables
        for table in tables:
            for row in con.execute(f'select * from "{table}"'):
                assert found_in(" ".join(map(str, row))) == [], table
        con.close()


def test_what_tasks_handed_on(lake: Lake) -> None:
    file = next(p for p in lake.settings.airflow.rglob("*.db") if p.stat().st_size > 100_000)
    con = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    values = [str(r) for r in con.execute("select * from xcom")]
    con.close()
    assert len(values) > 10
    assert found_in(" ".join(values)) == []


def test_what_the_run_printed(lake: Lake) -> None:
    assert len(lake.printed) > 1000
    assert found_in(lake.printed) == []


def test_data_docs(lake: Lake) -> None:
    docs = lake.settings.home / "data_docs"
    assert list(docs.rglob("*.html"))
    assert search(docs) == {}


def test_compiled_sql_manifest_and_results_of_dbt(lake: Lake) -> None:
    names = {p.name for p in lake.settings.build.rglob("*") if p.is_file()}
    assert any(n.endswith(".sql") for n in names)
    assert search(lake.settings.build) == {}


def test_the_build_database_holds_views_only(lake: Lake) -> None:
    import duckdb

    files = list(lake.settings.build.rglob("*.duckdb"))
    assert files
    for file in files:
        con = duckdb.connect(str(file), read_only=True)
        assert (
            con.execute("select count(*) from duckdb_tables() where not internal and schema_name <> 'codes'").fetchone()
            is not None
        )
        rows = con.execute("select table_name, estimated_size from duckdb_tables() where not internal").fetchall()
        con.close()
        assert all("resident" not in name and "household" not in name for name, _ in rows), rows


def test_releases_in_every_format(lake: Lake) -> None:
    kinds = {p.suffix for p in lake.settings.releases.rglob("*") if p.is_file()}
    assert {".csv", ".xlsx", ".parquet", ".json", ".md"} <= kinds
    assert search(lake.settings.releases) == {}


def test_the_audit_log(lake: Lake) -> None:
    assert search(lake.settings.home / "audit") == {}


def test_statements_in_the_audit_log(lake: Lake) -> None:
    lake.ask(f"select * from population.residents where birth_date = date '{canaries.PERSONS[0].birth}'")
    text = (lake.settings.home / "audit" / "log.jsonl").read_text(encoding="utf-8")
    assert "statement_sha256" in text
    assert found_in(text) == []
    assert "select *" not in text


def test_the_pseudonym_key_outside_its_file(lake: Lake) -> None:
    keys = [p.read_text().strip() for p in lake.settings.keys.glob("*.key") if p.stat().st_size < 200]
    assert keys
    assert search(lake.settings.home, keys, leave_out=("keys",)) == {}
    assert found_in(lake.printed, keys) == []


def test_files_others_can_read(lake: Lake) -> None:
    loose = [
        p.relative_to(lake.settings.home).as_posix()
        for p in lake.settings.home.rglob("*")
        if not p.is_symlink()
        and "drop" not in p.relative_to(lake.settings.home).parts
        and stat.S_IMODE(p.stat().st_mode) & 0o077
    ]
    assert loose == []


def test_names_of_files_and_folders(lake: Lake) -> None:
    names = "\n".join(p.relative_to(lake.settings.home).as_posix() for p in lake.settings.home.rglob("*"))
    assert found_in(names) == []
