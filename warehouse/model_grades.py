"""The grade each library and mart declares in its dbt YAML."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from catalog.yamlfile import read_yaml

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"


def table_grade(table: str, project: Path = PROJECT) -> int | None:
    """The grade of ``schema.table`` (its model's ``meta.grade``), None for a table without a model."""
    return _grades(project).get(table)


@cache
def _grades(project: Path) -> dict[str, int]:
    found = {}
    for path in sorted((project / "models").rglob("_*.yml")):
        for model in (read_yaml(path).data or {}).get("models") or ():
            grade = ((model.get("config") or {}).get("meta") or {}).get("grade")
            if grade is not None:
                found[model["name"].replace("__", ".", 1)] = int(grade)
    return found
