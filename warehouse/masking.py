"""What of a table may be seen without a grant: each column in clear, masked, or not at all.

The view that the locked engine holds for a table is made of these decisions, so a statement can only ever meet masked
values: in predicates, joins, aggregates, casts, orders and error messages alike. What is not known to be of grade 1 or
2 is masked; a value stays joinable where it is a keyed pseudonym already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from catalog.registry import Catalog
from catalog.yamlfile import read_yaml
from quality.pseudonym import is_pseudonym_sql
from warehouse import duck
from warehouse.model_grades import PROJECT, column_meta, table_grade

if TYPE_CHECKING:
    from warehouse.tables import TableRef

CLEAR_UP_TO = 2
"""The highest grade that is given in clear without a grant."""
_SYSTEM = frozenset({"_receipt", "_row_number", "_loaded_at", "_deleted_at"})
_HISTORY = frozenset({"valid_from", "valid_to"})
_PLAIN = (
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "DATE",
    "TIMESTAMP",
    "TIME",
)
Kind = Literal["clear", "pseudonym", "token", "masked"]


@dataclass(frozen=True)
class ColumnView:
    """How one column of a table is seen.

    Attributes:
        grade: of the value as it is stored; 4 where nothing says.
        kind: ``clear``; ``pseudonym``: in clear when it has a pseudonym's form; ``token``: another value of each run
            that still joins; ``masked``.
        expression: SQL over the table, without a name.
    """

    name: str
    type: str
    grade: int
    kind: Kind
    expression: str

    @property
    def is_masked(self) -> bool:
        return self.kind in ("masked", "token")


@dataclass(frozen=True)
class _Known:
    """What the catalogue says of a column: its grade, the mask of its element, whether it names a person itself."""

    grade: int = 4
    mask: str | None = None
    is_direct: bool = False
    kind: Kind | None = None


def column_views(
    catalog: Catalog,
    ref: TableRef,
    columns: Sequence[tuple[str, str]],
    *,
    salt: str,
    clear: Collection[str] = (),
    project: Path = PROJECT,
) -> tuple[ColumnView, ...]:
    """How each column of a table is seen, in the table's order.

    Args:
        columns: names and DuckDB types as the table has them.
        salt: unknown to the reader; joinable tokens are made with it.
        clear: columns a grant gives in clear.
    """
    known = _known(catalog, ref, columns, project)
    return tuple(_view(name, type_, known.get(name, _Known()), salt, name in clear) for name, type_ in columns)


def select_sql(views: Sequence[ColumnView], relation: str) -> str:
    """The statement of a table's view; every column is named, so that nothing hidden comes along."""
    columns = ", ".join(f"{view.expression} AS {duck.quote(view.name)}" for view in views)
    return f"SELECT {columns} FROM {relation}"  # noqa: S608 - quoted names of a schema, expressions made here


def highest_grade(catalog: Catalog, ref: TableRef, project: Path = PROJECT) -> int:
    """The grade of a table as a whole; 4 where nothing says."""
    if ref.layer in ("feed", "quarantine"):
        return catalog.grade(ref.name) if ref.name in catalog.feeds else 4
    if ref.layer in ("library", "mart"):
        return table_grade(ref.sql_name, project) or 4
    return 3 if ref.layer == "platform" else 4


def _view(name: str, type_: str, known: _Known, salt: str, granted: bool) -> ColumnView:
    column = duck.quote(name)
    if granted:
        return ColumnView(name, type_, known.grade, "clear", column)
    kind: Kind = known.kind or ("clear" if known.grade <= CLEAR_UP_TO and not known.is_direct else "masked")
    if kind == "token" and type_ != "VARCHAR":
        kind = "masked"
    made = {
        "clear": column,
        "pseudonym": f"CASE WHEN {is_pseudonym_sql(column)} THEN {column} END",  # never what else stands there
        "token": f"sha256({duck.literal(salt)} || {column})",
    }
    expression = made.get(kind) or _masked(column, type_, known.mask)
    return ColumnView(name, type_, known.grade, kind, expression)


