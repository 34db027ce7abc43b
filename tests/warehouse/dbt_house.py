"""A lakehouse with a small dbt project that uses the house's own macros."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from catalog.settings import Settings
from warehouse.dbt_build import PROJECT, BuildResult, build
from warehouse.duck import VERIFIED_ONCE, load_extension


class House:
    """A lakehouse with a project and one input table."""

    def __init__(self, home: Path, project: Path) -> None:
        self.settings = Settings(home=home, lake=str(home / "lake"))
        self.settings.make_dirs()
        self.project = project

    def put(self, *rows: tuple[int, str, str]) -> None:
        columns = list(zip(*rows, strict=True)) or [[], [], []]
        table = pa.table(
            {
                "k": pa.array(columns[0], pa.int32()),
                "v": pa.array(columns[1], "string"),
                "part": pa.array(columns[2], "string"),
            }
        )
        write_deltalake(self.settings.feed_path("rows"), table, mode="overwrite")

    def build(self, *select: str, **more: Any) -> BuildResult:
        return build(self.settings, select=select or None, project=self.project, **more)

    def path(self, layer: str, schema: str, table: str) -> str:
        return self.settings.table_path(layer, schema, table)

    def rows(self, layer: str, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        schema, table = name.split(".")
        with duckdb.connect(config=VERIFIED_ONCE) as con:
            load_extension(con, "delta")
            con.execute("set TimeZone = 'UTC'")
            return con.execute(
                f"select {columns} from delta_scan('{self.path(layer, schema, table)}') order by all"
            ).fetchall()


def make_project(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT / name, root)
    settings = root / "dbt_project.yml"  # every model here is of grade 1
    graded = "models:\n  xicheng_lakehouse:\n    +meta: {grade: 1}\n"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("models:\n  xicheng_lakehouse:\n", graded, 1), encoding="utf-8")
    shutil.copytree(PROJECT / "macros" / "materializations", root / "macros" / "materializations")
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return root
