"""How well records were linked and values chosen, against a truth beside the files (the demo's).

A pair of records counts as found when both are one person here and there. Only records that reached a feed table
count: what quarantine holds cannot be linked.
"""

# ruff: noqa: S608 - names are constants, paths are quoted
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from catalog.errors import InputError
from catalog.linking import Linking, load_linking
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.sql import literal, quote
from warehouse.delta import exists, scan_sql
from warehouse.duck import connect
from warehouse.linking import store

if TYPE_CHECKING:
    import duckdb

PEOPLE, RECORDS = "people.parquet", "records"
VALUES = {
    "sex_code": "t.sex_code",
    "birth_date": "t.birth_date",
    "ethnic_code": "ethnic.code",
    "education_code": "education.code",
    "marital_code": "left(marital.code, 1)",
    "community_code": "t.residence_community_code",
    "registered_community_code": "t.registered_community_code",
}
"""Element of ``population.residents`` to its true value."""
CHOSEN = {"marital_code": "left(r.marital_code, 1)"}
"""初婚 and 再婚 are both 已婚: marriages are compared by their first digit."""


class Matches(BaseModel):
    """Counts of pairs (or persons): ``found`` by linking, ``true`` after the truth, ``right``: in both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    right: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def row(self) -> dict[str, Any]:
        shares = {n: round(getattr(self, n), 5) for n in ("precision", "recall", "f1")}
        return {**shares, "right": self.right, "found": self.found, "true": self.true}


class FaultLine(BaseModel):
    """Records with one kind of fault: how many, and how many are with their own person and nobody else's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: str
    records: int
    right: int


class ValueLine(BaseModel):
    """An element: persons whose value can be compared, and how many are right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    element: str
    persons: int
    right: int


class Accuracy(BaseModel):
    """What `measure` finds.

    Attributes:
        pairs: of all records; ``pairs_without_id``: of which one at least has no valid ID of its own.
        clusters: persons whose records are exactly those of one true person.
        values: survivorship by element; ``value_share``: over all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    records: int
    records_without_id: int
    persons: int
    true_persons: int
    pairs: Matches
    pairs_without_id: Matches
    clusters: Matches
    faults: tuple[FaultLine, ...]
    id_forms: tuple[FaultLine, ...]
    values: tuple[ValueLine, ...]

    @property
    def value_share(self) -> float:
        persons = sum(v.persons for v in self.values)
        return sum(v.right for v in self.values) / persons if persons else 1.0


def has_truth(folder: Path) -> bool:
    """Whether a folder says who is who."""
    return (folder / PEOPLE).is_file() and any((folder / RECORDS).glob("*.parquet"))


def measure(settings: Settings, catalog: Catalog, truth: Path) -> Accuracy:
    """Compare the links and the library as they stand with the truth in a folder.

    Raises:
        InputError: the folder does not say who is who, or nothing was linked yet.
    """
    if not has_truth(truth):
        raise InputError(
            "the truth folder does not say who is who",
            hint="it has people.parquet and records/<feed>.parquet, as lakehouse demo generate writes them",
            file=str(truth),
        )
    if not exists(settings.platform_path(store.LINKS)):
        raise InputError("nothing was linked yet", hint="run: lakehouse link run", file=settings.lake)
    with connect(memory="3GB") as con:
        con.execute("SET TimeZone = 'UTC'")
        _compare(con, settings, catalog, load_linking(catalog), truth)
        counted: Any = con.execute(
            "SELECT count(*), count(*) FILTER (NOT has_id), count(DISTINCT person_key), count(DISTINCT person) FROM c"
        ).fetchone()
        return Accuracy(
            records=counted[0],
            records_without_id=counted[1],
            persons=counted[2],
            true_persons=counted[3],
            pairs=_pairs(con, "count(*)"),
            pairs_without_id=_less(_pairs(con, "count(*)"), _pairs(con, "count(*) FILTER (has_id)")),
            clusters=_clusters(con),
            faults=_lines(con, "fault"),
            id_forms=_lines(con, "id_form"),
            values=_values(con, settings, catalog, truth),
        )


def _compare(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog, linking: Linking, truth: Path
) -> None:
    """``c``: one row a linked record the truth knows, with ``person`` (true) and ``person_key`` (found)."""
    store.view(con, settings, store.LINKS, "links")
    loads = scan_sql(con, settings.platform_path("loads"))
    con.execute(
        "CREATE TEMP TABLE known (feed VARCHAR, record_key VARCHAR, role VARCHAR, person BIGINT, fault VARCHAR,"
        " id_form VARCHAR)"
    )
    for feed_id in linking.registers:
        file = truth / RECORDS / f"{feed_id}.parquet"
        if not file.is_file() or not exists(settings.feed_path(feed_id)):
            continue
        key = quote(catalog.table_key(feed_id)[0])
        con.execute(
            f"""
            INSERT INTO known
            SELECT {literal(feed_id)}, CAST(f.{key} AS VARCHAR), coalesce(nullif(t.role, ''), 'self'), t.person,
                t.fault, t.id_form
            FROM read_parquet({literal(str(file))}) AS t
            INNER JOIN (SELECT source, receipt FROM {loads} WHERE feed = {literal(feed_id)}) AS l ON t.file = l.source
            INNER JOIN {scan_sql(con, settings.feed_path(feed_id))} AS f
                ON l.receipt = f._receipt AND t."row" = f._row_number
            WHERE t.person <> 0
            """
        )
    con.execute(
        """
        CREATE TEMP TABLE c AS
        SELECT k.person_key, t.person, t.role, t.fault, t.id_form, t.id_form IN ('valid', 'fifteen') AS has_id
        FROM known AS t INNER JOIN links AS k USING (feed, record_key, role)
        """
    )


