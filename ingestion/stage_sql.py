"""The SQL of one delivery's pass, built from its contract: which source column feeds which field, and every check.

Six nested SELECTs, so that nothing is computed twice: records, raw values, typed values, checks
(one boolean each, projected so that DuckDB shares common parts), masks, and the row's state.
"""

# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from catalog.drift import variant_name
from catalog.errors import InputError
from catalog.model import Feed, ResolvedField
from catalog.registry import Catalog
from ingestion.columns_sql import as_it_comes, clean, code_map, kept_type, raw_name, raw_sql, typed_sql
from ingestion.formats.base import PROBLEM_ZH, RAGGED, REPAIRED, batch_schema
from ingestion.formats.header import Wanted, flat, is_unnamed, normalise, template_columns
from ingestion.pseudonyms import hashed_places
from quality.pseudonym import pseudonym_sql
from quality.rules import CompiledRule
from quality.sql import literal, quote

WORD_BITS = 60
"""Checks a mask column holds."""

ACCEPTED, QUARANTINED, SKIPPED = 0, 1, 2


@dataclass(frozen=True)
class Check:
    """One thing looked at in a row: a compiled row rule, or one of ingestion's own."""

    code: str
    message_zh: str
    failing_sql: str
    party: str = "source"
    discards: str | None = None
    """The column that becomes NULL in a failing row that is kept."""


