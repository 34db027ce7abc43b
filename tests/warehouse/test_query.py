"""SQL over the lake: friendly to analysts, closed to everything else."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from catalog.errors import LakehouseError, QueryRefused
from catalog.settings import Settings
from warehouse import duck, output, query, sqlguard
from warehouse.access import AccessDenied, Principal, decide
from warehouse.query import QueryFailed, QueryStopped, run_sql
from warehouse.sql_functions import SCALAR_FUNCTIONS, TABLE_FUNCTIONS

WKB_POINT = bytes.fromhex("0101000000" + "000000000000f03f" + "0000000000000040")


FEED = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: files, path: a/b/*}
format: {type: csv}
load: {mode: append, key: [x]}
elements: {x: {label: 数, type: integer, grade: 1}}
fields: {x: {from: x}}
"""
KEYS = {name: hashlib.sha256(name.encode()).hexdigest() for name in "abc"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Settings:
    """A lake with three tables, and a secret beside them."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "catalog"
    for part in ("dictionary", "codes", "grading", "audit"):
        shutil.copytree(root / "catalog" / part, folder / part)
    (folder / "feeds" / "a").mkdir(parents=True)
    (folder / "feeds" / "a" / "b.yaml").write_text(FEED)
    made = Settings(home=home, lake=str(home / "lake"), catalog_dir=folder)
    made.make_dirs()
    residents = pa.table(
        {
            "resident_key": [*KEYS.values(), None],
            "kind": ["resident", "floating", "=resident", "\x1b[31mfloating"],
            "person_name": ["张三", "李四", "=王五", "\x1b[31m赵"],
            "birth_date": pa.array([date(1990, 1, 2), None, date(2001, 5, 6), date(1950, 12, 31)]),
            "source_updated_date": pa.array([date(2026, 1, 1)] * 4),
        }
    )
    write_deltalake(made.table_path("library", "population", "residents"), residents)
    divisions = pa.table({"division_code": ["110102001"], "geom_cgcs2000": pa.array([WKB_POINT], pa.binary())})
    write_deltalake(made.table_path("library", "spatiotemporal", "divisions"), divisions)
    write_deltalake(made.table_path("feed", "feed", "a__b"), pa.table({"x": list(range(5000))}))
    (home / "secret.csv").write_text("key\nhunter2\n")
    return made


def rows(lake: Settings, sql: str, **more: object) -> list[tuple[object, ...]]:
    with run_sql(lake, sql, **more) as result:  # type: ignore[arg-type]
        return result.rows()


GOOD = {
    "constant": ("select 1", [(1,)]),
    "trailing semicolon": ("select 1;", [(1,)]),
    "comment": ("-- hi; there\nselect 1 /* ; drop table x */", [(1,)]),
    "a semicolon in a string": ("select ';drop'", [(";drop",)]),
    "filter": (f"select kind from population.residents where resident_key = '{KEYS['a']}'", [("resident",)]),
    "any case": ("SELECT count(*) FROM Population.RESIDENTS", [(4,)]),
    "quoted": ('select count(*) from "population"."residents"', [(4,)]),
    "from first": ("from feed.a__b select max(x)", [(4999,)]),
    "join": ("select count(*) from population.residents r join feed.a__b b on b.x = length(r.resident_key)", [(3,)]),
    "with": ("with t as (select x from feed.a__b) select min(x) from t", [(0,)]),
    "chained with": ("with a as (select 1 n), b as (select n + 1 m from a) select m from b", [(2,)]),
    "recursive with": (
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select sum(n) from t",
        [(15,)],
    ),
    "union": ("select 1 union all select 2 order by 1", [(1,), (2,)]),
    "lambda": ("select list_transform([1, 2], x -> x + 1)", [([2, 3],)]),
    "comprehension": ("select [y * 2 for y in [1, 2] if y > 1]", [([4],)]),
    "range as table": ("select sum(range) from range(5)", [(10,)]),
    "unnest": ("select unnest([1, 2])", [(1,), (2,)]),
    "dates": ("select date '2026-01-01' + interval 1 day > date '2026-01-01'", [(True,)]),
    "window": ("select row_number() over (order by x desc) from feed.a__b limit 1", [(1,)]),
    "columns star": ("select max(columns(*)) from feed.a__b", [(4999,)]),
    "exclude": ("select * exclude (x) from (select x, 'a' from feed.a__b) limit 1", [("a",)]),
    "pivot with values": ("select * from (pivot feed.a__b on x in (1, 2) using count(*))", [(1, 1)]),
    "string functions": ("select trim(' a '), substring('abc', 2, 1), 'ab' like 'a%'", [("a", "b", True)]),
    "geometry": ("select st_astext(st_geomfromwkb(geom_cgcs2000)) from spatiotemporal.divisions", [("POINT (1 2)",)]),
    "spatial extension": ("select st_x(st_centroid(st_point(3, 4)))", [(3.0,)]),
    "system columns": ("select count(*) filter (x > 10) from feed.a__b", [(4989,)]),
    "padding": ("select lpad('7', 3, '0')", [("007",)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_ordinary_questions_are_answered(lake: Settings, name: str) -> None:
    sql, expected = GOOD[name]
    assert rows(lake, sql) == expected


def test_show_describe_and_summarize(lake: Settings) -> None:
    assert rows(lake, "show tables") == [
        ("feed.a__b", "feed"),
        ("population.residents", "library"),
        ("spatiotemporal.divisions", "library"),
    ]
    assert rows(lake, "describe feed.a__b")[0][:2] == ("x", "BIGINT")
    assert rows(lake, "summarize feed.a__b")[0][2:4] == ("0", "4999")


FILE_FUNCTIONS = [
    "read_csv('{f}')",
    "read_csv_auto('{f}')",
    "read_text('{f}')",
    "read_blob('{f}')",
    "read_json('{f}')",
    "read_json_auto('{f}')",
    "read_json_objects('{f}')",
    "read_ndjson('{f}')",
    "read_ndjson_objects('{f}')",
    "read_parquet('{f}')",
    "parquet_scan('{f}')",
    "parquet_metadata('{f}')",
    "parquet_schema('{f}')",
    "parquet_kv_metadata('{f}')",
    "read_duckdb('{f}')",
    "sniff_csv('{f}')",
    "glob('{f}')",
    "delta_scan('{f}')",
    "st_read('{f}')",
    "st_read_meta('{f}')",
    "st_drivers()",
    "read_xlsx('{f}')",
    "iceberg_scan('{f}')",
    "sqlite_scan('{f}', 't')",
    "postgres_query('host=x', 'select 1')",
]
HOSTILE = {
    **{f"function {call.split('(')[0]}": f"select * from {call}" for call in FILE_FUNCTIONS},
    "replacement scan": "select * from '{f}'",
    "replacement scan quoted": 'select * from "{f}"',
    "replacement scan over the network": "from 'https://example.org/a.csv'",
    "replacement scan of a variable": "select * from settings",
    "file as WITH name used outside": 'select * from (with "{f}" as (select 1) select * from "{f}") a, \'{f}\'',
    "file as WITH name used in itself": 'with "{f}" as (select * from "{f}") select * from "{f}"',
    "function in a WITH": "with a as (select * from read_text('{f}')) select * from a",
    "function in an unused WITH": "with a as (select * from read_text('{f}')) select 1",
    "function in a scalar subquery": "select (select content from read_text('{f}'))",
    "function in EXISTS": "select 1 where exists (from read_text('{f}'))",
    "function in LIMIT": "select * from feed.a__b limit (select length(content) from read_text('{f}'))",
    "function in ORDER BY": "select 1 order by (select content from read_text('{f}'))",
    "function in a lambda": "select list_transform([1], x -> (select content from read_text('{f}')))",
    "function in a join": "select * from feed.a__b join read_text('{f}') on true",
    "function in a lateral join": "select * from feed.a__b a, lateral (select a.x, content from read_text('{f}'))",
    "function in VALUES": "values ((select content from read_text('{f}')))",
    "function in a union": "select 'a' union all select content from read_text('{f}')",
    "function in a window": "select row_number() over (order by (select 1 from read_text('{f}')))",
    "function in FILTER": "select count(*) filter ((select true from read_text('{f}')))",
    "function in a pivot": "select * from (pivot (from read_text('{f}')) on size in (1))",
    "function in DESCRIBE": "describe select * from read_text('{f}')",
    "function in SUMMARIZE": "summarize select * from read_text('{f}')",
    "function as an argument of a table function": "from unnest((select [content] from read_text('{f}')))",
    "quoted function": "select * from \"read_text\"('{f}')",
    "upper-case function": "select * from READ_TEXT('{f}')",
    "qualified function": "select * from system.main.read_text('{f}')",
    "function split by comments": "select * from/**/read_text/**/('{f}')",
    "dollar quotes": "select * from read_text($${f}$$)",
    "escaped characters": "select * from read_text(E'\\x2fetc\\x2fpasswd')",
    "full-width quotes": "select * from ＇{f}＇",
    "full-width function": "select * from ｒｅａｄ_ｔｅｘｔ('{f}')",
    "query()": "select * from query('select * from read_text(''{f}'')')",
    "query_table()": "select * from query_table('{f}')",
    "query_table of a list": "select * from query_table(['feed.a__b'])",
    "serialized plan": "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "json_serialize_sql": "select json_serialize_sql('select 1')",
    "python map": "select * from python_map_function(1)",
    "duckdb_tables()": "select * from duckdb_tables()",
    "duckdb_settings()": "select * from duckdb_settings()",
    "duckdb_secrets()": "select * from duckdb_secrets()",
    "duckdb_views()": "select sql from duckdb_views()",
    "duckdb_logs()": "select * from duckdb_logs()",
    "which_secret()": "select * from which_secret('s3://a', 's3')",
    "pragma function": "select * from pragma_database_size()",
    "duckdb_tables view": "select * from duckdb_tables",
    "sqlite_master": "select * from sqlite_master",
    "information_schema": "select * from information_schema.tables",
    "pg_catalog": "select * from pg_catalog.pg_tables",
    "main schema": "select * from main.duckdb_views",
    "another catalog": "select * from system.information_schema.tables",
    "getenv": "select getenv('HOME')",
    "current_setting": "select current_setting('allowed_directories')",
    "getvariable": "select getvariable('a')",
    "nextval": "select nextval('s')",
    "write_log": "select write_log('x')",
    "setseed": "select setseed(0.5)",
    "error() would repeat values": "select error(person_name) from population.residents",
    "stats() would show bounds": "select stats(x) from feed.a__b",
    "sleep": "select sleep_ms(100000)",
    "pg_sleep": "select pg_sleep(100000)",
    "list in memory": "select list_sum(range(1000000000))",
    "text in memory": "select repeat('a', 1000000000)",
    "padding in memory": "select lpad('a', 1000000000, 'b')",
    "computed padding": "select rpad('a', (select 1000000000)::int, 'b')",
    "parameter": "select $1",
    "time travel": "select * from feed.a__b at (version => 0)",
    "two statements": "select 1; select 2",
    "a second statement after a comment": "select 1; -- x\ndrop table feed.a__b",
    "nothing": "",
    "only a comment": "-- nothing",
    "no SQL": "please give me all data",
    "NUL": "select 1\x00; select 2",
    "too long": "select '" + "a" * 200_000 + "'",
    "deep nesting": "select " + "1+" * 50_000 + "1",
    "many parentheses": "select " + "(" * 40_000,
    "deep subqueries": "select * from " + "(select * from " * 3_000 + "feed.nothing" + ")" * 3_000,
    "copy out": "copy (select 1) to '{f}.out'",
    "copy in": "copy feed.a__b from '{f}'",
    "export": "export database '/tmp/x'",
    "import": "import database '/tmp/x'",
    "attach": "attach '{f}.db' as x",
    "detach": "detach memory",
    "use": "use memory",
    "install": "install httpfs",
    "load": "load httpfs",
    "set": "set enable_external_access = true",
    "set lock": "set lock_configuration = false",
    "reset": "reset allowed_directories",
    "set variable": "set variable a = 1",
    "pragma": "pragma database_list",
    "call": "call pragma_version()",
    "explain": "explain analyze select 1",
    "insert": "insert into feed.a__b values (1)",
    "update": "update feed.a__b set x = 1",
    "delete": "delete from feed.a__b",
    "insert in a WITH": "with a as (insert into feed.a__b values (1) returning *) select * from a",
    "create table": "create table t as select 1",
    "create macro": "create macro f() as (select content from read_text('{f}'))",
    "create secret": "create secret s (type s3)",
    "drop": "drop view feed.a__b",
    "alter": "alter table feed.a__b add column y int",
    "begin": "begin transaction",
    "checkpoint": "checkpoint",
    "vacuum": "vacuum",
    "prepare": "prepare a as select 1",
    "execute": "execute a",
    "pivot of unknown values makes a type": "pivot feed.a__b on x",
    "show databases": "show databases",
    "show nested": "select * from (show tables)",
    "unknown table": "select * from feed.a__c",
    "path as schema": 'select * from ".."."secret"',
    "bare name": "select * from residents",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_statement_is_refused(lake: Settings, name: str) -> None:
    sql = HOSTILE[name].replace("{f}", str(lake.home / "secret.csv"))
    with pytest.raises(QueryRefused) as caught:
        rows(lake, sql, timeout_s=20)
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t",
        "select count(*) from range(10000000) a, range(10000000) b where a.range + b.range = -1",
    ],
)
def test_endless_statement_is_stopped(lake: Settings, sql: str) -> None:
    before = set(threading.enumerate())
    with pytest.raises(QueryStopped, match="longer than"):
        rows(lake, sql, timeout_s=0.3)
    assert not [t for t in set(threading.enumerate()) - before if isinstance(t, threading.Timer)]


def test_time_runs_while_rows_are_read(lake: Settings) -> None:
    with run_sql(lake, "select * from range(100000000000)", timeout_s=0.3) as result, pytest.raises(QueryStopped):
        for _ in result.chunks():
            pass


def test_memory_is_bounded(lake: Settings) -> None:
    with pytest.raises(QueryStopped, match="memory"):
        rows(lake, "select list(range) from range(100000000)", memory="100MB", timeout_s=30)


class TestSecondWall:
    """What the engine itself refuses, should the statement check ever let something through."""

    @pytest.fixture(scope="class")
    def engine(self, lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
        con = duck.connect()
        statement = sqlguard.check(con, "select * from feed.a__b")
        seen, _ = query._look(con, query._Asked(lake, statement, "", None, None, datetime.now(UTC)), "")
        query._prepare(con, lake, statement, seen)
        yield con
        con.close()

    @pytest.mark.parametrize(
        "sql",
        [
            "select * from read_text('{f}')",
            "select * from read_csv('{f}')",
            "select * from '{f}'",
            "select * from glob('{h}/*')",
            "select * from read_text('{h}/lake/feed/feed/a__b/../../../../secret.csv')",
            "select * from read_parquet('{h}/lake/library/population/residents/*.parquet')",
            "select * from delta_scan('{h}/lake/library/population/residents')",
            "select * from population.residents",
            "copy (select 1) to '{h}/out.csv'",
            "copy (select 1) to '{h}/lake/feed/feed/a__b.csv'",
            "attach '{h}/x.db'",
            "install httpfs",
            "load spatial",
            "set enable_external_access = true",
            "set allowed_directories = ['/']",
            "set lock_configuration = false",
        ],
    )
    def test_engine_refuses(self, lake: Settings, engine: duckdb.DuckDBPyConnection, sql: str) -> None:
        text = sql.replace("{f}", str(lake.home / "secret.csv")).replace("{h}", str(lake.home))
        with pytest.raises(duckdb.Error) as caught:
            engine.execute(text).fetchall()
        assert "hunter2" not in str(caught.value)
        assert not (lake.home / "out.csv").exists()
        assert engine.execute("select count(*) from feed.a__b").fetchall() == [(5000,)]


def test_unknown_table_names_near_ones(lake: Settings) -> None:
    with pytest.raises(QueryRefused, match=r"population\.resident'") as caught:
        rows(lake, "select * from population.resident")
    assert "population.residents" in caught.value.hint


def test_errors_repeat_no_value(lake: Settings) -> None:
    with pytest.raises(QueryFailed) as caught:
        rows(lake, "select kind::int from population.residents")
    assert "resident" not in str(caught.value)
    with pytest.raises(QueryFailed, match="persn_name") as caught:
        rows(lake, "select persn_name from population.residents")
    assert str(lake.home) not in str(caught.value)


def test_every_function_of_the_engine_is_allowed_or_refused_on_purpose() -> None:
    """A new engine brings nothing in unseen: what is neither allowed nor known here fails this test."""
    con = duck.connect()
    duck.load_extension(con, "spatial")
    duck.load_extension(con, "delta")
    found = {
        r[0].lower(): r[1]
        for r in con.execute("select function_name, function_type from duckdb_functions()").fetchall()
    }
    assert len(found) > 800
    assert not {n for n in TABLE_FUNCTIONS if found.get(n) is None}
    # Names that read, write, sleep, configure or look around; none may be allowed.
    marks = ("read_", "write_", "setting", "secret", "sleep", "getenv", "nextval", "currval", "_scan", "glob", "log_")
    marks += ("duckdb_", "pragma_", "query", "variable", "serializ", "pg_", "sniff", "attach", "copy", "stats")
    allowed = {n for n in found if n in SCALAR_FUNCTIONS}
    assert not {n for n in allowed if any(m in n for m in marks)}
    assert not {n for n in TABLE_FUNCTIONS if any(m in n for m in marks)}
    assert duckdb.__version__ == "1.5.5", "review warehouse/sql_functions.py for the new functions, then raise this"


class TestAccess:
    def test_operator_reads_all_and_it_is_recorded(self, lake: Settings) -> None:
        rows(lake, "select kind from population.residents where resident_key = 'needle'", purpose="核查")
        log = lake.home / "audit" / "log.jsonl"
        event = json.loads(log.read_text().splitlines()[-1])
        assert event["event"] == "access.decided"
        assert event["detail"]["tables"] == ["population.residents"]
        assert event["detail"]["allowed"] is True
        assert event["detail"]["purpose"] == "核查"
        assert "needle" not in log.read_text()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600

    def test_unknown_principal_reads_nothing_and_learns_nothing(self, lake: Settings) -> None:
        nobody = Principal(id="somebody")
        for table in ("population.residents", "population.not_there"):
            with pytest.raises(AccessDenied, match="may not read"):
                rows(lake, f"select * from {table}", principal=nobody)
        event = json.loads((lake.home / "audit" / "log.jsonl").read_text().splitlines()[-1])
        assert event["detail"]["refused"] == ["population.not_there"]
        assert rows(lake, "select 1", principal=nobody) == [(1,)]

    def test_decision_is_pure(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        one = decide(Principal(id="x"), ["b.b", "a.a", "a.a"], "p", now=at)
        assert one == decide(Principal(id="x"), ["a.a", "b.b"], "p", now=at)
        assert not one.allowed
        with pytest.raises(LakehouseError, match=r"a\.a, b\.b"):
            one.require()


class TestOutput:
    SQL = "select * from population.residents order by resident_key"

    def written(self, lake: Settings, format: str, sql: str = SQL) -> bytes:
        out = io.BytesIO()
        with run_sql(lake, sql) as result:
            output.write(result, format, out)
        return out.getvalue()

    def test_csv(self, lake: Settings) -> None:
        got = list(csv.reader(io.StringIO(self.written(lake, "csv").decode())))
        assert got[0] == ["resident_key", "kind", "person_name", "birth_date", "source_updated_date"]
        assert got[1] == [KEYS["c"], "'=resident", "", "2001-01-01", "2026-01-01"]
        assert (got[2][3], got[3][3]) == ("", "1990-01-01")

    def test_json(self, lake: Settings) -> None:
        got = json.loads(self.written(lake, "json"))
        assert got[2]["birth_date"] == "1990-01-01"
        assert got[1]["birth_date"] is None
        assert json.loads(self.written(lake, "json", "select 1 as a, 2 as a")) == [{"a": 1, "a_2": 2}]
        assert json.loads(self.written(lake, "json", "select 1 where false")) == []
        odd = "select 'nan'::double a, 1.50::decimal(9,2) b, [1] c, {'d': date '2026-01-01'} e, '\\x01'::blob f"
        assert json.loads(self.written(lake, "json", odd)) == [
            {"a": None, "b": 1.5, "c": [1], "e": {"d": "2026-01-01"}, "f": "01"}
        ]

    def test_parquet_keeps_types(self, lake: Settings) -> None:
        table = pq.read_table(io.BytesIO(self.written(lake, "parquet")))
        assert table.num_rows == 4
        assert table.schema.field("birth_date").type == pa.date32()

    def test_table_has_no_terminal_codes(self, lake: Settings) -> None:
        text = self.written(lake, "table").decode()
        assert "floating" in text
        assert "\x1b[31m" not in text

    def test_geometry_is_text(self, lake: Settings) -> None:
        sql = "select geom_cgcs2000 from spatiotemporal.divisions"
        assert "POINT (1 2)" in self.written(lake, "csv", sql).decode()

    @pytest.mark.slow
    def test_limit_cuts_and_says_so(self, lake: Settings) -> None:
        for read in ("rows", "reader"):
            with run_sql(lake, "from feed.a__b", limit=3000) as result:
                got = result.rows() if read == "rows" else result.reader().read_all().to_pylist()
                assert len(got) == 3000
                assert result.truncated
        with run_sql(lake, "from feed.a__b", limit=5000) as result:
            assert len(result.rows()) == 5000
            assert not result.truncated

    def test_unknown_format(self, lake: Settings) -> None:
        with run_sql(lake, "select 1") as result, pytest.raises(LakehouseError, match="xml"):
            output.write(result, "xml", io.BytesIO())


@pytest.mark.slow
def test_nothing_heavy_is_imported(lake: Settings, root: Path) -> None:
    """``select 1`` and a table scan start fast because these stay out."""
    code = (
        "import sys; from catalog.settings import Settings; from warehouse.query import run_sql;"
        "r = run_sql(Settings.from_env(), 'select * from feed.a__b limit 1'); r.rows(); r.close();"
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'deltalake', 'sqlglot', 'rich', 'shapely'} & set(sys.modules)))"
    )
    env = {**lake.as_env(), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
