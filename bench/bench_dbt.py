"""dbt models on Delta beside the same models as DuckDB's native tables, built by the same dbt.

Both sides run one project over one Parquet input: a cleaned wide table, a join with a code table, an aggregate,
and an incremental merge of 1 % of the rows. The yardstick is the same project without our macros, so that dbt-duckdb's
own materializations write native tables. Times are those dbt reports for the models; importing and parsing are outside.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.harness import ROOT, compare

ROWS = 10_000_000
TARGET = 1.3

MODELS = {
    "marts/bench__clean.sql": """
        select id, resident_key, community_code, birth_date, sex, amount, updated_at, trim(address) as address,
            case when sex in ('男', '1') then '1' else '2' end as sex_code, amount * 10000 as amount_cny
        from {{ source('input', 'rows') }}""",
    "marts/bench__joined.sql": """
        select c.id, c.resident_key, c.community_code, s.community_name, c.birth_date, c.amount_cny
        from {{ ref('bench__clean') }} as c
        inner join {{ ref('bench__communities') }} as s on c.community_code = s.community_code""",
    "marts/bench__communities.sql": """
        select distinct community_code, 'name of ' || community_code as community_name
        from {{ source('input', 'rows') }}""",
    "marts/bench__counts.sql": """
        select community_code, extract(year from birth_date) as birth_year, count(*) as persons,
            sum(amount_cny) as amount_cny, max(updated_at) as newest_at
        from {{ ref('bench__clean') }} group by community_code, extract(year from birth_date)""",
    "marts/bench__merged.sql": """
        {{ config(materialized='incremental', unique_key='id', incremental_strategy='merge') }}
        select id, resident_key, community_code, birth_date, amount_cny, updated_at from {{ ref('bench__clean') }}
        {% if is_incremental() %} where id % 100 = 7 and id > (select max(id) * 0.9 from {{ this }}) {% endif %}""",
    "sources.yml": """
sources:
  - name: input
    schema: main
    tables: [{name: rows, config: {meta: {external_location: "{{ env_var('BENCH_INPUT') }}"}}}]""",
}
PROFILE_NATIVE = """
lakehouse:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: "{{ env_var('LAKEHOUSE_BUILD_DB') }}"
      threads: 2
      config_options: {preserve_insertion_order: false}
"""


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """Whole project, single tables and the merge, at ``scale`` times ten million rows."""
    rows = max(1000, int(ROWS * scale))
    with tempfile.TemporaryDirectory(prefix="bench_dbt_") as folder:
        parquet = Path(folder) / "input.parquet"
        _make_input(parquet, rows)
        name = f"{rows / 1e6:g} M rows"
        common = {"parquet": str(parquet), "work": folder}
        out = []
        for label, select, again in (
            (f"dbt: five models over {name}", "", False),
            (f"dbt: one wide table of {name}", "bench__clean", False),
            (f"dbt: merge of 0.1 % into {name}", "bench__merged", True),
        ):
            args = {**common, "select": select, "again": again}
            out.append(
                compare(
                    label,
                    ours="bench.bench_dbt:build_models",
                    yardstick="bench.bench_dbt:build_models",
                    args={**args, "delta": True},
                    yardstick_args={**args, "delta": False},
                    rows=rows,
                    target=None if again else TARGET,
                    runs=3,
                )
            )
        return out


def build_models(parquet: str, work: str, select: str, again: bool, delta: bool) -> float:
    """Build in a fresh lakehouse; seconds from dbt's first model to its last.

    ``again``: build everything first, and time a second, incremental run.
    """
    home = Path(tempfile.mkdtemp(dir=work))
    try:
        project = _make_project(home / "dbt", delta)
        os.environ.update(
            LAKEHOUSE_HOME=str(home),
            LAKEHOUSE_LAKE=str(home / "lake"),
            LAKEHOUSE_BUILD_DB=str(home / "lakehouse.duckdb"),
            LAKEHOUSE_DBT_THREADS="2",
            BENCH_INPUT=parquet,
            DO_NOT_TRACK="1",
        )
        if again:
            _dbt(project, home, "")
        return _dbt(project, home, select)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _dbt(project: Path, home: Path, select: str) -> float:
    from dbt.cli.main import dbtRunner

    args = ["run", "--quiet", "--log-level-file", "none", "--project-dir", str(project), "--profiles-dir", str(project)]
    args += ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    outcome: Any = dbtRunner().invoke([*args, *(["--select", select] if select else [])])
    if not outcome.success:
        faults = [r.message for r in outcome.result.results if str(r.status) == "error"] if outcome.result else []
        raise RuntimeError(f"dbt failed: {faults or outcome.exception}")
    times = [t for r in outcome.result.results for t in r.timing if t.name == "execute"]
    return (max(t.completed_at for t in times) - min(t.started_at for t in times)).total_seconds()


def _make_project(root: Path, delta: bool) -> Path:
    for name, text in MODELS.items():
        path = root / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    house = ROOT / "dbt_project"
    shutil.copy(house / "dbt_project.yml", root)
    macros = root / "macros" / "materializations"
    macros.mkdir(parents=True)
    if delta:
        shutil.copy(house / "profiles.yml", root)
        for path in (house / "macros" / "materializations").glob("*.sql"):
            shutil.copy(path, macros)
    else:
        (root / "profiles.yml").write_text(PROFILE_NATIVE, encoding="utf-8")
    return root


def _make_input(path: Path, rows: int) -> None:
    import duckdb

    with duckdb.connect() as con:
        con.execute(
            f"""
            copy (
                select
                    i as id, md5(cast(i as varchar)) as resident_key,
                    '110102' || lpad(cast(hash(i) % 263 as varchar), 6, '0') as community_code,
                    date '1930-01-01' + cast(hash(i + 1) % 33000 as integer) as birth_date,
                    case when i % 2 = 0 then '男' else '女' end as sex,
                    cast(hash(i + 2) % 1000000 as double) / 100 as amount,
                    timestamptz '2026-01-01 00:00:00+00' + to_seconds(i % 8000000) as updated_at,
                    ' 北京市西城区第' || cast(hash(i + 3) % 5000 as varchar) || '号院' as address
                from range({rows}) t(i)
            ) to '{path}' (format parquet, row_group_size 200000)
            """
        )
