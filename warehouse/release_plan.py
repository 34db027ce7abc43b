"""What a product may release: its columns with origin, mask and grade, decided before a row is read.

A column leaves only when it is named, its grade is known, and after masks that grade is within the product's
bound. Only a registered mask lowers a grade; a direct identifier never leaves without one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from catalog.errors import ReleaseRefused
from catalog.model import Element, Product, ProductColumn
from catalog.registry import Catalog
from warehouse.duck import quote
from warehouse.model_grades import column_grades

if TYPE_CHECKING:
    from quality.masks import Mask

GEOMETRY_FORMATS = frozenset({"geojson", "geoparquet", "pmtiles"})
OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class PlannedColumn(BaseModel):
    """A column of a release.

    Attributes:
        origin: column of the source table.
        expression: SQL over the source table, mask applied.
        keyed: the mask needs the pseudonym key registered on the connection.
        grade: level after the mask; ``source_grade`` before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    origin: str
    label: str
    unit: str
    code_list: str
    description: str
    mask: str
    source_grade: int
    grade: int
    expression: str
    keyed: bool = False


class Plan(BaseModel):
    """A product made definite against its source table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: Product
    columns: tuple[PlannedColumn, ...]
    conditions: tuple[str, ...]
    parameters: tuple[Any, ...]

    @property
    def grade(self) -> int:
        """The highest grade that leaves."""
        return max(c.grade for c in self.columns)

    @property
    def order(self) -> str:
        """Every column decides the order, so that equal content is equal bytes from run to run."""
        first = [quote(name) for name in self.product.order_by]
        rest = [quote(c.name) for c in self.columns if c.name not in self.product.order_by]
        return ", ".join(f"{name} NULLS LAST" for name in [*first, *rest])

    def select(self, source: str) -> str:
        """The statement that makes the release from relation ``source``, rows in a fixed order."""
        columns, names, where = self._parts()
        if counts := self.product.private_counts:
            from warehouse.release_private import count_sql

            inner = count_sql(self.product, counts, source, columns, names, where)
        else:
            inner = f"SELECT {columns} FROM {source}{where}"  # noqa: S608 - quoted names, values are parameters
        kept = ""
        if (anonymity := self.product.anonymity) and anonymity.suppress:
            from quality.anonymity import suppress_condition

            kept = f" QUALIFY {suppress_condition(anonymity)}"
        return f"SELECT * FROM ({inner}){kept} ORDER BY {self.order}"  # noqa: S608

    def spread(self, source: str) -> str:
        """The statement that gives the most cells one person stands in, of a product of private counts."""
        from warehouse.release_private import spread_sql

        assert self.product.private_counts is not None
        columns, names, where = self._parts()
        return spread_sql(self.product.private_counts, source, columns, names, where)

    def _parts(self) -> tuple[str, list[str], str]:
        """Selected expressions, their names, and the WHERE clause."""
        counts = self.product.private_counts
        chosen = [c for c in self.columns if not (counts and c.name == counts.count)]
        columns = ", ".join(f"{c.expression} AS {quote(c.name)}" for c in chosen)
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return columns, [c.name for c in chosen], where

    def signature(self) -> str:
        """A hash of everything but the rows that makes two releases differ."""
        spec = self.model_dump(mode="json")
        return hashlib.sha256(json.dumps(spec, sort_keys=True, default=str).encode()).hexdigest()


def make_plan(catalog: Catalog, product: Product, source_types: Mapping[str, str]) -> Plan:
    """Check ``product`` against the dictionary and the columns of its table.

    Args:
        source_types: column of the source table to its DuckDB type.

    Raises:
        ReleaseRefused: with product and column, for the first thing that may not leave.
    """
    for field in ("purpose", "legal_basis"):
        if not getattr(product, field).strip():
            raise _refused(product, f"it has no {field}", f"state {field} in the product's YAML")
    if not product.recipients:
        raise _refused(product, "it names no recipient", "list departments, or public, in recipients")
    if "public" in product.recipients and product.opening == "none":
        raise _refused(product, "it goes to the public but opening is none", "set opening, or name departments")
    if not product.columns or not product.formats:
        raise _refused(product, "it names no columns or no formats", "list both in the product's YAML")
    columns = tuple(_column(catalog, product, name, spec, source_types) for name, spec in product.columns.items())
    for name in product.order_by:
        if name not in product.columns:
            raise _refused(product, f"order_by names {name!r}, which is not released", "add the column or drop it")
    if GEOMETRY_FORMATS & set(product.formats) and geometry_column(columns, source_types) is None:
        raise _refused(product, "a geometry format needs a geom… column", "add the column or drop the format")
    columns += _counted(product, source_types)
    _check_anonymity(product, {c.name for c in columns})
    conditions, parameters = _filters(product, source_types)
    return Plan(product=product, columns=columns, conditions=conditions, parameters=parameters)


def _counted(product: Product, source_types: Mapping[str, str]) -> tuple[PlannedColumn, ...]:
    """The column of a product's private counts."""
    counts = product.private_counts
    if counts is None:
        return ()
    if counts.person not in source_types:
        raise _refused(product, f"table {product.table} has no column {counts.person!r}", "name one under person")
    if counts.count in product.columns or counts.person in product.columns:
        raise _refused(product, "its columns are what is counted by", "leave the count and the person out of columns")
    return (
        PlannedColumn(
            name=counts.count,
            origin=counts.person,
            label="人数（含随机噪声）",
            unit="人",
            code_list="",
            description=f"差分隐私计数，ε={counts.epsilon:g}；少于 {counts.k} 的单元不提供",
            mask="dp_count",
            source_grade=4,
            grade=2,
            expression="",
        ),
    )


