"""The contract's types in Arrow, DuckDB and Delta agree."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import duckdb
import pyarrow as pa
import pytest

from catalog.errors import ContractError
from catalog.grading import load_grading
from catalog.model import CatalogueEntry, DataType, Element, Feed, FieldSpec, Format, Load, Source
from catalog.registry import Catalog
from catalog.settings import PACKAGED_CATALOG
from warehouse.schema import arrow_type, duckdb_type, feed_columns, feed_schema


def _catalog(elements: dict[str, Element], fields: dict[str, FieldSpec]) -> Catalog:
    feed = Feed(
        id="dept__object",
        department="dept",
        object="object",
        title="t",
        provider="dept",
        catalogue=CatalogueEntry(code="1/01-0001", sharing="unconditional", opening="unconditional", update="daily"),
        source=Source(path="a/*.csv"),
        format=Format(type="csv"),
        load=Load(mode="snapshot"),
        fields=fields,
    )
    return Catalog(
        root=Path("."),
        departments={},
        elements=elements,
        code_lists={},
        feeds={feed.id: feed},
        products={},
        files={},
        grading=load_grading(PACKAGED_CATALOG / "grading"),
    )


@pytest.mark.parametrize("kind", get_args(DataType))
def test_duckdb_and_arrow_agree(kind: DataType) -> None:
    con = duckdb.connect()
    con.execute("set TimeZone='UTC'")
    made = con.execute(f"select cast(null as {duckdb_type(kind, 20, 4)}) as c").to_arrow_table().schema.field("c").type
    assert made == arrow_type(kind, 20, 4)


def test_pseudonym_stands_right_after_its_field_and_system_columns_last() -> None:
    catalog = _catalog(
        {"resident_id": Element(label="证件", grade=4, pseudonym="resident_key"), "fee": Element(label="费", grade=1)},
        {"resident_id": FieldSpec(from_=("a",)), "fee": FieldSpec(from_=("b",), type="decimal")},
    )
    schema = feed_schema(catalog, "dept__object")
    assert schema.names == ["resident_id", "resident_key", "fee", "_receipt", "_row_number", "_loaded_at"]
    assert schema.field("fee").type == pa.decimal128(18, 2)
    assert schema.field("_loaded_at").type == pa.timestamp("us", tz="UTC")
    assert [c.origin for c in feed_columns(catalog, "dept__object")][1] == "pseudonym"


def test_two_columns_of_one_name_are_refused() -> None:
    catalog = _catalog(
        {"a": Element(label="a", grade=4, pseudonym="b"), "b": Element(label="b", grade=1)},
        {"a": FieldSpec(from_=("a",)), "b": FieldSpec(from_=("b",))},
    )
    with pytest.raises(ContractError, match="'b'"):
        feed_columns(catalog, "dept__object")
