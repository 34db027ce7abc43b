"""Holds a dbt project to its grades before any of it is built: what dbt's manifest says, made ready for lineage."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catalog.errors import ContractError
from catalog.registry import Catalog
from catalog.settings import Settings
from quality import flow, lineage, lineage_sql
from quality.flow import Flow
from quality.lineage import GradeReport, ModelSpec, Problem, Relation, check, source
from quality.masks.registry import all_masks, get_mask
from warehouse.dbt_nodes import table_of
from warehouse.delta import exists
from warehouse.schema import VALID_FROM, VALID_TO, feed_columns

REMEMBERED = 50
"""Checks remembered; builds of staging, libraries and marts alternate."""


def feed_relations(catalog: Catalog) -> dict[str, Relation]:
    """The feed tables as lineage starts from them: grade, identifying element and feed of each column."""
    found = {}
    for feed_id, feed in catalog.feeds.items():
        fields = {f.name: f for f in catalog.fields(feed)}
        stands_for = {f.element.pseudonym: f for f in fields.values() if f.element.pseudonym}
        columns = {}
        for column in feed_columns(catalog, feed_id):
            field = fields.get(column.name) or stands_for.get(column.name)
            if field is None:  # _receipt, _row_number, _loaded_at
                columns[column.name] = Flow()
                continue
            element = field.spec.element or field.name
            identifies = field.element.identifier != "none"
            place = element in catalog.grading.combinations.places
            columns[column.name] = Flow(
                grade=field.grade,
                quasi=frozenset({element} if identifies else ()),
                direct=field.element.identifier == "direct",
                registers=frozenset({feed_id} if identifies and not place else ()),
            )
        found[f"feed.{feed_id}"] = source(f"feed.{feed_id}", columns, catalog.table_key(feed))
        if feed.load.history:
            versions = columns | {VALID_FROM: Flow(), VALID_TO: Flow()}
            key = (*catalog.table_key(feed), VALID_FROM)
            found[f"history.{feed_id}"] = source(f"history.{feed_id}", versions, key)
    return found


def relations(manifest: Any, catalog: Catalog) -> dict[str, Relation]:
    """Everything models may read that is no model: feeds, other sources with ``meta.grade``, and seeds (grade 1)."""
    found = feed_relations(catalog)
    for node in manifest.sources.values():
        name, grade = f"{node.schema}.{node.identifier}", _meta(node).get("grade")
        if name not in found and grade is not None:
            columns = {c.name: Flow(grade=_meta(c).get("grade", grade)) for c in node.columns.values()}
            found[name] = source(name, columns or {"*": Flow(grade=grade)})
    for node in manifest.nodes.values():
        if str(node.resource_type) == "seed":
            name = f"{node.schema}.{node.alias}"
            grade = _meta(node).get("grade", 1)
            found[name] = source(name, {c: Flow(grade=grade) for c in _seed_columns(node)})
    return found


def _seed_columns(node: Any) -> list[str]:
    typed = list(node.config.column_types)
    if typed:
        return [c.lower() for c in typed]
    with (Path(node.root_path) / node.original_file_path).open(encoding="utf-8-sig", newline="") as file:
        return [c.strip().lower() for c in next(csv.reader(file), [])]


def specs(nodes: Iterable[Any]) -> list[ModelSpec]:
    """dbt's compiled models as lineage reads them.

    Raises:
        ContractError: a grade is not 1 to 4, or a ``lowered:`` is not what it must be.
    """
    return [_spec(node) for node in nodes if str(node.config.materialized) != "ephemeral"]


def _spec(node: Any) -> ModelSpec:
    columns = {name.lower(): _meta(column) for name, column in node.columns.items()}
    file = (node.patch_path or node.original_file_path).split("://")[-1]
    found = {
        "name": f"{node.schema}.{node.alias}",
        "file": file,
        "sql": node.compiled_code or node.raw_code,
        "grade": _meta(node).get("grade"),
        "columns": {name: meta.get("grade") for name, meta in columns.items()},
        "lowered": {name: meta["lowered"] for name, meta in columns.items() if "lowered" in meta},
        "key": _meta(node).get("key") or (),
        "view": str(node.config.materialized) == "view",
    }
    try:
        return ModelSpec.model_validate(found)
    except ValidationError as e:
        fault = e.errors()[0]
        raise ContractError(
            f"the meta of model {node.name}, {'.'.join(map(str, fault['loc']))}: {fault['msg']}",
            hint="grade: 1 to 4; lowered: {from: <grade that flows in>, by: <id in grading/lowering.yaml>, reason: …}",
            file=file,
        ) from e


def _meta(thing: Any) -> dict[str, Any]:
    """``config.meta`` of a node or column; ``meta`` where dbt still keeps it there."""
    config = getattr(thing, "config", None)
    return {**(getattr(thing, "meta", None) or {}), **(getattr(config, "meta", None) or {})}


def check_models(nodes: Iterable[Any], manifest: Any, catalog: Catalog, *, on: date) -> GradeReport:
    """The grades of compiled models and everything wrong with them."""
    return check(specs(nodes), relations(manifest, catalog), catalog.grading, on=on, masks=mask_forms())


def mask_forms() -> dict[str, tuple[str, int]]:
    """Masks with their SQL over a column ``x``; those that use their value at all."""
    forms = {name: (mask.sql("x"), mask.lowers_to) for name, mask in all_masks().items()}
    return {name: form for name, form in forms.items() if "(x)" in form[0]}


def check_products(report: GradeReport, catalog: Catalog) -> list[Problem]:
    """Products that would release a column above their bound by the grade of its model, whatever they state."""
    problems = []
    for product in catalog.products.values():
        table = report.table(product.table)
        grades = {c.column: c.grade for c in table.columns} if table else {}
        for name, spec in product.columns.items():
            origin = spec.from_ or name
            grade, element = grades.get(origin), catalog.elements.get(origin)
            mask = spec.mask or (element.mask if element else None)
            after = min(grade, get_mask(mask).lowers_to) if grade and mask else grade
            if after is not None and after > product.max_grade:
                message = f"product {product.id} would release {product.table}.{origin} of grade {after}"
                hint = f"its bound is {product.max_grade}: mask or drop the column"
                file = str(catalog.files.get(product.id, ""))
                problems.append(
                    Problem(kind="silent", table=product.table, column=origin, file=file, message=message, hint=hint)
                )
    return problems


def digest(
    nodes: Sequence[Any],
    manifest: Any,
    catalog: Catalog,
    settings: Settings,
    *,
    project: Path,
    on: date,
    full_refresh: bool,
) -> str:
    """A hash of everything that decides the outcome of a check, known before compiling.

    Whether the table of an incremental model is there belongs to it: its SQL is another then.
    """
    incremental = [node for node in nodes if str(node.config.materialized) == "incremental"]
    known = relations(manifest, catalog)
    parts: list[Any] = [
        on.isoformat(),
        full_refresh,
        sorted((node.unique_id, exists(table_of(settings, node))) for node in incremental),
        (project / "dbt_project.yml").read_text(encoding="utf-8"),
        sorted((k, v) for k, v in (manifest.env_vars or {}).items() if not k.startswith("LAKEHOUSE_")),
        sorted((m.unique_id, m.macro_sql) for m in manifest.macros.values() if m.package_name == _package(manifest)),
        [spec.model_dump(mode="json") for spec in sorted(specs(nodes), key=lambda s: s.name)],
        [(name, sorted((c, f.grade, sorted(f.quasi)) for c, f in r.columns.items())) for name, r in known.items()],
        catalog.grading.model_dump(mode="json"),
        mask_forms(),
        [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (flow, lineage, lineage_sql)],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _package(manifest: Any) -> str:
    return str(manifest.metadata.project_name)


_passed: set[str] = set()
"""Digests that passed in this process, in whichever lakehouse: nothing else decides."""


def was_checked(settings: Settings, value: str) -> bool:
    """Whether a project of this digest passed before."""
    return value in _passed or value in _remembered(settings)


def remember_checked(settings: Settings, value: str) -> None:
    """Note that a project of this digest passed."""
    _passed.add(value)
    kept = [d for d in _remembered(settings) if d != value][-(REMEMBERED - 1) :]
    path = _path(settings)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps([*kept, value]), encoding="utf-8")
    draft.replace(path)


def _remembered(settings: Settings) -> list[str]:
    path = _path(settings)
    if not path.exists():
        return []
    try:
        return [str(d) for d in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError):  # cut short by a crash: everything is checked anew
        return []


def _path(settings: Settings) -> Path:
    return settings.build / "graded.json"