def _check_anonymity(product: Product, released: set[str]) -> None:
    spec = product.anonymity
    named = [*spec.quasi, spec.count, spec.sensitive] if spec else []
    for name in named:
        if name and name not in released:
            raise _refused(product, f"anonymity names {name!r}, which is not released", "name released columns")


def geometry_column(columns: tuple[PlannedColumn, ...], types: Mapping[str, str]) -> PlannedColumn | None:
    """The first WKB column, by house naming."""
    found = (c for c in columns if c.origin.startswith("geom") and types.get(c.origin) == "BLOB" and not c.mask)
    return next(found, None)


def _column(
    catalog: Catalog, product: Product, name: str, spec: ProductColumn, source_types: Mapping[str, str]
) -> PlannedColumn:
    origin = spec.from_ or name
    if origin not in source_types:
        from difflib import get_close_matches

        near = get_close_matches(origin, list(source_types), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"the table has {', '.join(source_types)}"
        raise _refused(product, f"table {product.table} has no column {origin!r}", hint, name)
    element = catalog.elements.get(origin)
    # The model's own grade counts too: a product cannot state less than its table, under whatever name.
    grade = max(_source_grade(product, name, spec, element), column_grades(product.table).get(origin, 1))
    mask, params = _mask(product, name, spec, element)
    expression = quote(origin)
    after = grade
    if mask is not None:
        is_plain = source_types[origin] == "VARCHAR" or source_types[origin].startswith(("DATE", "TIMESTAMP"))
        expression = mask.sql(expression if is_plain else f"{expression}::VARCHAR", params)
        after = min(grade, mask.lowers_to)
    elif element is not None and element.identifier == "direct":
        raise _refused(product, "a direct identifier of persons has no mask", "set mask: on the column", name)
    if after > product.max_grade:
        cure = "mask or drop the column, or raise max_grade with its approval"
        raise _refused(product, f"grade {after} is above the product's bound {product.max_grade}", cure, name)
    return PlannedColumn(
        name=name,
        origin=origin,
        label=spec.label or (element.label if element else name),
        unit=spec.unit or (element.unit if element else None) or "",
        code_list=(element.codes if element else None) or "",
        description=spec.description or (element.description if element else ""),
        mask=mask.name if mask else "",
        source_grade=grade,
        grade=after,
        expression=expression,
        keyed=mask.keyed if mask else False,
    )


def _source_grade(product: Product, name: str, spec: ProductColumn, element: Element | None) -> int:
    if element is None:
        if spec.grade is None:
            raise _refused(
                product, "its grade is not known", "name a data element in from:, or state grade: on the column", name
            )
        return spec.grade
    if spec.grade is not None and spec.grade < element.grade:
        raise _refused(
            product,
            f"grade {spec.grade} is below grade {element.grade} of its data element",
            "only a mask lowers a grade: set mask:, and leave grade out",
            name,
        )
    return spec.grade or element.grade


def _mask(
    product: Product, name: str, spec: ProductColumn, element: Element | None
) -> tuple[Mask | None, dict[str, Any]]:
    """The product's own mask, unless it protects less than the element's."""
    own = spec.mask
    demanded = element.mask if element else None
    if not own and not demanded:
        return None, {}
    from quality.masks import get_mask

    mask = get_mask(own or demanded or "")
    if own and demanded and own != demanded and mask.lowers_to > get_mask(demanded).lowers_to:
        raise _refused(product, f"mask {own} protects less than {demanded}", f"use {demanded} or a stronger one", name)
    return mask, dict(spec.mask_params)


def _filters(product: Product, source_types: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    for column, tests in product.where.items():
        if column not in source_types:
            raise _refused(product, f"where names {column!r}, which {product.table} lacks", "check its spelling")
        for op, value in tests.items():
            if op == "in" and isinstance(value, list) and value:
                conditions.append(f"{quote(column)} IN ({', '.join('?' * len(value))})")
                parameters.extend(value)
            elif op in OPERATORS and not isinstance(value, list | dict):
                conditions.append(f"{quote(column)} {OPERATORS[op]} ?")
                parameters.append(value)
            else:
                known = ", ".join([*OPERATORS, "in"])
                raise _refused(product, f"where {column}: {op!r} cannot be used so", f"use one of {known}; in: a list")
    return tuple(conditions), tuple(parameters)


def _refused(product: Product, message: str, hint: str, column: str | None = None) -> ReleaseRefused:
    return ReleaseRefused(
        f"product {product.id} may not leave: {message}", hint=hint, product=product.id, column=column
    )
