"""dbt on Delta from end to end: a small project that uses the house's own macros."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import Busy, UnknownName
from catalog.registry import Catalog
from catalog.settings import Settings
from tests.warehouse.dbt_house import House, make_project
from warehouse.dbt_build import BuildEvent, BuildFailed, BuildResult, database, list_models
from warehouse.dbt_report import scrub
from warehouse.duck import load_extension
from warehouse.schema import feed_schema
from warehouse.tables import table_lock

pytestmark = pytest.mark.slow

DAY1, DAY2 = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
THREE = ((1, "a", "p"), (2, "b", "p"), (3, "c", "q"))
INPUT = "{{ source('input', 'rows') }}"

FILES = {
    "models/staging/staging__rows.sql": f"select k, v, part from {INPUT}",
    "models/staging/staging__gauges.sql": "select * from {{ source('feed', 'water__rain_gauges') }}",
    "models/library/deep/lib__plain.sql": "select k, v from {{ ref('staging__rows') }}",
    "models/library/lib__gauges.sql": "select * from {{ ref('staging__gauges') }}",
    "models/marts/mart__merged.sql": """
        {{ config(materialized='incremental', unique_key='k', on_schema_change='append_new_columns') }}
        select k, v{{ ", 1 as extra" if env_var('TEST_EXTRA', '') }} from {{ ref('staging__rows') }}
        {% if is_incremental() %} where k > (select max(k) from {{ this }}) {% endif %}""",
    "models/marts/mart__strict.sql": """
        {{ config(materialized='incremental', on_schema_change='fail') }}
        select k{{ ", 1 as extra" if env_var('TEST_EXTRA', '') }} from {{ ref('staging__rows') }}""",
    "models/marts/mart__parts.sql": """
        {{ config(materialized='incremental', incremental_strategy='replace_partitions', partition_by=['part']) }}
        select k, part from {{ ref('staging__rows') }}""",
    "models/marts/mart__history.sql": """
        {{ config(materialized='incremental', incremental_strategy='history', unique_key='k') }}
        select k, v from {{ ref('staging__rows') }}""",
    "models/marts/mart__hooked.sql": """
        {{ config(pre_hook="create or replace view main.by_hook as select 7 as n",
                  post_hook="create or replace view main.after_hook as select n + 1 as n from {{ this }}") }}
        select n from main.by_hook""",
    "models/extracts/extract__kept.sql": """
        select k from {{ ref('mart__merged') }} cross join {{ ref('codes__parts') }}""",
    "seeds/codes__parts.csv": "code,name\n1,甲\n",
    "models/models.yml": """
        sources:
          - name: input
            schema: feed
            meta: {grade: 1}
            tables: [{name: rows, columns: [{name: k}, {name: v}, {name: part}]}]
          - {name: hooks, schema: main, meta: {grade: 1}, tables: [{name: by_hook}]}
          - {name: feed, tables: [{name: water__rain_gauges}]}
        models:
          - name: lib__plain
            description: the plain one
            config: {contract: {enforced: true}, meta: {grain: k}}
            columns:
              - {name: k, data_type: integer, constraints: [{type: not_null}], data_tests: [unique], meta: {grade: 1}}
              - {name: v, data_type: varchar, meta: {grade: 1}}
        unit_tests:
          - name: plain_passes_rows_on
            model: lib__plain
            given: [{input: ref('staging__rows'), rows: [{k: 1, v: a, part: p}]}]
            expect: {rows: [{k: 1, v: a}]}
          - name: merged_takes_newer_rows
            model: mart__merged
            overrides: {macros: {is_incremental: true}}
            given:
              - {input: ref('staging__rows'), rows: [{k: 1, v: a}, {k: 2, v: b}]}
              - {input: this, rows: [{k: 1, v: a}]}
            expect: {rows: [{k: 2, v: b}]}
        """,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, BuildResult, list[BuildEvent]]:
    """The house after one full build."""
    root = tmp_path_factory.mktemp("house")
    house = House(root / "var", make_project(root / "dbt", FILES))
    house.put(*THREE)
    events: list[BuildEvent] = []
    result = house.build(on_event=events.append, now=DAY1)
    assert result.failed == []
    assert result.ok
    return house, result, events


@pytest.fixture
def house(built: tuple[House, BuildResult, list[BuildEvent]]) -> House:
    """The same house with its three input rows again; tests change its tables and do not rely on each other."""
    built[0].put(*THREE)
    return built[0]


def test_tables_lie_where_file_and_folder_say(house: House) -> None:
    for layer, schema, table in [
        ("library", "lib", "plain"),
        ("library", "lib", "gauges"),
        ("mart", "mart", "merged"),
        ("extract", "extract", "kept"),
    ]:
        assert DeltaTable.is_deltatable(house.path(layer, schema, table)), table
    assert house.rows("library", "lib.plain") == [(1, "a"), (2, "b"), (3, "c")]
    assert DeltaTable(house.path("mart", "mart", "parts")).metadata().partition_columns == ["part"]


def test_results_and_events_tell_rows_seconds_and_files(built: tuple[House, BuildResult, list[BuildEvent]]) -> None:
    _, first, events = built
    by_name = {m.name: m for m in first.models}
    plain = by_name["lib.plain"]
    assert (plain.kind, plain.layer, plain.status, plain.rows) == ("model", "library", "success", 3)
    assert plain.file == "models/library/deep/lib__plain.sql"
    assert by_name["staging.rows"].rows is None
    assert by_name["unique_lib__plain_k"].status == "pass"
    finished = {e.name: e for e in events if e.state == "finished"}
    assert finished["lib.plain"].rows == 3
    assert max(e.index for e in finished.values()) == finished["lib.plain"].total
    assert {e.name for e in events if e.state == "started"} >= set(finished)


def test_unit_tests_run_when_asked_for(house: House) -> None:
    result = house.build("lib__plain", "mart__merged", unit_tests=True)
    found = {m.name: m.status for m in result.models if m.kind == "unit_test"}
    assert found == {"plain_passes_rows_on": "pass", "merged_takes_newer_rows": "pass"}


def test_the_log_of_builds_and_the_commits_carry_one_id(built: tuple[House, BuildResult, list[BuildEvent]]) -> None:
    house, first, _ = built
    log = house.rows("platform", "platform.builds", "name, status, rows, build_id")
    assert ("lib.plain", "success", 3, first.build_id) in log
    commit = DeltaTable(house.path("library", "lib", "gauges")).history()[-1]
    assert commit["invocation_id"] == first.build_id
    assert commit["model"] == "model.xicheng_lakehouse.lib__gauges"


def test_a_feed_without_a_table_reads_as_an_empty_one(house: House, catalog: Catalog) -> None:
    assert house.rows("library", "lib.gauges") == []
    made = pa.schema(DeltaTable(house.path("library", "lib", "gauges")).schema().to_arrow())
    assert made.names == feed_schema(catalog, "water__rain_gauges").names


def test_a_feed_table_older_than_its_contract_reads_with_nulls(tmp_path: Path, catalog: Catalog) -> None:
    from warehouse.dbt_views import register_views

    settings = Settings(home=tmp_path, lake=str(tmp_path / "lake"))
    write_deltalake(settings.feed_path("water__rain_gauges"), pa.table({"sensor_id": ["s"], "odd": [1]}))
    with duckdb.connect() as con:
        load_extension(con, "delta")
        register_views(con, settings, catalog)
        names = con.sql("from feed.water__rain_gauges").columns
        assert names == [*feed_schema(catalog, "water__rain_gauges").names, "odd"]
        assert con.sql("select sensor_id, rain_mm, odd from feed.water__rain_gauges").fetchall() == [("s", None, 1)]


def test_a_view_is_made_again_when_its_table_was_written_or_it_is_gone(tmp_path: Path, catalog: Catalog) -> None:
    from warehouse.dbt_views import register_views

    settings = Settings(home=tmp_path, lake=str(tmp_path / "lake"))
    name, path = "feed.water__rain_gauges", settings.feed_path("water__rain_gauges")
    write_deltalake(path, pa.table({"sensor_id": ["s"]}))
    with duckdb.connect(str(tmp_path / "build.duckdb")) as con:
        load_extension(con, "delta")
        register_views(con, settings, catalog)
        con.execute(f"create or replace view {name} as select 'as it was left' as sensor_id")
        register_views(con, settings, catalog)
        assert con.execute(f"select sensor_id from {name}").fetchall() == [("as it was left",)]
        write_deltalake(path, pa.table({"sensor_id": ["t"]}), mode="append")
        register_views(con, settings, catalog)
        assert con.execute(f"select sensor_id from {name} order by all").fetchall() == [("s",), ("t",)]
        con.execute(f"drop view {name}")
        con.execute(f"create table {name} (sensor_id text)")
        register_views(con, settings, catalog)
        assert con.execute(f"select count(*) from {name}").fetchall() == [(2,)]


def test_a_view_takes_the_place_of_what_had_its_name(house: House) -> None:
    for there in ("view staging.rows as select 1 as k", "table staging.rows as select 1 as k"):
        with duckdb.connect(str(database(house.settings))) as con:
            con.execute("drop view if exists staging.rows")
            con.execute(f"create {there}")
        assert house.build("staging__rows").ok
        with duckdb.connect(str(database(house.settings))) as con:
            load_extension(con, "delta")
            assert con.execute("select count(*) from staging.rows").fetchall() == [(3,)]
            left = con.execute("select view_name from duckdb_views() where view_name like '%dbt%'").fetchall()
        assert left == []


def test_merge_takes_new_rows_and_full_refresh_all(house: House) -> None:
    house.build("mart__merged", full_refresh=True)
    house.put((3, "late", "p"), (4, "d", "p"))
    result = house.build("mart__merged")
    assert [m.rows for m in result.models] == [1]
    assert house.rows("mart", "mart.merged", "k, v") == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    house.build("mart__merged", full_refresh=True)
    assert house.rows("mart", "mart.merged", "k, v") == [(3, "late"), (4, "d")]


def test_partitions_are_replaced(house: House) -> None:
    house.build("mart__parts", full_refresh=True)
    house.put((9, "z", "p"))
    assert house.build("mart__parts").ok
    assert house.rows("mart", "mart.parts", "k, part") == [(3, "q"), (9, "p")]


def test_history_is_kept_with_the_instant_passed_in(house: House) -> None:
    house.build("mart__history", full_refresh=True, now=DAY1)
    house.put((1, "a", "p"), (2, "B", "p"))
    assert house.build("mart__history", now=DAY2).ok
    assert house.rows("mart", "mart.history") == [
        (1, "a", DAY1, None),
        (2, "B", DAY2, None),
        (2, "b", DAY1, DAY2),
        (3, "c", DAY1, None),
    ]


def test_schema_changes_by_policy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.build("mart__merged", "mart__strict", full_refresh=True)
    monkeypatch.setenv("TEST_EXTRA", "1")
    house.put((7, "g", "p"))
    result = house.build("mart__merged", "mart__strict")
    status = {m.name: m for m in result.models}
    assert (status["mart.merged"].status, status["mart.strict"].status) == ("success", "error")
    assert "+extra INTEGER" in status["mart.strict"].message
    assert not result.ok
    assert (7, "g", 1) in house.rows("mart", "mart.merged", "k, v, extra")
    with pytest.raises(BuildFailed, match=r"mart\.strict") as caught:
        result.raise_for_failure()
    assert caught.value.where["file"] == "models/marts/mart__strict.sql"
    assert house.build("mart__strict", full_refresh=True).ok


def test_hooks_run_before_and_after(house: House) -> None:
    assert house.rows("mart", "mart.hooked") == [(7,)]
    with duckdb.connect(str(database(house.settings))) as con:
        load_extension(con, "delta")
        assert con.execute("select n from main.after_hook").fetchall() == [(8,)]


def test_a_deleted_build_database_comes_back_for_a_partial_build(house: House) -> None:
    database(house.settings).unlink()
    result = house.build("tag:extract")
    assert result.ok
    assert [m.name for m in result.models] == ["codes.parts", "extract.kept"]
    assert [m.name for m in house.build("tag:extract").models] == ["extract.kept"]


def test_a_changed_seed_or_view_is_built_with_what_reads_it(house: House) -> None:
    house.build()
    seed = house.project / "seeds" / "codes__parts.csv"
    seed.write_text("code,name\n1,甲\n2,乙\n", encoding="utf-8")
    result = house.build("tag:extract")
    assert [m.name for m in result.models] == ["codes.parts", "extract.kept"]
    assert len(house.rows("extract", "extract.kept")) == 2 * len(house.rows("mart", "mart.merged"))


def test_a_selection_of_nothing_is_an_error(house: House) -> None:
    with pytest.raises(UnknownName, match="tag:nothing"):
        house.build("tag:nothing")


def test_models_are_listed_with_layer_and_meaning(house: House) -> None:
    models = {m.name: m for m in list_models(house.settings, project=house.project)}
    plain = models["lib.plain"]
    assert (plain.layer, plain.materialized, plain.description) == ("library", "table", "the plain one")
    assert plain.meta == {"grain": "k", "grade": 1}
    assert plain.depends_on == ("model.xicheng_lakehouse.staging__rows",)
    assert models["extract.kept"].layer == "extract"


def test_one_build_at_a_time(house: House) -> None:
    started, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with table_lock(house.settings, "build"):
            started.set()
            go_on.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    started.wait(30)
    try:
        with pytest.raises(Busy):
            house.build("lib__plain", wait=0.2)
    finally:
        go_on.set()
        other.join()
    assert house.build("lib__plain").ok


def test_the_database_is_free_for_others_after_a_build(house: House) -> None:
    house.build("lib__plain")
    code = f"import duckdb; duckdb.connect({str(database(house.settings))!r}).close()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_environment_is_left_as_it_was(house: House) -> None:
    before = dict(os.environ)
    house.build("lib__plain")
    assert dict(os.environ) == before


KILL = """
import os, signal, sys
from pathlib import Path
from catalog.settings import Settings
from warehouse import dbt_store
from warehouse.dbt_build import build
real, where = dbt_store.store, sys.argv[1]
def store(con, request):
    if where == "after":
        real(con, request)
        os.kill(os.getpid(), signal.SIGKILL)
    cut = dbt_store.Rows._pass
    def until_killed(self, source):
        yield from (batch for batch in cut(self, source))
        os.kill(os.getpid(), signal.SIGKILL)
    dbt_store.Rows._pass = until_killed
    return real(con, request)
