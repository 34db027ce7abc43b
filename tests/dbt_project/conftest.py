"""Reads the dbt project without dbt, and fills feed tables by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, Template

from catalog.registry import Catalog
from catalog.settings import Settings

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def model_files(project: Path) -> dict[str, Path]:
    """Model name to its SQL file."""
    files = {p.stem: p for p in sorted((project / "models").rglob("*.sql"))}
    assert files
    return files


@pytest.fixture(scope="session")
def properties(project: Path) -> dict[str, dict[str, Any]]:
    """Model name to what its yml says."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((project / "models").rglob("_*.yml")):
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models") or []:
            assert model["name"] not in found, f"{model['name']} is described twice"
            found[model["name"]] = model
    return found


@pytest.fixture(scope="session")
def render(project: Path, model_files: dict[str, Path]) -> Callable[[str, str], str]:
    """``render(model, engine)``: the SQL of a model as an engine (``duckdb`` or ``spark``) would get it."""
    macros = "\n".join(
        p.read_text(encoding="utf-8")
        for p in sorted((project / "macros").rglob("*.sql"))
        if "materializations" not in p.parts
    )
    names = set(re.findall(r"macro (\w+)\(", macros))
    # compiling the macros takes thirty times what running them takes: once for all models
    environment = Environment(extensions=["jinja2.ext.do"])
    compiled = environment.compile(macros)

    @cache
    def rendered(model: str, engine: str) -> str:
        class Adapter:
            def dispatch(self, name: str) -> Any:
                own = f"{engine}__{name}"
                return getattr(module, own if own in names else f"default__{name}")

        context: dict[str, Any] = {
            "adapter": Adapter(),
            "return": lambda value: value,
            "ref": lambda name: name,
            "source": lambda schema, name: f"{schema}.{name}",
            "var": lambda name, default=None: default,
            "config": lambda **_: "",
            "is_incremental": lambda: True,
            "this": model,
        }
        module = Template.from_code(environment, compiled, {**environment.globals, **context}).module
        known = {name: getattr(module, name) for name in names}
        text = model_files[model].read_text(encoding="utf-8")
        return environment.from_string(text, globals={**known, **context}).render()

    return rendered


@pytest.fixture
def fill(settings: Settings, catalog: Catalog) -> Callable[..., None]:
    """``fill(feed_id, rows)`` writes a feed table as ingestion leaves it; absent fields are NULL."""
    import pyarrow as pa
    from deltalake import write_deltalake

    from warehouse.schema import feed_columns

    def filled(feed_id: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        columns = feed_columns(catalog, feed_id)
        if not isinstance(rows, pa.Table):
            known = {c.name for c in columns}
            assert all(set(row) <= known for row in rows), f"{feed_id} has no such column"
            schema = pa.schema([(c.name, c.arrow) for c in columns])
            rows = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        write_deltalake(settings.feed_path(feed_id), rows, mode="overwrite")

    return filled


@pytest.fixture
def read(settings: Settings) -> Callable[[str], list[tuple[Any, ...]]]:
    """``read(sql)`` over the Delta tables of libraries and marts, as ``schema.table``."""
    from warehouse.duck import connect, literal, load_extension, quote
    from warehouse.tables import list_tables

    def rows(sql: str) -> list[tuple[Any, ...]]:
        con = connect(house_only=True)
        load_extension(con, "delta")
        for table in list_tables(settings):
            con.execute(f"create schema if not exists {quote(table.schema)}")
            name = f"{quote(table.schema)}.{quote(table.name)}"
            con.execute(f"create view {name} as select * from delta_scan({literal(table.path)})")
        return con.execute(sql).fetchall()

    return rows


class Models:
    """Models run on DuckDB as they are written, over seeds and tables made by hand: no dbt, a tenth of a second."""

    def __init__(self, project: Path, render: Callable[[str, str], str], properties: Mapping[str, Any]) -> None:
        import duckdb

        from warehouse.duck import VERIFIED_ONCE, load_extension

        self.con = duckdb.connect(config=VERIFIED_ONCE)
        self.con.execute("SET TimeZone = 'UTC'")
        load_extension(self.con, "spatial")
        self._render, self._properties = render, properties
        for seed in yaml.safe_load((project / "seeds" / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]:
            types = ", ".join(f"'{c}': '{t}'" for c, t in seed["config"]["column_types"].items())
            path = project / "seeds" / f"{seed['name']}.csv"
            self.con.execute(
                f"CREATE VIEW {seed['name']} AS FROM read_csv('{path}', header = true, types = {{{types}}})"
            )

    def table(self, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]] = ()) -> None:
        """A table with these columns (name to DuckDB type) and rows."""
        spec = ", ".join(f"{c} {t}" for c, t in columns.items())
        self.con.execute(f"CREATE OR REPLACE TABLE {name} ({spec})")
        if rows:
            self.con.executemany(
                f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", [list(r) for r in rows]
            )

    def build(self, *names: str) -> None:
        """Make each model a table, in this order; an incremental one is added to what is there of it."""
        for name in names:
            columns = {c["name"]: c["data_type"] for c in self._properties[name]["columns"]}
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {self._render(name, 'duckdb')}")
            there = self.con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [name]).fetchone()
            if not (there and there[0]) or "is_incremental" not in self._source(name):
                self.table(name, columns)
            self.con.execute(f"INSERT INTO {name} BY NAME FROM made")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def _source(self, name: str) -> str:
        return next((PROJECT / "models").rglob(f"{name}.sql")).read_text(encoding="utf-8")


@pytest.fixture
def models(project: Path, render: Callable[[str, str], str], properties: dict[str, dict[str, Any]]) -> Iterator[Models]:
    made = Models(project, render, properties)
    yield made
    made.con.close()
