"""Persons of grade 4 leave as counts with noise only, and only while the product's privacy budget lasts.

``platform.privacy_budget`` says what each release spent; the sum of a Beijing calendar year stays within the product's
budget (sequential composition). The budget is spent before the noise is drawn: a release that dies has spent it.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from catalog.errors import ReleaseRefused
from catalog.model import PrivateCounts, Product
from catalog.settings import Settings
from warehouse.duck import literal, quote

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


Digest = tuple[int, str, str]
"""Rows, and two order-free sums over a hash of every row."""
TABLE = "privacy_budget"
DIGEST_KEY = "release-digest.key"
BEIJING = ZoneInfo("Asia/Shanghai")


class BudgetSpent(ReleaseRefused):
    """Another release would lose more privacy than the product allows in a year."""

    code = "LH522"


def require_counts(product: Product, grade: int) -> None:
    """Refuse rows of grade 4 that are not counted.

    Raises:
        ReleaseRefused: ``private_counts`` is missing.
    """
    if grade >= 4 and product.private_counts is None:
        raise ReleaseRefused(
            f"product {product.id} may not leave: data of grade 4 leaves as counts only",
            hint="declare private_counts, or build a mart of a lower grade",
            product=product.id,
            grade=grade,
        )
    if product.private_counts and "parquet" not in product.formats:
        raise ReleaseRefused(
            f"product {product.id}: private_counts needs parquet among its formats",
            hint="add parquet: a repeated run takes the noisy counts from there",
            product=product.id,
        )


def count_sql(product: Product, spec: PrivateCounts, relation: str, columns: str, names: list[str], where: str) -> str:
    """Distinct persons of each cell."""
    cells = ", ".join(quote(n) for n in names)
    inner = f"SELECT {columns}, {quote(spec.person)} AS _person FROM {relation}{where}"  # noqa: S608
    return f"SELECT {cells}, count(DISTINCT _person) AS {quote(spec.count)} FROM ({inner}) GROUP BY {cells}"  # noqa: S608


def spread_sql(spec: PrivateCounts, relation: str, columns: str, names: list[str], where: str) -> str:
    """The most cells one person stands in."""
    cells = ", ".join(quote(n) for n in names)
    inner = f"SELECT DISTINCT {columns}, {quote(spec.person)} AS _person FROM {relation}{where}"  # noqa: S608
    each = f"SELECT count(DISTINCT ({cells}, 0)) AS n FROM ({inner}) WHERE _person IS NOT NULL GROUP BY _person"  # noqa: S608
    return f"SELECT coalesce(max(n), 0) FROM ({each})"  # noqa: S608


def sealed(settings: Settings, content: Digest) -> Digest:
    """A digest from which the exact counts cannot be guessed; equal for equal content."""
    from quality.keys import key_file

    key = key_file(settings.keys / DIGEST_KEY)
    return 0, hmac.digest(key, repr(content).encode(), "sha256").hex(), ""


def spend(settings: Settings, product: Product, spec: PrivateCounts, version: int, now: datetime) -> dict[str, Any]:
    """Enter one release into the ledger; once for a version.

    Returns:
        ``epsilon``, ``delta``, ``spent`` and ``budget`` of the year, for the manifest.

    Raises:
        BudgetSpent: nothing was entered.
    """
    import pyarrow as pa

    from quality.private_counts import delta
    from warehouse.delta import commit_once
    from warehouse.tables import table_lock

    year = now.astimezone(BEIJING).year
    path = settings.platform_path(TABLE)
    with table_lock(settings, f"platform.{TABLE}"):
        before = _spent(path, product.id, year)
        if before + spec.epsilon > spec.budget + 1e-9:
            raise BudgetSpent(
                f"product {product.id} has spent {before:g} of its privacy budget of {spec.budget:g} for {year}",
                hint="release less often, with a smaller epsilon, or wait for the next year",
                product=product.id,
            )
        row = {"product": product.id, "version": version, "year": year, "epsilon": spec.epsilon, "at": now}
        schema = pa.schema(
            [
                ("product", pa.string()),
                ("version", pa.int64()),
                ("year", pa.int64()),
                ("epsilon", pa.float64()),
                ("at", pa.timestamp("us", "UTC")),
            ]
        )
        table = pa.Table.from_pylist([row], schema=schema)
        commit_once(path, table, mode="append", app_id=f"privacy:{product.id}:{now.isoformat()}", version=version)
    found = {"epsilon": spec.epsilon, "delta": delta(spec.epsilon, spec.k), "k": spec.k}
    return {**found, "year": year, "spent": round(before + spec.epsilon, 9), "budget": spec.budget}


def add_noise(con: duckdb.DuckDBPyConnection, exact: Path, spec: PrivateCounts, order: str) -> None:
    """Replace the exact counts in the Parquet file ``exact`` by noisy ones; those below ``k`` go with their row."""
    import pyarrow as pa

    from quality.private_counts import noisy_counts

    table = con.execute(f"FROM read_parquet({literal(str(exact))})").to_arrow_table()
    at = table.column_names.index(spec.count)
    noisy = pa.array(noisy_counts(table[spec.count].to_pylist(), spec.epsilon), pa.int64())
    con.register("noisy", table.set_column(at, spec.count, noisy))
    exact.unlink()
    try:
        con.execute(
            f"COPY (SELECT * FROM noisy WHERE {quote(spec.count)} >= {spec.k} ORDER BY {order}) "  # noqa: S608
            f"TO {literal(str(exact))} (FORMAT parquet, COMPRESSION zstd)"
        )
    finally:
        con.unregister("noisy")


def _spent(path: str, product_id: str, year: int) -> float:
    from warehouse import duck
    from warehouse.delta import exists

    if not exists(path):
        return 0.0
    with duck.connect() as con:
        duck.load_extension(con, "delta")
        sql = f"SELECT coalesce(sum(epsilon), 0) FROM delta_scan({literal(path)}) WHERE product = ? AND year = ?"  # noqa: S608
        row = con.execute(sql, [product_id, year]).fetchone()
    return float(row[0]) if row else 0.0
