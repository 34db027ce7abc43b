"""A product over a few rows of every kind, and how its releases are read: what tests of releases share."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.model import Product
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.publish import Release, publish

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)

Make = Callable[..., Catalog]


def people(rows: int = 3) -> pa.Table:
    names = ["张三丰", "=HYPERLINK(1)", "-", "@sum", "李,四\n五", '引"号', "", None, "+86 10", "-12.5"]
    return pa.table(
        {
            "record_number": pa.array(range(rows), pa.int64()),
            "remark": [names[i % len(names)] for i in range(rows)],
            "person_name": ["欧阳修"] * rows,
            "birth_date": pa.array([date(1990, 1, 1) + timedelta(days=i) for i in range(rows)]),
            "decision_date": pa.array([date(1899, 1, 1), *[date(2026, 1, 1)] * (rows - 1)]),
            "updated_at": pa.array([NOW + timedelta(microseconds=i) for i in range(rows)], pa.timestamp("us", "UTC")),
            "is_current": pa.array([i % 2 == 0 for i in range(rows)]),
            "arrears_cny": pa.array([i * 0.1 for i in range(rows)], pa.float64()),
            "order_number": pa.array([9_007_199_254_740_993 + i for i in range(rows)], pa.int64()),
        }
    )


COLUMNS: dict[str, Any] = {
    "record_number": {"grade": 1, "label": "序号"},
    "remark": {},
    "decision_date": {},
    "updated_at": {},
    "is_current": {"grade": 1},
    "arrears_cny": {},
    "order_number": {"grade": 1},
}


@pytest.fixture
def make(catalog: Catalog, settings: Settings) -> Make:
    """A catalog with one product ``sample`` over ``population.people``, which holds a few rows."""
    write_deltalake(settings.table_path("library", "population", "people"), people(12))

    def build(**over: Any) -> Catalog:
        spec = {
            "id": "sample",
            "title": "样例",
            "owner": "statistics",
            "table": "population.people",
            "purpose": "检验",
            "legal_basis": "检验依据",
            "recipients": ["civil_affairs"],
            "columns": COLUMNS,
            "order_by": ["record_number"],
            "formats": ["csv", "xlsx", "parquet", "delta"],
            **over,
        }
        return catalog.model_copy(update={"products": {spec["id"]: Product.model_validate(spec)}})

    return build


def one(settings: Settings, catalog: Catalog, *, at: datetime = NOW, **more: Any) -> Release:
    return publish(settings, catalog, "sample", now=at, **more)[0]


def read_csv(path: Path) -> list[dict[str, str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as f:
        return list(csv.DictReader(f))
