"""The records linking attributed to a person: those without a number can be found by no value, only by their key."""

# ruff: noqa: S608 - names come from validated contracts and are quoted, values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse import duck
from warehouse.delta import exists, scan_sql

if TYPE_CHECKING:
    import duckdb

SELF = "self"
PLACE = {"quarantine": ("receipt", "row_number"), "vault": ("_receipt", "_row_number")}
"""Where tables of sealed values say which record of which delivery a row is."""


class LinkedRole(BaseModel):
    """Records that name several persons, this one in one role: ``columns`` of the table tell of that role alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[str, ...]
    columns: tuple[str, ...]


class LinkedFeed(BaseModel):
    """A person's records of one feed.

    Attributes:
        key: the column of the feed table that tells records apart.
        own: keys of records that are about this person alone.
        roles: records about others too.
        rows: record numbers by receipt, of the present rows and their history.
        unnumbered: how many of them carry no believed resident ID.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    own: tuple[str, ...] = ()
    roles: tuple[LinkedRole, ...] = ()
    rows: dict[str, tuple[int, ...]] = {}
    unnumbered: int = 0

    @property
    def keys(self) -> frozenset[str]:
        return frozenset((*self.own, *(k for r in self.roles for k in r.keys)))


Linked = dict[str, LinkedFeed]
"""Feed id to the person's records in it."""


def linked_records(settings: Settings, catalog: Catalog, people: Sequence[str]) -> Linked:
    """What linking attributed to the person; read it before anything is erased.

    Args:
        people: keys of persons (`warehouse.erase_tables.person_keys`).
    """
    from catalog.linking import load_linking

    path = settings.platform_path("person_links")
    if not people or not exists(path):
        return {}
    found: dict[str, dict[str, list[str]]] = {}
    unnumbered: dict[str, int] = {}
    with duck.connect() as con:
        con.register("_people", _texts(people))
        table = f"{scan_sql(con, path)} SEMI JOIN _people ON person_key = key"
        sql = f"SELECT feed, role, record_key, has_own_id FROM {table} ORDER BY ALL"
        for feed_id, role, key, numbered in con.execute(sql).fetchall():
            found.setdefault(feed_id, {}).setdefault(role, []).append(key)
            unnumbered[feed_id] = unnumbered.get(feed_id, 0) + (not numbered)
        registers = load_linking(catalog).registers if found else {}
        return {
            feed_id: LinkedFeed(
                key=catalog.table_key(feed_id)[0],
                own=tuple(roles.get(SELF, ())),
                roles=tuple(
                    LinkedRole(keys=tuple(keys), columns=_columns(catalog, feed_id, registers.get(feed_id, ()), role))
                    for role, keys in roles.items()
                    if role != SELF
                ),
                rows=_rows(con, settings, catalog, feed_id, [k for keys in roles.values() for k in keys]),
                unnumbered=unnumbered[feed_id],
            )
            for feed_id, roles in found.items()
            if feed_id in catalog.feeds
        }


def _columns(catalog: Catalog, feed_id: str, persons: Iterable[Any], role: str) -> tuple[str, ...]:
    """The columns of the feed table that tell of the person in that role and of nobody else."""
    of = {p.role: set(p.fields) for p in persons}
    others = set[str]().union(*(fields for r, fields in of.items() if r != role))
    mine = of.get(role, set()) - others
    pseudonyms = [f.element.pseudonym for f in catalog.fields(feed_id) if f.name in mine]
    plain = [f.name for f in catalog.fields(feed_id) if f.name in mine and f.element.identifier != "direct"]
    return (*plain, *(p for p in pseudonyms if p))


