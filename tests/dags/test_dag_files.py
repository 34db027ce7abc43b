"""The DAG files themselves: light to parse, one DAG a feed, as the contracts say, without cycles."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.registry import Catalog

DAG_FILES = ("feeds", "build", "publish", "stewardship")
PARSED = (*DAG_FILES, "tasks", "watch", "index", "__init__")
ALLOWED = {"airflow", "pendulum", "dags", "__future__", *sys.stdlib_module_names}

PARSE = """
import json, sys, time
import airflow.sdk, airflow.triggers.base  # what every Airflow process has loaded already
from airflow.sdk import DAG
made = []
init = DAG.__exit__
def leave(self, *args):
    made.append(self)
    return init(self, *args)
DAG.__exit__ = leave
start = time.perf_counter()
import runpy
for name in sys.argv[2:]:
    runpy.run_path(f"{sys.argv[1]}/{name}.py")
seconds = time.perf_counter() - start
def assets(condition):
    if condition is None:
        return []
    return [condition.uri] if hasattr(condition, "uri") else [u for o in condition.objects for u in assets(o)]
def due(t):
    return getattr(getattr(t, "timetable", t), "expression", None)
dags = {d.dag_id: {
    "owners": sorted({t.owner for t in d.tasks}),
    "retries": sorted({t.retries for t in d.tasks}),
    "timeouts": sorted({t.execution_timeout.total_seconds() for t in d.tasks}),
    "outlets": sorted({o.uri for t in d.tasks for o in t.outlets}),
    "down": {t.task_id: sorted(t.downstream_task_ids) for t in d.tasks},
    "max_active_runs": d.max_active_runs, "catchup": d.catchup, "doc": d.doc_md, "tags": sorted(d.tags),
    "cron": due(d.timetable),
    "waits_for": sorted(assets(getattr(d.timetable, "asset_condition", None))),
} for d in made}
for d in made:
    d.check_cycle()
    d.validate()
print(json.dumps({"dags": dags, "seconds": seconds,
    "modules": sorted({m.partition(".")[0] for m in sys.modules})}))
"""


@pytest.fixture(scope="module")
def parsed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("parse")
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home / "airflow"),
        "LAKEHOUSE_HOME": str(home),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(root / "dags"), *DAG_FILES],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize("name", PARSED)
def test_module_level_imports_are_light(root: Path, name: str) -> None:
    tree = ast.parse((root / "dags" / f"{name}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for module in names:
            assert module.partition(".")[0] in ALLOWED, f"{name}.py imports {module} when it is parsed"


def test_airflow_reads_only_the_dag_files(root: Path) -> None:
    ignored = (root / "dags" / ".airflowignore").read_text(encoding="utf-8").split("\n")
    rest = {p.name for p in (root / "dags").glob("*.py")} - set(ignored)
    assert rest == {f"{name}.py" for name in DAG_FILES}


@pytest.mark.slow
def test_the_folder_is_not_empty(parsed: dict[str, Any]) -> None:
    assert len(parsed["dags"]) >= 5, "a DAG suite that looks at nothing proves nothing"


@pytest.mark.slow
def test_parsing_imports_nothing_heavy_and_is_quick(parsed: dict[str, Any]) -> None:
    heavy = {"deltalake", "dbt", "great_expectations", "duckdb", "geopandas", "pyarrow", "pandas", "sqlglot"}
    rooms = {"catalog", "quality", "warehouse", "ingestion", "demo", "lakehouse", "dbt_project"}
    assert not (heavy | rooms) & set(parsed["modules"])
    assert parsed["seconds"] < 1.5


@pytest.mark.slow
def test_every_feed_has_its_dag_as_its_contract_says(parsed: dict[str, Any], catalog: Catalog) -> None:
    for feed in catalog.feeds.values():
        dag = parsed["dags"][f"feed.{feed.id}"]
        assert dag["owners"] == [catalog.departments[feed.provider].name]
        assert dag["retries"] == [feed.sla.retries]
        assert dag["timeouts"] == [timedelta(minutes=feed.sla.timeout_minutes).total_seconds()]
        assert dag["outlets"] == [f"lake://feed/{feed.id}"]
        assert dag["waits_for"] == [f"lake://drop/{feed.id}"]
        assert (dag["cron"] is None) == (feed.catalogue.update == "irregular")
        assert dag["down"]["collect"] == ["land"]
        assert dag["down"]["land"] == ["gate", "load"]
        assert dag["down"]["load"] == ["announce", "gate"]
    extra = {d for d in parsed["dags"] if d.startswith("feed.")} - {f"feed.{f}" for f in catalog.feeds}
    assert not extra


@pytest.mark.slow
def test_layers_follow_each_other_by_assets(parsed: dict[str, Any], catalog: Catalog) -> None:
    dags = parsed["dags"]
    assert dags["build.libraries"]["waits_for"] == sorted(f"lake://feed/{f}" for f in catalog.feeds)
    assert dags["build.marts"]["waits_for"] == dags["build.libraries"]["outlets"]
    assert dags["publish.products"]["waits_for"] == dags["build.marts"]["outlets"]
    assert dags["publish.products"]["outlets"] == sorted(f"lake://extract/{p}" for p in catalog.products)


@pytest.mark.slow
def test_no_cycle_of_assets(parsed: dict[str, Any]) -> None:
    dags = parsed["dags"]
    makers = {asset: name for name, dag in dags.items() for asset in dag["outlets"]}
    waits = {name: {makers[a] for a in dag["waits_for"] if a in makers} for name, dag in dags.items()}
    done: set[str] = set()
    while len(done) < len(waits):
        ready = {name for name, on in waits.items() if name not in done and on <= done}
        assert ready, f"these wait for each other: {set(waits) - done}"
        done |= ready


@pytest.mark.slow
def test_house_rules_of_all_dags(parsed: dict[str, Any]) -> None:
    for name, dag in parsed["dags"].items():
        assert dag["max_active_runs"] == 1, name
        assert dag["catchup"] is False, name
        assert any("\u4e00" <= c <= "\u9fff" for c in dag["doc"]), f"{name}: doc_md is for Chinese readers"
        assert dag["owners"] != ["airflow"], name
        assert dag["tags"], name
