"""Looks through the text of a dbt project for what lineage cannot see: persons written into it, and SQL beside models.

Lineage follows the SQL of models. A hook, a query run while a model is compiled, or a file read by a function would go
round it, and a resident ID written into a seed or a literal would be of grade 1.
"""

from __future__ import annotations

import re
from pathlib import Path

from catalog.errors import ContractError
from catalog.yamlfile import read_yaml
from quality.identifiers import is_phone, is_resident_id

FOLDERS = ("models", "seeds", "tests", "snapshots", "analyses")
_LONG = re.compile(r"\d{11,}[\dXx]?")
_BESIDE = re.compile(
    r"\b(?:pre_hook|post_hook|run_query|pre-hook|post-hook)\b|\bcall\s+statement\b"
    r"|\b(?:read_\w+|\w+_scan|glob)\s*\(|\b(?:copy|attach|install|load)\s+['\"(]",
    re.IGNORECASE,
)
"""Ways to run or read something that lineage does not follow. Macros that are part of the house may."""
_PROJECT_HOOKS = ("on-run-start", "on-run-end")


def scan_project(project: Path) -> None:
    """Look through models, seeds and the project's settings.

    Raises:
        ContractError: with file and line, never the value.
    """
    settings = project / "dbt_project.yml"
    if settings.exists():
        source = read_yaml(settings)
        for key in _PROJECT_HOOKS:
            if source.data.get(key):
                raise source.error((key,), f"{key} runs SQL that no grade is held to", "write a model instead")
    for folder in FOLDERS:
        for path in sorted((project / folder).rglob("*")):
            if path.is_file():
                _scan(path)


def _scan(path: Path) -> None:
    text = path.read_text(encoding="utf-8-sig")
    for number, line in enumerate(text.splitlines(), start=1):
        if path.suffix in (".sql", ".yml", ".yaml") and _BESIDE.search(line):
            raise ContractError(
                "this runs or reads something that no grade is held to",
                hint="read tables by ref() and source() only; hooks and queries while compiling are not allowed",
                file=str(path),
                line=number,
            )
        if any(_names_a_person(digits) for digits in _LONG.findall(line)):
            raise ContractError(
                "a resident ID or mobile number stands in the project's text",
                hint="data comes by feeds; remove it, also from the history",
                file=str(path),
                line=number,
            )


def _names_a_person(digits: str) -> bool:
    """Whether a resident ID stands anywhere in a run of digits, or it is a mobile number."""
    places = range(len(digits) - 17)
    return any(is_resident_id(digits[i : i + 18]) for i in places) or (len(digits) == 11 and is_phone(digits))