def _rows(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog, feed_id: str, keys: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Record numbers by receipt of the rows that have one of ``keys``."""
    con.register("_keys", _texts(keys))
    column = duck.quote(catalog.table_key(feed_id)[0])
    out: dict[str, set[int]] = {}
    for path in (settings.feed_path(feed_id), settings.history_path(feed_id)):
        if exists(path):
            table = f"{scan_sql(con, path)} SEMI JOIN _keys ON CAST({column} AS VARCHAR) = key"
            for receipt, number in con.execute(f"SELECT _receipt, _row_number FROM {table}").fetchall():
                out.setdefault(receipt, set()).add(int(number))
    con.unregister("_keys")
    return {receipt: tuple(sorted(numbers)) for receipt, numbers in out.items()}


def register_linked(con: duckdb.DuckDBPyConnection, linked: Linked, feed: LinkedFeed | None) -> None:
    """Tables for `own_rows`, `role_columns` and `pair_rows`: ``_own``, ``_role<i>`` and ``_linked``."""
    import pyarrow as pa

    con.register("_own", _texts(feed.own if feed else ()))
    for i, role in enumerate(feed.roles if feed else ()):
        con.register(f"_role{i}", _texts(role.keys))
    pairs = [(feed_id, key) for feed_id, f in linked.items() for key in sorted(f.keys)]
    con.register("_linked", pa.table({"feed": pa.array([p[0] for p in pairs], pa.string()),
                                      "key": pa.array([p[1] for p in pairs], pa.string())}))  # fmt: skip


def own_rows(feed: LinkedFeed) -> str:
    """Condition: the row of a feed table or its history is a record about the person alone."""
    return f"CAST({duck.quote(feed.key)} AS VARCHAR) IN (SELECT key FROM _own)"


def role_columns(feed: LinkedFeed, names: Iterable[str]) -> dict[str, str]:
    """Column to the condition under which it tells of the person in a record about others too, and is emptied."""
    there = set(names)
    key = f"CAST({duck.quote(feed.key)} AS VARCHAR)"
    return {
        column: f"{key} IN (SELECT key FROM _role{i})"
        for i, role in enumerate(feed.roles)
        for column in role.columns
        if column in there
    }


def pair_rows(names: Iterable[str]) -> list[str]:
    """Conditions: the row of a table of pairs (reviews, decisions) names one of the person's records."""
    there = set(names)
    return [
        f"EXISTS (SELECT 1 FROM _linked l WHERE l.feed = t.feed_{side} AND l.key = t.key_{side})"
        for side in ("a", "b")
        if {f"feed_{side}", f"key_{side}"} <= there
    ]


def left_behind(settings: Settings, linked: Linked, records: Mapping[str, Sequence[int]]) -> list[str]:
    """Tables that still hold a record of the person after the erasure, by key or by receipt and record number."""
    import pyarrow as pa

    out = []
    pairs = [(receipt, int(n)) for receipt, numbers in records.items() for n in numbers]
    known = pa.table({"receipt": pa.array([p[0] for p in pairs], pa.string()),
                      "number": pa.array([p[1] for p in pairs], pa.int64())})  # fmt: skip
    with duck.connect() as con:
        con.register("_records", known)
        for feed_id, feed in linked.items():
            register_linked(con, linked, feed)
            for layer, path in (("feed", settings.feed_path(feed_id)), ("history", settings.history_path(feed_id))):
                if exists(path):
                    table = scan_sql(con, path)
                    names = [n for n, *_ in con.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
                    told = [f"({duck.quote(c)} IS NOT NULL AND {sql})" for c, sql in role_columns(feed, names).items()]
                    where = " OR ".join([own_rows(feed), *told])
                    if con.execute(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1").fetchone():
                        out.append(f"{layer}.{feed_id}")
            for layer, path in (
                ("quarantine", settings.quarantine_path(feed_id)),
                ("vault", settings.vault_path(feed_id)),
            ):
                receipt, number = PLACE[layer]
                same = f"_records.receipt = t.{receipt} AND _records.number = t.{number}"
                if (
                    exists(path)
                    and con.execute(
                        f"SELECT 1 FROM {scan_sql(con, path)} AS t SEMI JOIN _records ON {same} LIMIT 1"
                    ).fetchone()
                ):
                    out.append(f"{layer}.{feed_id}")
    return out


def _texts(values: Iterable[str]) -> Any:
    import pyarrow as pa

    return pa.table({"key": pa.array(list(values), pa.string())})
