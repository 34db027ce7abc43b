"""What dbt's yml says of library tables and marts, and the suites compiled from it. dbt itself is not needed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from catalog.errors import ContractError
from catalog.signature import Signature, signature
from catalog.yamlfile import Loc, YamlFile, read_yaml
from quality.table_rules.base import CompiledTableRule, RuleRefused, TableColumn, TableContext, relation_of
from quality.table_rules.registry import TableRuleUse, compile_table_rule

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
FOLDERS: dict[str, Literal["library", "mart"]] = {"library": "library", "marts": "mart"}
_REF = re.compile(r"""\bref\(\s*['"](\w+)['"]\s*\)""")
_SOURCE = re.compile(r"""\bsource\(\s*['"]feed['"]\s*,\s*['"](\w+)['"]\s*\)""")
_CODES = 400
"""A seed with more rows is looked up by dbt's own test only."""


@dataclass(frozen=True)
class TableModel:
    """A library table or mart as its yml describes it.

    Attributes:
        table: ``schema.table``; ``layer``: ``library`` or ``mart``.
        key: columns that tell rows apart, empty when the yml names none.
        inputs: feeds that flow in, through whatever models.
        parents: library tables and marts it reads itself.
        yml: where its description stands, None for a model without one; ``at``: its place there.
    """

    table: str
    layer: Literal["library", "mart"]
    description: str
    grade: int
    key: tuple[str, ...]
    columns: Mapping[str, TableColumn]
    inputs: tuple[str, ...]
    parents: tuple[str, ...]
    uses: tuple[tuple[TableRuleUse, Loc], ...]
    yml: Path | None
    at: Loc

    @property
    def suite(self) -> str:
        """Name in ``platform.validations``."""
        return f"{self.layer}:{self.table}"


def read_models(project: Path = PROJECT) -> dict[str, TableModel]:
    """The library tables and marts of a dbt project, by ``schema.table``, libraries first.

    Raises:
        ContractError: a rule under ``config.meta.quality`` is not what it must be; with file and line.
    """
    return dict(_read(project, signature(project, skip=("target", "logs", "dbt_packages"))))


@lru_cache(maxsize=4)
def _read(project: Path, _state: Signature) -> dict[str, TableModel]:
    sources = _sources(project)
    described = _described(project)
    out: dict[str, TableModel] = {}
    for folder, layer in FOLDERS.items():
        for name, sql in sources.items():
            if "__" in name and sql.folder == folder:
                out[_table(name)] = _model(project, name, layer, sources, described.get(name))
    return out


def compile_model(model: TableModel) -> tuple[CompiledTableRule, ...]:
    """The suite of a table: what its yml implies, then what it declares; a declared rule replaces an implied one.

    Raises:
        ContractError: a rule cannot be compiled; with file and line.
    """
    context = _context(model)
    out: dict[str, CompiledTableRule] = {}
    written: set[str] = set()
    for use, at in model.uses:
        own = "quality" in at
        try:
            compiled = compile_table_rule(use, context)
        except RuleRefused as e:
            raise _error(model, at, str(e), e.cure) from e
        for rule in compiled:
            if rule.code in written:
                raise _error(model, at, f"two rules would be called {rule.code!r}", "remove one of the two")
            if own:
                written.add(rule.code)
            out[rule.code] = rule
    return tuple(out.values())


def _context(model: TableModel) -> TableContext:
    return TableContext(
        table=model.table,
        checkpoint=model.layer,
        relation=relation_of(model.table),
        columns=model.columns,
        key=model.key,
        inputs=model.inputs,
    )


class _Sql(NamedTuple):
    """A model as it is written: its folder below ``models``, the models and the feeds it names."""

    folder: str
    refs: frozenset[str]
    feeds: frozenset[str]


def _sources(project: Path) -> dict[str, _Sql]:
    """Every model, by name."""
    found = {}
    for path in sorted((project / "models").rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        folder = path.relative_to(project / "models").parts[0]
        found[path.stem] = _Sql(folder, frozenset(_REF.findall(text)) - {path.stem}, frozenset(_SOURCE.findall(text)))
    return found


class DataTest(NamedTuple):
    """A generic data test of dbt: its name, its column, its other arguments, and whether it only warns."""

    kind: str
    column: str | None
    arguments: Mapping[str, Any]
    warns: bool = False


def asked_by_suites(project: Path, tests: Iterable[tuple[TableModel, DataTest]]) -> list[bool]:
    """Of each test of a table: whether the table's suite asks the same, of all rows and as gravely."""
    sources = _sources(project)
    suites: dict[str, dict[str, CompiledTableRule]] = {}
    found = []
    for model, test in tests:
        if model.table not in suites:
            suites[model.table] = {r.code: r for r in compile_model(model)}
        uses = _uses(project, model, test, sources)
        wanted = [rule for use in uses for rule in compile_table_rule(use, _context(model))]
        found.append(bool(wanted) and all(_holds(suites[model.table].get(w.code), w) for w in wanted))
    return found


def _uses(project: Path, model: TableModel, test: DataTest, sources: Mapping[str, _Sql]) -> list[TableRuleUse]:
    """The table rules that together say what ``test`` says, none where they cannot."""
    severity: Any = "warn" if test.warns else "stop"
    columns = set(test.arguments.get("columns") or ()) if test.kind == "unique_key" else {test.column}
    if test.kind in ("unique", "unique_key"):
        # an empty key is a value to dbt, and no key to the suite
        rules = ("key_unique", "key_not_null") if model.key and columns == set(model.key) else ()
        return [TableRuleUse(rule=r, severity=severity) for r in rules]
    if test.column is None:
        return []
    if test.kind == "not_null" and test.column in model.key:
        return [TableRuleUse(rule="key_not_null", severity=severity)]
    given = {test.kind: {"arguments": dict(test.arguments), "config": {"severity": severity}}}
    use = _of_test(project, test.column, given, sources)
    return [use] if use is not None else []


def _holds(asked: CompiledTableRule | None, wanted: CompiledTableRule) -> bool:
    if asked is None or asked.expectation != wanted.expectation:
        return False
    return asked.severity == "stop" or wanted.severity == "warn"


def _error(model: TableModel, at: Loc, message: str, cure: str) -> ContractError:
    if model.yml is None:
        return ContractError(message, hint=cure, table=model.table)
    return _yaml(model.yml).error(at, f"{model.table}: {message}", cure)


def _table(name: str) -> str:
    return name.replace("__", ".", 1)


def _yaml(path: Path) -> YamlFile:
    stat = path.stat()
    return _parsed(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _parsed(path: Path, changed_ns: int, size: int) -> YamlFile:
    return read_yaml(path)


def _described(project: Path) -> dict[str, tuple[Path, Loc, dict[str, Any]]]:
    """Model name to file, place and entry."""
    found: dict[str, tuple[Path, Loc, dict[str, Any]]] = {}
    for path in sorted((project / "models").rglob("*.yml")):
        if path.relative_to(project / "models").parts[0] == "staging":
            continue
        for i, entry in enumerate((_yaml(path).data or {}).get("models") or ()):
            found[str(entry["name"])] = (path, ("models", i), entry)
    return found


def _meta(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**(entry.get("meta") or {}), **((entry.get("config") or {}).get("meta") or {})}


def _model(
    project: Path,
    name: str,
    layer: Literal["library", "mart"],
    sources: Mapping[str, _Sql],
    described: tuple[Path, Loc, dict[str, Any]] | None,
) -> TableModel:
    path, at, entry = described or (None, (), {})
    meta = _meta(entry)
    grade = int(meta.get("grade") or 1)
    columns = {str(c["name"]): _column(c, grade) for c in entry.get("columns") or ()}
    uses = [*_implied(project, entry, at, sources), *(_declared(path, at, meta) if path else ())]
    return TableModel(
        table=_table(name),
        layer=layer,
        description=str(entry.get("description") or ""),
        grade=grade,
        key=tuple(k for k in meta.get("key") or () if k in columns),
        columns=columns,
        inputs=tuple(sorted(_inputs(name, sources, set()))),
        parents=tuple(sorted(_table(p) for p in _parents(name, sources) if _is_table(p, sources))),
        uses=tuple(uses),
        yml=path,
        at=at,
    )


def _column(entry: Mapping[str, Any], model_grade: int) -> TableColumn:
    meta = _meta(entry)
    name = str(entry["name"])
    grade = int(meta.get("grade") or model_grade)
    return TableColumn(name, str(meta.get("label") or name), str(entry.get("data_type") or "").lower(), grade)  # type: ignore[arg-type]


def _parents(name: str, sources: Mapping[str, _Sql]) -> frozenset[str]:
    return sources[name].refs if name in sources else frozenset()


def _is_table(name: str, sources: Mapping[str, _Sql]) -> bool:
    return name in sources and sources[name].folder in FOLDERS


def _inputs(name: str, sources: Mapping[str, _Sql], seen: set[str]) -> set[str]:
    """Feeds that flow into a model."""
    if name in seen or name not in sources:
        return set()
    seen.add(name)
    return set(sources[name].feeds).union(*(_inputs(parent, sources, seen) for parent in sources[name].refs))


def _implied(
    project: Path, entry: Mapping[str, Any], at: Loc, sources: Mapping[str, _Sql]
) -> Iterator[tuple[TableRuleUse, Loc]]:
    """Rules that follow from the key, the grades and dbt's data tests."""
    yield TableRuleUse(rule="key_not_null"), at
    yield TableRuleUse(rule="key_unique"), at
    key = set(_meta(entry).get("key") or ())
    for i, column in enumerate(entry.get("columns") or ()):
        name, codes = str(column["name"]), False
        for j, test in enumerate(column.get("data_tests") or column.get("tests") or ()):
            use = _of_test(project, name, test, sources)
            if use is None or (use.rule == "not_null" and name in key):
                continue
            codes = codes or use.rule == "code_list"
            yield use, (*at, "columns", i, "data_tests", j)
        if codes and name not in key:
            yield TableRuleUse(rule="distribution_shift", params={"column": name}), (*at, "columns", i)
    if entry.get("columns"):
        yield TableRuleUse(rule="no_identifiers"), at
        yield TableRuleUse(rule="sensitive_content"), at
    yield TableRuleUse(rule="inputs_fresh"), at
    yield TableRuleUse(rule="row_count_shift"), at


def _of_test(project: Path, column: str, test: Any, sources: Mapping[str, _Sql]) -> TableRuleUse | None:
    """The table rule that says what a generic dbt test says; None for one without."""
    kind, given = (test, {}) if isinstance(test, str) else next(iter(test.items()))
    given = given or {}
    config = given.get("config") or {}
    arguments = {
        **given,
        **(given.get("arguments") or {}),
    }
    if config.get("where"):
        return None  # a part of the rows: dbt's own test asks it
    severity: Any = "warn" if str(config.get("severity", "")).lower() == "warn" else "stop"
    if kind == "not_null":
        return TableRuleUse(rule="not_null", severity=severity, params={"column": column})
    if kind == "accepted_values":
        values = [str(v) for v in arguments.get("values") or ()]
        return TableRuleUse(rule="code_list", severity=severity, params={"column": column, "values": values})
    target = _REF.search(str(arguments.get("to") or ""))
    if kind != "relationships" or target is None:
        return None
    if _is_table(target[1], sources):
        to = {"column": column, "to": _table(target[1]), "field": arguments.get("field") or ""}
        return TableRuleUse(rule="reference", severity=severity, params=to)
    codes = _seed_codes(project / "seeds" / f"{target[1]}.csv", str(arguments.get("field")))
    if not codes:
        return None
    listed = {"column": column, "values": codes, "name": target[1].removeprefix("codes__")}
    return TableRuleUse(rule="code_list", severity=severity, params=listed)


def _seed_codes(path: Path, field: str) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        codes = sorted({row[field] for row in csv.DictReader(file) if row.get(field)})
    return codes if len(codes) <= _CODES else []


def _declared(path: Path, at: Loc, meta: Mapping[str, Any]) -> Iterator[tuple[TableRuleUse, Loc]]:
    """``config.meta.quality`` of a model."""
    place: Loc = (*at, "config", "meta", "quality")
    given = meta.get("quality") or []
    if not isinstance(given, list):
        raise _yaml(path).error(place, "quality is a list of rules", "write - {rule: …, <parameters>}")
    for i, spec in enumerate(given):
        try:
            yield TableRuleUse.model_validate(spec), (*place, i)
        except ValidationError as e:
            fault = e.errors()[0]
            where = ".".join(str(p) for p in fault["loc"]) or "rule"
            raise _yaml(path).error(
                (*place, i),
                f"{where}: {fault['msg']}",
                "write {rule: <name>, severity: warn|stop, party: source|platform, dimension: …, <parameters>}",
            ) from e