dbt_store.store = store
home, project = map(Path, sys.argv[2:])
build(Settings(home=home, lake=str(home / "lake")), select=["lib__plain"], project=project)
"""


@pytest.mark.parametrize(("where", "rows"), [("before", [(1, "a"), (2, "b"), (3, "c")]), ("after", [(5, "new")])])
def test_killed_around_the_commit_the_table_is_old_or_new_and_the_next_build_goes_on(
    house: House, where: str, rows: list[tuple[int, str]], root: Path
) -> None:
    house.build("lib__plain")
    house.put((5, "new", "p"))
    home = house.settings.home
    child = subprocess.run(
        [sys.executable, "-c", KILL, where, str(home), str(house.project)],
        check=False,
        cwd=root,
        capture_output=True,
        timeout=120,
    )
    assert child.returncode == -9, child.stderr.decode()
    assert house.rows("library", "lib.plain") == rows
    with duckdb.connect(str(database(house.settings)), read_only=True) as con:
        load_extension(con, "delta")
        assert con.execute("from lib.plain order by k").fetchall() == rows  # the view of the build that was killed
    assert house.build("lib__plain").ok
    assert house.rows("library", "lib.plain") == [(5, "new")]


class TestBrokenProjects:
    """Projects that cannot build say where and why."""

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Any:
        def make(**files: str) -> House:
            house = House(
                tmp_path / "var", make_project(tmp_path / "dbt", {k.replace("|", "/"): v for k, v in files.items()})
            )
            return house

        return make

    def test_a_contract_that_does_not_hold(self, broken: Any) -> None:
        yml = (
            "models: [{name: lib__a, config: {contract: {enforced: true}},"
            " columns: [{name: k, data_type: varchar, meta: {grade: 1}}]},"
            " {name: lib__b, config: {contract: {enforced: true}},"
            " columns: [{name: k, data_type: integer, constraints: [{type: not_null}], meta: {grade: 1}}]},"
            " {name: lib__d, config: {contract: {enforced: true}},"
            " columns: [{name: w, data_type: 'decimal(9,2)', meta: {grade: 1}},"
            " {name: k, data_type: int, meta: {grade: 1}}, {name: v, data_type: varchar, meta: {grade: 1}}]},"
            " {name: lib__e, config: {contract: {enforced: true}},"
            " columns: [{name: k, data_type: number of things, meta: {grade: 1}}]}]"
        )
        house = broken(
            **{
                "models|library|lib__a.sql": "select 1 as k",
                "models|library|lib__b.sql": "select cast(null as integer) as k",
                "models|library|lib__c.sql": "select k from {{ ref('lib__b') }}",
                "models|library|lib__d.sql": "select 1 as k, cast(1 as decimal(9,3)) as w",
                "models|library|lib__e.sql": "select 1 as k",
                "models|library|m.yml": yml,
            }
        )
        result = house.build()
        found = {m.name: m for m in result.models}
        assert "k: VARCHAR by contract, INTEGER by query" in found["lib.a"].message
        assert "w: DECIMAL(9,2) by contract, DECIMAL(9,3) by query" in found["lib.d"].message
        assert "v: VARCHAR by contract, nothing by query" in found["lib.d"].message
        assert "k: INTEGER" not in found["lib.d"].message
        assert "number of things" in found["lib.e"].message
        assert "not_null" in found["lib.b"].message
        assert found["lib.c"].status == "skipped"
        assert not result.ok
        assert not DeltaTable.is_deltatable(house.path("library", "lib", "a"))

    def test_faults_are_told_without_values(self, broken: Any) -> None:
        house = broken(
            **{
                "models|library|lib__value.sql": """
                    select cast(x as integer) as k from (values ('11010219900307781X')) t(x)""",
                "models|library|lib__time.sql": "select time '10:00' as at",
                "models|staging|staging__table.sql": "{{ config(materialized='table') }} select 1 as k",
                "models|marts|m__strategy.sql": """
                    {{ config(materialized='incremental', incremental_strategy='upsert') }} select 1 as k""",
                "models|marts|m__ok.sql": "select 1 as k",
            }
        )
        result = house.build()
        messages = {m.name: m.message for m in result.models}
        assert "Could not convert" in messages["lib.value"]
        assert "19900307" not in str(result)
        assert "cast it to varchar" in messages["lib.time"]
        assert "only views are possible" in messages["staging.table"]
        assert "upsert is not among append, history" in messages["m.strategy"]
        assert [m.name for m in result.models if m.status == "success"] == ["m.ok"]
        for path in house.settings.build.rglob("*"):
            if path.is_file() and "compiled" not in path.parts and "run" not in path.parts:
                assert b"could not convert" not in path.read_bytes().lower(), path

    def test_a_project_that_cannot_be_parsed(self, broken: Any) -> None:
        house = broken(**{"models|library|lib__a.sql": "select 1 as k from {{ ref('nobody') }}"})
        with pytest.raises(BuildFailed, match="nobody"):
            house.build()

    def test_snapshots_point_to_the_history_strategy(self, broken: Any) -> None:
        text = (
            "{% snapshot lib__snap %}{{ config(unique_key='k', strategy='check', check_cols='all') }}"
            "select 1 as k{% endsnapshot %}"
        )
        result = broken(**{"snapshots|lib__snap.sql": text}).build()
        assert "incremental_strategy: history" in result.models[0].message


def test_many_models_on_four_threads(tmp_path: Path) -> None:
    files = {f"models/library/lib__t{n}.sql": f"select i as k, {n} as n from range(50000) t(i)" for n in range(12)}
    house = House(tmp_path / "var", make_project(tmp_path / "dbt", files))
    start = time.perf_counter()
    result = house.build(threads=4)
    assert [m.rows for m in result.models] == [50000] * 12
    assert time.perf_counter() - start < 60


@pytest.mark.parametrize(
    ("message", "clean"),
    [
        ("Could not convert string '王小明' to INT32", "Could not convert string … to INT32"),
        ('invalid date field format: "1990-13-45", expected', "invalid date field format: …, expected"),
        ('Duplicate key "id: 110102199003077811"', "Duplicate key …"),
        ("phone 138 0013 8000 is odd", "phone … is odd"),
        ('column "birth_date" of models/library/a.sql line 12', 'column "birth_date" of models/library/a.sql line 12'),
    ],
)
def test_messages_lose_values_and_keep_names(message: str, clean: str) -> None:
    assert scrub(message) == clean


def test_a_manifest_that_remembers_what_was_removed_is_copied() -> None:
    """Partial parsing in a lakehouse of before leaves removed tests among what is disabled."""
    from dbt.contracts.graph.manifest import Manifest

    from warehouse.dbt_call import copy_of

    manifest = Manifest(disabled={"test.p.gone": []})
    copied = copy_of(manifest)
    assert copied.disabled == manifest.disabled == {"test.p.gone": []}
    assert copied.disabled is not manifest.disabled
