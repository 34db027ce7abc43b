"""Looks through the text of a dbt project for what lineage cannot see: persons written into it, and SQL beside models.

Lineage follows the SQL of models. A hook, a query run while a model is compiled, or a file read by a function would go
round it, and a resident ID written into a seed or a literal would be of grade 1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from catalog.errors import ContractError
from catalog.signature import Signature, signature
from catalog.yamlfile import read_yaml
from quality import identifiers
from quality.identifiers import is_phone, is_resident_id

FOLDERS = ("models", "seeds", "tests", "snapshots", "analyses")
MODEL_FILES = (".sql", ".yml", ".yaml", ".md")
"""What may lie beside models: a model in Python is a program, and no lineage follows it."""
JINJA_NAMES = frozenset({"ref", "source", "config", "this", "var", "is_incremental", "loop", "range"})
"""What a model may take from dbt while it is compiled, beside the macros of the project. Not among them: whatever runs
a query (``run_query``, ``statement``, ``adapter``), reads the environment, or reaches one of these by another name."""
NO_TEXT = ("target", "logs", "dbt_packages")
"""What dbt writes into a project."""
_LOOKING = (__file__, identifiers.__file__ or "")
_LONG = re.compile(r"\d{11,}[\dXx]?")
_BESIDE = re.compile(
    r"\b(?:pre_hook|post_hook|run_query|pre-hook|post-hook)\b|\bcall\s+statement\b"
    r"|\b(?:read_\w+|\w+_scan|glob|getenv|current_setting)\s*\(|\b(?:copy|attach|install|load)\s+['\"(]",
    re.IGNORECASE,
)
"""Ways to run or read something that lineage does not follow. Macros that are part of the house may."""
_HOOKS = frozenset({"pre-hook", "post-hook", "pre_hook", "post_hook", "on-run-start", "on-run-end"})
_FOLDERS_OF = {"model-paths": "models", "seed-paths": "seeds", "test-paths": "tests", "snapshot-paths": "snapshots",
               "analysis-paths": "analyses", "macro-paths": "macros"}  # fmt: skip
_MACRO = re.compile(r"{%-?\s*macro\s+(\w+)")
_CURE = "read tables by ref() and source() only; hooks and queries while compiling are not allowed"


def scan_project(project: Path) -> None:
    """Look through models, seeds and the project's settings, once while they stay as they are.

    Raises:
        ContractError: with file and line, never the value.
    """
    _look_through(project, signature(project, skip=NO_TEXT))


def state_of(project: Path) -> str:
    """A hash of every text of the project, and of what looks through it."""
    found = hashlib.sha256()
    for name in [*(name for name, _, _ in signature(project, skip=NO_TEXT)), *_LOOKING]:
        content = Path(name).read_bytes()
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


@lru_cache(maxsize=4)
def _look_through(project: Path, state: Signature) -> None:
    settings = project / "dbt_project.yml"
    if settings.exists():
        _scan_settings(settings)
    macros = (
        m for path in sorted((project / "macros").rglob("*.sql")) for m in _MACRO.findall(path.read_text("utf-8"))
    )
    known = JINJA_NAMES | set(macros)
    for folder in FOLDERS:
        for path in sorted((project / folder).rglob("*")):
            if path.is_file():
                _scan(path, known, is_model=folder != "seeds")


def _scan_settings(file: Path) -> None:
    """No hooks at any depth, and no folder that is not looked through."""
    source = read_yaml(file)
    for keys in _paths_to_hooks(source.data):
        raise source.error(keys, f"{keys[-1]} runs SQL that no grade is held to", "write a model instead")
    for key, folder in _FOLDERS_OF.items():
        if source.data.get(key, [folder]) != [folder]:
            raise source.error((key,), f"{key} names a folder that no grade is held to", f"keep {folder}/")


def _paths_to_hooks(data: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(data, dict):
        for key, value in data.items():
            if str(key).lstrip("+") in _HOOKS and value:
                yield (*above, str(key))
            yield from _paths_to_hooks(value, (*above, str(key)))
    elif isinstance(data, list):
        for value in data:
            yield from _paths_to_hooks(value, above)


def _scan(path: Path, known: frozenset[str] | set[str], *, is_model: bool) -> None:
    text = path.read_text(encoding="utf-8-sig")
    if is_model and path.suffix not in MODEL_FILES:
        raise ContractError("models are SQL: no grade is held to programs", hint="write it in SQL", file=str(path))
    if path.suffix in (".sql", ".yml", ".yaml") and ("{{" in text or "{%" in text):
        _scan_jinja(path, text, known)
    if path.suffix in (".yml", ".yaml") and ("hook" in text.lower() or "\\" in text):  # or written in escapes
        source = read_yaml(path)
        for keys in _paths_to_hooks(source.data):
            raise source.error(keys, f"{keys[-1]} runs SQL that no grade is held to", _CURE)
    for number, line in enumerate(text.splitlines(), start=1):
        if path.suffix in (".sql", ".yml", ".yaml") and _BESIDE.search(line):
            raise ContractError(
                "this runs or reads something that no grade is held to", hint=_CURE, file=str(path), line=number
            )
        if any(_names_a_person(digits) for digits in _LONG.findall(line)):
            raise ContractError(
                "a resident ID or mobile number stands in the project's text",
                hint="data comes by feeds; remove it, also from the history",
                file=str(path),
                line=number,
            )


def _scan_jinja(path: Path, text: str, known: frozenset[str] | set[str]) -> None:
    """Hold what a file does while it is compiled to names that run nothing."""
    from jinja2 import TemplateSyntaxError, meta, nodes

    # a generic test is a macro by another word; its body is held to the same names
    body = re.sub(r"{%(-?)\s*test\s", r"{%\1 macro ", re.sub(r"{%(-?)\s*endtest\b", r"{%\1 endmacro ", text))
    try:
        tree = _environment().parse(body)
    except TemplateSyntaxError as e:
        raise ContractError(
            "the Jinja of this file cannot be read", hint="close every block", file=str(path), line=e.lineno
        ) from e
    for name in sorted(meta.find_undeclared_variables(tree) - known):
        at = next((n.lineno for n in tree.find_all(nodes.Name) if n.name == name), None)
        raise ContractError(
            f"{name} may run or read something that no grade is held to", hint=_CURE, file=str(path), line=at
        )
    for call in tree.find_all(nodes.Call):
        named = {k.key for k in call.kwargs if isinstance(k, nodes.Keyword)}
        if call.dyn_kwargs is not None or call.dyn_args is not None or named & _HOOKS:
            raise ContractError(
                "arguments are written out, and none of them is a hook", hint=_CURE, file=str(path), line=call.lineno
            )


@cache
def _environment() -> Any:
    from jinja2 import Environment

    return Environment(extensions=["jinja2.ext.do"])


def _names_a_person(digits: str) -> bool:
    """Whether a resident ID stands anywhere in a run of digits, or it is a mobile number."""
    places = range(len(digits) - 17)
    return any(is_resident_id(digits[i : i + 18]) for i in places) or (len(digits) == 11 and is_phone(digits))
