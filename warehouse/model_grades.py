"""The grades each library and mart declares in its dbt YAML, for itself and for its columns."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from catalog.yamlfile import read_yaml

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"


def table_grade(table: str, project: Path = PROJECT) -> int | None:
    """The grade of ``schema.table`` (its model's ``meta.grade``), None for a table without a model."""
    grade = _meta(_models(project).get(table, {})).get("grade")
    return None if grade is None else int(grade)


def column_grades(table: str, project: Path = PROJECT) -> dict[str, int]:
    """The grades ``schema.table`` declares for its columns; a build holds them to what flows in by lineage."""
    grades = {name: meta.get("grade") for name, meta in column_meta(table, project).items()}
    return {name: int(grade) for name, grade in grades.items() if grade is not None}


def column_meta(table: str, project: Path = PROJECT) -> dict[str, dict[str, Any]]:
    """What ``schema.table`` says of each column: ``grade``, ``pseudonym`` and the rest of its ``meta``."""
    columns = _models(project).get(table, {}).get("columns") or ()
    return {column["name"]: _meta(column) for column in columns}


def _meta(entry: dict[str, Any]) -> dict[str, Any]:
    return (entry.get("config") or {}).get("meta") or {}


@cache
def _models(project: Path) -> dict[str, dict[str, Any]]:
    """What the project's YAML says of each model, by ``schema.table``."""
    found = {}
    for path in sorted((project / "models").rglob("_*.yml")):
        for model in (read_yaml(path).data or {}).get("models") or ():
            found[model["name"].replace("__", ".", 1)] = model
    return found