class Plan:
    """What the pass over one delivery does.

    Args:
        columns: the source's columns; ``c<i>`` is the i-th.
        types: types in which the reader can hand on columns that need not go through text.
        extra: source columns the contract does not know, with the names they are kept under by drift policy evolve.
    """

    def __init__(
        self,
        catalog: Catalog,
        feed: Feed,
        columns: Sequence[str],
        extra: Mapping[str, str],
        rules: Sequence[CompiledRule],
        types: Mapping[int, pa.DataType] | None = None,
    ) -> None:
        self.feed, self.fields = feed, catalog.fields(feed)
        self.columns = list(columns)
        self.unknown = dict(extra)
        """Source columns the contract does not know, with the names they would be kept under."""
        self.extra = dict(extra) if feed.drift.columns == "evolve" else {}
        self.width = len(self.columns)
        self.parameters: dict[str, Any] = {}
        self.wide = self._wide_columns()
        if self.wide and feed.format.unpivot:
            self.columns += [feed.format.unpivot.name, feed.format.unpivot.value]
        self.places: dict[str, list[int]] = {}
        for i, name in enumerate(self.columns):
            self.places.setdefault(normalise(name), []).append(i)
        self.hashed = {n: i for n, i in hashed_places(self.fields, self.places).items() if i < self.width}
        self.pseudonyms = {f.name: f.element.pseudonym for f in self.fields if f.element.pseudonym}
        self.hashed_late = [name for name in self.pseudonyms if name not in self.hashed]
        """Fields whose pseudonym is made of the typed value; `quality.pseudonym` must know the connection."""
        self.key = catalog.table_key(feed)
        self.kept_types = self._kept_types(types or {})
        """Columns that come typed and stay so: what the contract wants is what the source has."""
        self.arrow_schema = batch_schema(self.width, self.kept_types)
        for i in range(len(self.hashed)):
            self.arrow_schema = self.arrow_schema.append(pa.field(f"_h{i}", pa.string()))
        row_rules = [r for r in rules if r.scope == "row"]
        self.rejects = [_check(r) for r in row_rules if r.severity == "reject"] + self._own_checks()
        self.others = [_check(r) for r in row_rules if r.severity != "reject"]
        self.variants = {r.columns[0]: variant_name(r.columns[0]) for r in row_rules if r.keeps_text}
        self.extensions = sorted({e for r in row_rules for e in r.extensions})
        self.maps = {
            f.name: code_map(f, catalog.code_list(f.code_list)) for f in self.fields if f.code_list and not f.spec.parse
        }

    # --- source

    def _kept_types(self, types: Mapping[int, pa.DataType]) -> dict[int, pa.DataType]:
        if self.wide or not types:
            return {}
        users: dict[int, list[ResolvedField]] = {}
        for f in self.fields:
            for name in (*f.spec.from_, *template_columns(f.spec.template or ""), f.spec.x or "", f.spec.y or ""):
                for place in self.places.get(normalise(name), [])[:1]:
                    users.setdefault(place, []).append(f)
        kept = {}
        for place, fields in users.items():
            wanted = kept_type(fields[0], self.feed.format, types[place]) if place in types else None
            alone = len(fields) == 1 and sum(normalise(n) in self.places for n in fields[0].spec.from_) == 1
            if wanted is not None and alone:
                kept[place] = wanted
        return kept

    def _place(self, field: ResolvedField) -> int | None:
        """The column a field takes as it comes, None for one that is read from text."""
        found = [p for n in field.spec.from_ for p in self.places.get(normalise(n), [])[:1] if p in self.kept_types]
        return found[0] if found else None

    def _text(self, place: int) -> str:
        return f"CAST(c{place} AS VARCHAR)" if place in self.kept_types else f"c{place}"

    def _wide_columns(self) -> list[tuple[int, str]]:
        unpivot = self.feed.format.unpivot
        if unpivot is None:
            return []
        out = []
        for i, name in enumerate(self.columns):
            m = re.search(unpivot.columns, flat(name))
            if m:
                out.append((i, m.group(1) if m.groups() else name))
        if not out:
            raise InputError(
                f"no column matches the pattern of the wide columns {unpivot.columns!r}",
                hint="correct format.unpivot.columns in the contract",
            )
        return out

    def _own_checks(self) -> list[Check]:
        checks = []
        known = Wanted.of(self.feed)
        taken = known.names() | known.ignore
        names = enumerate(self.columns[: self.width])
        unnamed = [i for i, n in names if is_unnamed(n) and normalise(n) not in taken]
        if unnamed:
            fillers = (*self.feed.format.null_values, "/", "-", "—")
            filled = " OR ".join(f"{clean(f'c{i}', fillers)} IS NOT NULL" for i in unnamed)
            checks.append(Check("unnamed_value", PROBLEM_ZH["unnamed_value"], f"({filled})"))
        if self.unknown and self.feed.drift.columns == "quarantine":
            places = [self.columns.index(name) for name in self.unknown]
            filled = " OR ".join(f"{clean(f'c{i}', self.feed.format.null_values)} IS NOT NULL" for i in places)
            checks.append(Check("unknown_column", PROBLEM_ZH["unknown_column"], f"({filled})"))
        return checks

    @property
    def kept(self) -> tuple[str, ...]:
        """Text columns that drift adds to the feed table."""
        return (*self.extra.values(), *self.variants.values())

    def _parameter(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    # --- statement

    def create(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make the table ``staged`` out of ``_stream``; sets parameters."""
        self.parameters = {}
        for name, mapping in self.maps.items():
            con.register("_pairs", pa.table({"raw": list(mapping), "code": list(mapping.values())}))
            con.execute(f"CREATE OR REPLACE TEMP TABLE {quote('_codes_' + name)} AS SELECT * FROM _pairs")
            con.unregister("_pairs")
        query = self._state(self._masks(self._checks(self._typed(self._raw(self._source())))))
        con.execute(f"CREATE TABLE staged AS {query}", self.parameters)

    def raw_of(self, con: duckdb.DuckDBPyConnection, wanted: str) -> str:
        """SELECT of (_row_number, _part, raw) from ``_stream`` for the rows of table ``wanted``; sets parameters."""
        self.parameters = {}
        source = self._source()
        return (
            f"SELECT _row_number, _part, {self._raw_json()} AS raw FROM ({source}) "
            f"SEMI JOIN {wanted} USING (_row_number, _part)"
        )

    def _raw_json(self) -> str:
        pairs = ", ".join(f"{self._parameter(n)}::VARCHAR, {self._text(i)}" for i, n in enumerate(self.columns))
        return f"CAST(json_object({pairs}) AS VARCHAR)"

    def _source(self) -> str:
        texts = ", ".join([*(f"c{i}" for i in range(self.width)), *(f"_h{i}" for i in range(len(self.hashed)))])
        order = sorted(range(self.width), key=lambda i: i in self.kept_types)  # text is the cheapest to look at
        filled = ", ".join(
            f"CASE WHEN c{i} IS NOT NULL THEN '.' END" if i in self.kept_types else f"nullif(c{i}, '')" for i in order
        )
        # a row of another number of fields has none in its columns: its first value is looked for in what was read
        fields = "list_filter(CAST(_raw::JSON->'$._fields' AS VARCHAR[]), x -> trim(x) <> '')[1]"
        ragged = f"coalesce({fields}, _raw::JSON->>'$._line')"
        blank = f"CASE WHEN _problem = '{RAGGED}' THEN {ragged} ELSE coalesce({filled}) END"
        skip = f"WHEN (_problem IS NULL OR _problem = '{RAGGED}') AND {blank} IS NULL THEN 'blank'"
        if self.feed.format.footer:
            skip += f" WHEN regexp_matches({blank}, {self._parameter(self.feed.format.footer)}::VARCHAR) THEN 'footer'"
        again = self._header_again()
        if again:
            skip += f" WHEN _problem IS NULL AND {again} THEN 'header'"
        inner = f"SELECT _row_number, {texts}, _problem, _raw AS _rawin, CASE {skip} END AS _skip FROM _stream"
        if not self.wide:
            return f"SELECT *, 0 AS _part FROM ({inner})"
        whole = "_problem IS NOT NULL OR _skip IS NOT NULL"
        labels = ", ".join(literal(label) for _, label in self.wide)
        values = ", ".join(f"c{i}" for i, _ in self.wide)
        n = self.width
        return (
            f"SELECT *, unnest(CASE WHEN {whole} THEN [NULL] ELSE [{labels}] END) AS c{n}, "
            f"unnest(CASE WHEN {whole} THEN [NULL] ELSE [{values}] END) AS c{n + 1}, "
            f"unnest(CASE WHEN {whole} THEN [0] ELSE range(1, {len(self.wide) + 1}) END) AS _part FROM ({inner})"
        )

    def _header_again(self) -> str:
        """Condition of a record that is the header once more, as where files were put together."""
        names = [(i, n) for i, n in enumerate(self.columns[: self.width]) if "#" not in n and not is_unnamed(n)]
        if self.feed.format.type not in ("csv", "excel", "json") or self.feed.format.header_row == 0 or not names:
            return ""
        return "(" + " AND ".join(f"c{i} = {self._parameter(n)}::VARCHAR" for i, n in names) + ")"

    def _raw(self, source: str) -> str:
        raws = ", ".join(f"{self._raw_of(f)} AS {raw_name(f.name)}" for f in self.fields)
        skip = "_skip"
        if self.wide:
            value = clean(f"c{self.width + 1}", self.feed.format.null_values)
            skip = f"CASE WHEN _skip IS NULL AND _part > 0 AND {value} IS NULL THEN 'no_value' ELSE _skip END"
        return f"SELECT * REPLACE ({skip} AS _skip), {raws} FROM ({source})"

    def _raw_of(self, field: ResolvedField) -> str:
        place = self._place(field)
        return raw_sql(field, self.feed.format, self.places) if place is None else f"c{place}"

    def _typed(self, source: str) -> str:
        columns, joins = [], []
        for f in self.fields:
            mapped = None
            if f.name in self.maps:
                alias = quote("_m_" + f.name)
                joins.append(f"LEFT JOIN {quote('_codes_' + f.name)} {alias} ON {alias}.raw = s.{raw_name(f.name)}")
                mapped = f"coalesce({alias}.code, s.{raw_name(f.name)})"
            place = self._place(f)
            typed = typed_sql(f, self.feed.format, mapped=mapped) if place is None else as_it_comes(f)
            columns.append(f"{typed} AS {quote(f.name)}")
        for original, name in self.extra.items():
            place = self.columns.index(original)
            columns.append(f"{clean(f'c{place}', self.feed.format.null_values)} AS {quote(name)}")
        typed = f"SELECT s.*, {', '.join(columns)} FROM ({source}) s {' '.join(joins)}"
        if not self.variants:
            return typed
        texts = ", ".join(
            f"CASE WHEN {quote(f)} IS NULL THEN CAST({raw_name(f)} AS VARCHAR) END AS {quote(name)}"
            for f, name in self.variants.items()
        )
        return f"SELECT *, {texts} FROM ({typed})"

    def _checks(self, source: str) -> str:
        checks = [f"{c.failing_sql} AS _r{i}" for i, c in enumerate(self.rejects)]
        checks += [f"{c.failing_sql} AS _o{i}" for i, c in enumerate(self.others)]
        return f"SELECT *{''.join(', ' + c for c in checks)} FROM ({source})"

    def _masks(self, source: str) -> str:
        looked_at = f"_skip IS NULL AND (_problem IS NULL OR _problem = '{REPAIRED}')"
        masks = [
            *_words("_r", len(self.rejects), "_reject", looked_at),
            *_words("_o", len(self.others), "_other", looked_at),
        ]
        emptied = {c.discards: f"_o{i}" for i, c in enumerate(self.others) if c.discards}
        replaced = ", ".join(
            f"CASE WHEN {flag} THEN NULL ELSE {quote(c)} END AS {quote(c)}" for c, flag in emptied.items()
        )
        star = f"* REPLACE ({replaced})" if replaced else "*"
        return f"SELECT {star}, {', '.join(masks)} FROM ({source})"

    def _state(self, source: str) -> str:
        own = [quote(n) for n in (*(f.name for f in self.fields), *self.kept)]
        own += [
            f"CASE WHEN {quote(f)} IS NOT NULL THEN _h{i} END AS {quote(self.pseudonyms[f])}"
            for i, f in enumerate(self.hashed)
        ]
        own += [
            f"{pseudonym_sql(quote(f), self.pseudonyms[f])} AS {quote(self.pseudonyms[f])}" for f in self.hashed_late
        ]
        rejects, others = words(len(self.rejects)), words(len(self.others))
        masks = [*(f"_reject{i}" for i in range(rejects)), *(f"_other{i}" for i in range(others))]
        broken = f"(_problem IS NOT NULL AND _problem <> '{REPAIRED}')"
        rejected = " OR ".join(f"_reject{i} <> 0" for i in range(rejects)) or "false"
        return (
            f"SELECT _row_number, _part, _problem, _skip, {', '.join(own + masks)}, "
            f"CAST(CASE WHEN _skip IS NOT NULL THEN {SKIPPED} WHEN {broken} OR {rejected} THEN {QUARANTINED} "
            f"ELSE {ACCEPTED} END AS UTINYINT) AS _state, "
            f"CASE WHEN _skip IS NOT NULL THEN NULL WHEN _rawin IS NOT NULL THEN _rawin "
            f"WHEN {rejected} THEN {self._raw_json()} END AS _raw FROM ({source})"
        )


def words(checks: int) -> int:
    """Mask columns that ``checks`` checks need."""
    return (checks + WORD_BITS - 1) // WORD_BITS


def _words(flag: str, checks: int, name: str, looked_at: str) -> list[str]:
    out = []
    for word in range(words(checks)):
        part = range(word * WORD_BITS, min(checks, (word + 1) * WORD_BITS))
        bits = " + ".join(f"CASE WHEN {flag}{i} THEN {1 << (i % WORD_BITS)} ELSE 0 END" for i in part)
        out.append(f"CASE WHEN {looked_at} THEN CAST({bits} AS BIGINT) ELSE 0::BIGINT END AS {name}{word}")
    return out


def _check(rule: CompiledRule) -> Check:
    discards = rule.columns[0] if rule.discards else None
    return Check(rule.code, rule.message_zh, rule.failing_sql, rule.party, discards)