def _pairs(con: duckdb.DuckDBPyConnection, counting: str) -> Matches:
    def pairs(columns: str) -> int:
        sql = f"SELECT sum(n * (n - 1) // 2) FROM (SELECT {counting} AS n FROM c GROUP BY {columns})"
        row: Any = con.execute(sql).fetchone()
        return int(row[0] or 0)

    return Matches(right=pairs("person, person_key"), found=pairs("person_key"), true=pairs("person"))


def _less(all_: Matches, part: Matches) -> Matches:
    return Matches(right=all_.right - part.right, found=all_.found - part.found, true=all_.true - part.true)


def _clusters(con: duckdb.DuckDBPyConnection) -> Matches:
    row: Any = con.execute(
        """
        WITH met AS (SELECT person, person_key, count(*) AS n FROM c GROUP BY ALL),
        found AS (SELECT person_key, sum(n) AS size FROM met GROUP BY 1),
        true_ AS (SELECT person, sum(n) AS size FROM met GROUP BY 1)
        SELECT count(*) FILTER (b.n = f.size AND b.n = t.size),
            (SELECT count(*) FROM found), (SELECT count(*) FROM true_)
        FROM met AS b INNER JOIN found AS f USING (person_key) INNER JOIN true_ AS t USING (person)
        """
    ).fetchone()
    return Matches(right=row[0], found=row[1], true=row[2])


_OWN = """
    own_person AS (SELECT person_key, arg_max(person, n) AS person FROM (
        SELECT person_key, person, count(*) AS n FROM c GROUP BY ALL) GROUP BY 1),
    own_key AS (SELECT person, arg_max(person_key, n) AS person_key FROM (
        SELECT person_key, person, count(*) AS n FROM c GROUP BY ALL) GROUP BY 1)
"""


def _lines(con: duckdb.DuckDBPyConnection, column: str) -> tuple[FaultLine, ...]:
    rows = con.execute(
        f"""
        WITH {_OWN}
        SELECT coalesce(nullif(CAST(c.{column} AS VARCHAR), ''), 'none'), count(*),
            count(*) FILTER (p.person = c.person AND k.person_key = c.person_key)
        FROM c INNER JOIN own_person AS p USING (person_key) INNER JOIN own_key AS k ON c.person = k.person
        GROUP BY 1 ORDER BY 2 DESC, 1
        """
    ).fetchall()
    return tuple(FaultLine(fault=f, records=n, right=r) for f, n, r in rows)


def _values(con: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog, truth: Path) -> tuple[ValueLine, ...]:
    path = settings.table_path("library", "population", "residents")
    if not exists(path):
        return ()
    import pyarrow as pa

    for name, codes in (("ethnic", "ethnic_group"), ("education", "education"), ("marital", "marital_status")):
        by_name = _names(catalog, codes)
        con.register(name, pa.table({"name": list(by_name), "code": list(by_name.values())}))
    columns = ", ".join(
        f"count(*) FILTER (r.{n} IS NOT NULL AND {v} IS NOT NULL), count(*) FILTER ({CHOSEN.get(n, f'r.{n}')} = {v})"
        for n, v in VALUES.items()
    )
    row: Any = con.execute(
        f"""
        WITH {_OWN}
        SELECT {columns}
        FROM {scan_sql(con, path)} AS r
        INNER JOIN own_person AS p USING (person_key) INNER JOIN own_key AS k
            ON p.person = k.person AND r.person_key = k.person_key
        INNER JOIN read_parquet({literal(str(truth / PEOPLE))}) AS t ON p.person = t.person
        LEFT JOIN ethnic ON t.ethnic_name = ethnic.name
        LEFT JOIN education ON t.education_name = education.name
        LEFT JOIN marital ON t.marital_name = marital.name
        WHERE r.status IN ('resident', 'floating') AND t.status IN ('settled', 'floating')
        """
    ).fetchone()
    return tuple(ValueLine(element=n, persons=row[2 * i], right=row[2 * i + 1]) for i, n in enumerate(VALUES))


def _names(catalog: Catalog, codes: str) -> dict[str, str]:
    """Names of a code list, and the short ones the household register writes."""
    feed = catalog.feed("public_security__household")
    written = {n: dict(f.codes) for n, f in feed.fields.items() if f.codes}
    element = {"education": "education_code", "marital_status": "marital_code"}.get(codes, "")
    return {**catalog.code_list(codes).by_name(), **written.get(element, {})}