def _masked(column: str, type_: str, mask_name: str | None) -> str:
    """The column with its registered mask, of the type it had; NULL where no mask keeps the type."""
    empty = f"CAST(NULL AS {type_})"
    if not mask_name:
        return empty
    from quality.masks.registry import get_mask

    mask = get_mask(mask_name)
    if mask.keyed or mask.lowers_to > CLEAR_UP_TO:
        return empty
    if mask.takes == "date" and type_.startswith(("DATE", "TIMESTAMP")):
        return f"CAST(date_trunc('year', {column}) AS {type_})"
    if mask.takes == "text" and type_ == "VARCHAR":
        return mask.sql(column)
    return empty


def _known(catalog: Catalog, ref: TableRef, columns: Sequence[tuple[str, str]], project: Path) -> Mapping[str, _Known]:
    if ref.layer == "feed":
        versions = {name: _Known(grade=1) for name in _HISTORY} if ref.schema == "history" else {}
        return {**versions, **_feed(catalog, ref.name)}
    if ref.layer in ("library", "mart"):
        return _model(catalog, ref.sql_name, project)
    if ref.layer == "extract":
        return _extract(catalog, ref.name, project)
    if ref.layer in ("platform", "quarantine"):
        grade = highest_grade(catalog, ref, project)
        named = read_yaml(catalog.root / "grading" / "platform.yaml").data[ref.layer]
        plain = {n: 1 if n in named or (t.startswith(_PLAIN) and "[" not in t) else grade for n, t in columns}
        stated = _stated(ref.name, project) if ref.layer == "platform" else {}
        return {name: _Known(grade=max(found, stated.get(name, 1))) for name, found in plain.items()}
    return {}


@cache
def _stated(table: str, project: Path) -> Mapping[str, int]:
    """Grades of a platform table's columns where the dbt project states them: dates and numbers may be of persons."""
    (source,) = read_yaml(project / "models" / "staging" / "_platform.yml").data["sources"]
    columns: list[dict[str, Any]] = next((t["columns"] for t in source["tables"] if t["name"] == table), [])
    stated = {c["name"]: c.get("config", {}).get("meta", {}).get("grade") for c in columns}
    return {name: int(grade) for name, grade in stated.items() if grade}


def _feed(catalog: Catalog, feed_id: str) -> dict[str, _Known]:
    if feed_id not in catalog.feeds:
        return {}
    found = {name: _Known(grade=1) for name in _SYSTEM}
    for field in catalog.fields(feed_id):
        mask = field.mask or field.element.mask
        found[field.name] = _Known(field.grade, mask, field.element.identifier == "direct")
        if field.element.pseudonym:
            found[field.element.pseudonym] = _Known(field.grade, kind="clear")
    return found


def _model(catalog: Catalog, table: str, project: Path) -> dict[str, _Known]:
    pseudonyms = {e.pseudonym for e in catalog.elements.values() if e.pseudonym}
    found = {}
    for name, meta in column_meta(table, project).items():
        element = catalog.elements.get(name)
        is_direct = element is not None and element.identifier == "direct"
        grade, kind = int(meta.get("grade") or 4), None
        if name in pseudonyms or meta.get("pseudonym") in pseudonyms:
            kind = "pseudonym"
        elif grade > CLEAR_UP_TO and name.endswith("_key"):
            kind = "token"
        found[name] = _Known(grade, element.mask if element else None, is_direct, kind)  # type: ignore[arg-type]
    return found


def _extract(catalog: Catalog, product_id: str, project: Path) -> dict[str, _Known]:
    """A released table: its columns were masked as the product says, and are masked again when that was too little."""
    product = catalog.products.get(product_id)
    if product is None:
        return {}
    from quality.masks.registry import get_mask

    grades = {name: int(meta.get("grade") or 4) for name, meta in column_meta(product.table, project).items()}
    found = {}
    for name, spec in product.columns.items():
        origin = spec.from_ or name
        element = catalog.elements.get(origin)
        grade = max(spec.grade or 1, element.grade if element else 1, grades.get(origin, 1))
        mask = spec.mask or (element.mask if element else None)
        found[name] = _Known(min(grade, get_mask(mask).lowers_to) if mask else grade)
    if product.private_counts:
        found[product.private_counts.count] = _Known(grade=CLEAR_UP_TO)
    return found
