"""Finds personal and identifying content in columns by their values; names of columns only break ties.

Resident IDs stand in credit-code and tax-number columns of real open data, also inside longer tokens, while permit
numbers (area, date, serial number) look like IDs and one in eleven even passes the check. What tells them apart is the
company they keep: among real IDs nearly all pass, among permits of one area one in eleven does.
"""

# ruff: noqa: S608 - every name is quoted, every constant is of this file
from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from quality import scanner_kinds as k
from quality.identifiers import (
    is_bank_card_sql,
    is_org_code_sql,
    is_registration_number_sql,
    is_resident_id_sql,
    is_uscc_sql,
    resident_id_format_sql,
    uscc_format_sql,
)
from quality.masks import get_mask
from quality.scanner_kinds import Kind
from quality.sql import literal, quote

if TYPE_CHECKING:
    import duckdb


FEW_ROWS = 10_000
"""Up to so many rows it pays to ask first which checks of numbers have anything to check."""


@dataclass(frozen=True)
class ColumnFinding:
    """One kind of content in one column.

    Attributes:
        hits: cells that hold it.
        share: of the cells with a value, 0 to 1.
        grade: of the column because of it.
        examples_masked: up to three, so masked that they name nobody.
    """

    column: str
    kind: Kind
    hits: int
    share: float
    grade: int
    examples_masked: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Scan:
    """One run over one relation.

    Attributes:
        table: temporary copy: ``cell``, and of every column ``v<i>`` (the text where anything could be found),
            ``n<i>`` (whether there is a value) and ``a<i>`` (whether it looks like an address).
        heads: of every column what its header says.
        on: the day for which somebody is under age.
        cells: table (cell, col, kind) to which hits that stand in single cells are added, if wanted.
        rows: of the table; ``filled``: of every column whether there is a ``v<i>``.
        coded: of every column whether codes of organisations are looked for.
    """

    con: duckdb.DuckDBPyConnection
    table: str
    columns: tuple[str, ...]
    heads: tuple[str, ...]
    on: date
    cells: str | None
    rows: int
    filled: tuple[bool, ...]
    coded: tuple[bool, ...]


def scan_table(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    columns: Sequence[str] | None = None,
    headers: Mapping[str, str] | None = None,
    on: date | None = None,
    key: str | None = None,
    cells: str | None = None,
    above: Mapping[str, int] | None = None,
) -> list[ColumnFinding]:
    """What the columns of a table or view hold.

    Args:
        relation: name of a table or view, ``schema.table`` allowed. A view is read once.
        columns: which to look at; all by default.
        headers: what to take for a column's header in place of its name.
        on: the day for which somebody is under 14; today by default.
        key: an integer column that tells rows apart, for ``cells``.
        cells: a table (cell BIGINT, col VARCHAR, kind VARCHAR) that takes the key of every cell with a number or
            plate that was found.
        above: grade of each column, where only findings of a higher one are wanted: credit codes, which take longer to
            tell than all else, are not looked for in a column whose grade is theirs.

    Returns:
        Findings in column order, the gravest first within a column. Dates are looked at where the header says birth;
        instants, truth values and blobs are not; numbers are, as text.
    """
    name = ".".join(quote(part) for part in relation.split("."))
    described = [(c, kind) for c, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()]
    heads = {c: (headers or {}).get(c, c) for c, _ in described}
    wanted = [
        c
        for c, kind in described
        if (columns is None or c in columns) and c != key and (_readable(kind) or _is_birth(kind, heads[c]))
    ]
    if not wanted:
        return []
    copy = quote(f"_scan_{secrets.token_hex(4)}")
    day = on or datetime.now(UTC).date()
    shown = tuple(heads[c] for c in wanted)
    texts = []
    for i, (column, head) in enumerate(zip(wanted, shown, strict=True)):
        v = f"CAST({quote(column)} AS VARCHAR)"
        texts.append(f"{_has_value(v)} AS n{i}")
        texts.append(f"strlen({v}) >= {k.SHORTEST} AND regexp_matches({v}, '{k.ADDRESS}') AS a{i}")
        texts.append(f"{v} AS v{i}" if _by_header(head) else f"CASE WHEN {_may_hold(v)} THEN {v} END AS v{i}")
    texts.append(f"{quote(key) if key else 'NULL'} AS cell")
    con.execute(f"CREATE TEMP TABLE {copy} AS SELECT {', '.join(texts)} FROM {name}")
    try:
        texts = [f"count(v{i})" for i in range(len(wanted))]
        rows, *filled = _one(con, f"SELECT count(*), {', '.join(texts)} FROM {copy}")
        coded = tuple(above is None or above[c] < k.GRADES["uscc"] for c in wanted)
        scan = _Scan(con, copy, tuple(wanted), shown, day, cells, rows, tuple(map(bool, filled)), coded)
        counts = _count(scan)
        context = any(k.HEADER_MINOR.search(h) for h in heads.values())
        found = (_column(scan, i, counts[i], context) for i in range(len(wanted)))
        return [f for column in found for f in sorted(column, key=lambda f: (-f.grade, -f.hits))]
    finally:
        con.execute(f"DROP TABLE {copy}")


def _readable(kind: str) -> bool:
    return kind == "VARCHAR" or kind.startswith(("DECIMAL", "DOUBLE", "BIGINT", "INTEGER", "HUGEINT", "UBIGINT"))


def _is_birth(kind: str, head: str) -> bool:
    return kind == "DATE" and k.HEADER_BIRTH.search(head) is not None


def _by_header(head: str) -> bool:
    """Whether the header alone is a reason to look at every value."""
    forms = (k.HEADER_PERSON, k.HEADER_REPRESENTATIVE, k.HEADER_COORDINATE, k.HEADER_MEDICAL, k.HEADER_BIRTH)
    return any(form.search(head) for form in forms)


def _has_value(v: str) -> str:
    """Not NULL and not blank; a long text is taken for a value, because trimming costs as much as all else."""
    return f"{v} IS NOT NULL AND (strlen({v}) > 12 OR trim({v}) <> '')"


def _may_hold(v: str) -> str:
    return f"strlen({v}) >= {k.SHORTEST} AND regexp_matches({v}, {literal(k.prefilter())})"


_COUNTS = (
    "values",
    "digits",
    "plate",
    "fixed",
    "address",
    "pair",
    "medical",
    "icd",
    "name",
    "degree",
    "birth",
    "young",
)


def _count(scan: _Scan) -> list[dict[str, int]]:
    """One pass over all columns: values, and values of every shape a regular expression can tell."""
    terms = k.medical_terms()
    selected = []
    for i, head in enumerate(scan.heads):
        v, text = f"v{i}", f"trim(v{i})"
        birth = f"try_cast(left(replace({text}, '/', '-'), 10) AS DATE)"
        young = f"{birth} > DATE '{_years_before(scan.on, k.MINOR_AGE)}' AND {birth} <= DATE '{scan.on}'"
        person = k.HEADER_PERSON.search(head) or k.HEADER_REPRESENTATIVE.search(head)
        healthy = f"regexp_replace({v}, {literal(terms.decoy)}, '', 'g')"
        medical = f"regexp_matches({v}, {literal(terms.term)})"
        by_header = {
            "name": (person, f"regexp_full_match({text}, '{k.NAME}|{k.DOUBLE}')"),
            "degree": (
                k.HEADER_COORDINATE.search(head),
                f"try_cast({v} AS DOUBLE) BETWEEN 3 AND 136 AND regexp_matches({v}, '[.][0-9]{{3}}')",
            ),
            "icd": (k.HEADER_MEDICAL.search(head), f"regexp_matches({v}, '{k.ICD}')"),
            "birth": (k.HEADER_BIRTH.search(head), f"{birth} IS NOT NULL"),
            "young": (k.HEADER_BIRTH.search(head), young),
        }
        shapes = {
            "digits": f"regexp_matches({v}, '{k.DIGITS}|[０-９]{{11}}')",
            "plate": f"regexp_matches({v}, '{k.PLATE}')",
            "fixed": f"regexp_matches({v}, '{k.FIXED}')",
            "pair": f"regexp_full_match({v}, '{k.COORDINATE}')",
            "medical": f"CASE WHEN {medical} THEN regexp_matches({healthy}, {literal(terms.term)}) END",
            **{name: sql if asked else "false" for name, (asked, sql) in by_header.items()},
        }
        shapes = {"values": f"n{i}", "address": f"a{i}", **(shapes if scan.filled[i] else {})}
        selected += [f"count_if({shapes.get(name, 'false')})" for name in _COUNTS]
    row = scan.con.execute(f"SELECT {', '.join(selected)} FROM {scan.table}").fetchone() or ()
    found, width = [int(v or 0) for v in row], len(_COUNTS)
    return [dict(zip(_COUNTS, found[i : i + width], strict=True)) for i in range(0, len(found), width)]


def _years_before(day: date, years: int) -> date:
    leap = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - years, day=28 if leap else day.day)


def _column(scan: _Scan, i: int, counts: dict[str, int], minor_context: bool) -> list[ColumnFinding]:
    values, column, head = counts["values"], scan.columns[i], scan.heads[i]
    if not values:
        return []

    def finding(kind: Kind, hits: int, examples: Iterable[str] = (), grade: int | None = None) -> ColumnFinding:
        return ColumnFinding(column, kind, hits, hits / values, grade or k.GRADES[kind], tuple(examples))

    out = []
    if counts["digits"]:
        out += [finding(kind, hits, shown) for kind, (hits, shown) in _tokens(scan, i).items()]
    if counts["plate"] and (counts["plate"] >= k.FEW or counts["plate"] / values >= k.SHARE):
        _note(scan, column, "plate", f"SELECT cell FROM {scan.table} WHERE regexp_matches(v{i}, '{k.PLATE}')")
        out.append(finding("plate", counts["plate"]))
    if counts["fixed"] and (k.HEADER_PHONE.search(head) or counts["fixed"] / values >= 0.02):
        out.append(finding("fixed_phone", counts["fixed"]))
    if counts["name"] / values >= k.SHARE:
        representative = k.HEADER_REPRESENTATIVE.search(head)
        shown = [get_mask("partial_name").apply(v) for v in _examples(scan, i, f"{k.NAME}|{k.DOUBLE}")]
        out.append(finding("person_name", counts["name"], map(str, shown), 2 if representative else None))
    share = counts["address"] / values
    if share >= (0.2 if k.HEADER_ADDRESS.search(head) else k.SHARE):
        out.append(finding("address", counts["address"], (), 3 if k.HEADER_HOME.search(head) else None))
    if counts["pair"] / values >= k.SHARE or counts["degree"] / values >= k.SHARE:
        out.append(finding("coordinate", max(counts["pair"], counts["degree"])))
    ill = max(counts["medical"], counts["icd"])
    if ill and ill / values >= (k.MEDICAL_SHARE_EXPECTED if k.HEADER_MEDICAL.search(head) else k.MEDICAL_SHARE):
        out.append(finding("medical", ill))
    if counts["young"] and (minor_context or counts["young"] / counts["birth"] >= k.SHARE):
        out.append(finding("minor", counts["young"]))
    return out


def _note(scan: _Scan, column: str, kind: Kind, cells: str) -> None:
    """Keep which rows a finding stands in, where the caller wants to know."""
    if scan.cells:
        scan.con.execute(
            f"INSERT INTO {scan.cells} SELECT DISTINCT cell, {literal(column)}, {literal(kind)} FROM ({cells})"
        )


def _examples(scan: _Scan, i: int, form: str) -> list[str]:
    where = f"regexp_full_match(trim(v{i}), '{form}')"
    rows = scan.con.execute(f"SELECT trim(v{i}) FROM {scan.table} WHERE {where} LIMIT 3").fetchall()
    return [row[0] for row in rows]


Found = dict[Kind, tuple[int, list[str]]]
"""Kind to cells that hold it and masked examples."""


def _tokens(scan: _Scan, i: int) -> Found:
    """Numbers inside the cells of one column."""
    con, v = scan.con, f"v{i}"
    plain = f"CASE WHEN regexp_matches({v}, '[０-９]') THEN translate({v}, '{k.WIDE_FROM}', '{k.WIDE_TO}') ELSE {v} END"
    formed = f"""
        WITH cells AS (SELECT coalesce(cell, rowid) AS cell, {plain} AS v FROM {scan.table}
                       WHERE regexp_matches({v}, '{k.DIGITS}|[０-９]{{11}}')),
        found AS (SELECT cell, unnest(regexp_extract_all(v, '{k.TOKENS}')) AS t FROM cells),
        split AS (SELECT cell, upper(CASE WHEN regexp_matches(t, '{k.GAP}')
                  THEN regexp_replace(t, '{k.GAP}', '', 'g') ELSE t END) AS t FROM found),
        body AS (SELECT cell, t, CASE WHEN strlen(t) < 15 THEN ''
                     WHEN t[1] <= '9' THEN t ELSE ltrim(t, '{k.LETTERS}') END AS b FROM split),
        formed AS (SELECT cell, t, left(b, 18) AS id, strlen(t) = 15 AND regexp_full_match(t, '[0-9]{{15}}') AS fifteen,
            CASE WHEN strlen(b) BETWEEN 18 AND 29 AND strlen(t) - strlen(b) <= 4
                 THEN regexp_full_match(b, '[0-9]{{17}}[0-9X](?:{k.AFTER_ID})')
                      AND {resident_id_format_sql("left(b, 18)", allow_15=False)} ELSE false END AS id_form,
            CASE WHEN strlen(t) BETWEEN 16 AND 19 THEN regexp_full_match(t, '{k.CARD_PREFIX}') ELSE false END AS carded
            FROM body)"""
    there = _forms(scan, formed)
    if not any(found for form, found in there.items() if scan.coded[i] or form != _EIGHTEEN):
        return {}

    def check(form: str, sql: str) -> str:
        return f"CASE WHEN {form} THEN {sql} ELSE false END::INT" if there[form] else "0"

    no_code = f"NOT {is_org_code_sql('substr(t, 7)')} AND NOT {is_registration_number_sql('t')}"
    seen = quote(f"_tokens_{secrets.token_hex(4)}")
    con.execute(
        f"""CREATE TEMP TABLE {seen} AS {formed}
        SELECT cell, t, id, id_form::INT AS id_form,
            {check("id_form", is_resident_id_sql("id", allow_15=False))} AS id_valid,
            {check(_EIGHTEEN, is_uscc_sql("t"))} AS uscc, {check(_EIGHTEEN, uscc_format_sql("t"))} AS uscc_form,
            (strlen(t) = 11 AND regexp_full_match(t, '[0-9]{{11}}'))::INT AS eleven,
            {check(_PHONE, "regexp_full_match(t, '(?:86)?1[3-9][0-9]{9}')")} AS mobile,
            carded::INT AS card_form, {check("carded", is_bank_card_sql("t"))} AS card,
            {check("fifteen", is_resident_id_sql("t"))} AS old_shape, {check("fifteen", no_code)} AS old_form
        FROM formed"""
    )
    try:
        out: Found = {}
        _resident_ids(scan, seen, i, out)
        _mobiles(scan, seen, i, out)
        _cards(scan, seen, i, out)
        if scan.coded[i]:
            _codes(con, seen, out)
        return out
    finally:
        con.execute(f"DROP TABLE {seen}")


_EIGHTEEN, _PHONE = "strlen(t) = 18", "strlen(t) IN (11, 13)"


def _forms(scan: _Scan, formed: str) -> dict[str, bool]:
    """Which numbers there are to be checked. Of few rows this is asked: planning the checks takes longer than this."""
    forms = ("id_form", _EIGHTEEN, _PHONE, "carded", "fifteen")
    if scan.rows > FEW_ROWS:
        return dict.fromkeys(forms, True)
    found = _one(scan.con, f"{formed} SELECT {', '.join(f'bool_or({form})' for form in forms)} FROM formed")
    return {form: bool(there) for form, there in zip(forms, found, strict=True)}


def _one(con: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    return con.execute(statement).fetchone() or ()


def _codes(con: duckdb.DuckDBPyConnection, seen: str, out: Found) -> None:
    """Credit codes by authority and class: one in 31 of any 18 digits passes, of codes nearly all do."""
    groups = con.execute(
        f"""SELECT left(t, 2), count(*), sum(uscc), count(DISTINCT cell) FILTER (WHERE uscc = 1)
        FROM {seen} WHERE uscc_form = 1 AND id_valid = 0 GROUP BY ALL"""
    ).fetchall()
    hits = sum(cells for _, form, valid, cells in groups if valid / form >= k.SHARE)
    if hits:
        out["uscc"] = (int(hits), [])


def _resident_ids(scan: _Scan, seen: str, i: int, out: Found) -> None:
    """18 characters by group: area of registration, and whether the date is recent."""
    con, column, head = scan.con, scan.columns[i], scan.heads[i]
    recent = f"(substr(id, 7, 4)::INT >= {k.RECENT_BIRTH})"
    groups = con.execute(
        f"""SELECT left(id, 6), {recent}, count(*), sum(id_valid)
        FROM {seen} WHERE id_form = 1 AND uscc * (1 - id_valid) = 0 GROUP BY ALL"""
    ).fetchall()
    accepted = _accepted(groups, expected=k.HEADER_ID.search(head) is not None)
    if accepted:
        pairs = ", ".join(f"({literal(area)}, {str(bool(late)).lower()})" for area, late in sorted(accepted))
        where = f"id_form = 1 AND id_valid = 1 AND (left(id, 6), {recent}) IN ({pairs})"
        (hits,) = _one(con, f"SELECT count(DISTINCT cell) FROM {seen} WHERE {where}")
        rows = con.execute(f"SELECT DISTINCT id FROM {seen} WHERE {where} ORDER BY id LIMIT 3").fetchall()
        mask = get_mask("partial_id")
        if hits:
            _note(scan, column, "resident_id", f"SELECT cell FROM {seen} WHERE {where}")
            out["resident_id"] = (int(hits), [str(mask.apply(r[0], {"area_only": True})) for r in rows])
        born = f"substr(id, 7, 8) > '{_years_before(scan.on, k.MINOR_AGE):%Y%m%d}'"
        (young,) = _one(con, f"SELECT count(DISTINCT cell) FROM {seen} WHERE {where} AND {born}")
        if young:
            out["minor"] = (int(young), [])
    _old_resident_ids(scan, seen, i, out)


def _old_resident_ids(scan: _Scan, seen: str, i: int, out: Found) -> None:
    """15 digits have no check character: shape speaks, and the company.

    Three in a hundred random numbers have the shape, so one alone is not believed. Two in eleven IDs pass the check of
    an organisation code or a registration number; among such numbers all do, and then those that pass do not count.
    """
    column, expected = scan.columns[i], k.HEADER_ID.search(scan.heads[i]) is not None
    clear = "old_shape = 1 AND old_form = 1"
    hits, forms, shaped, doubtful = _one(
        scan.con,
        f"""SELECT count(DISTINCT cell) FILTER (WHERE {clear}), sum(old_form), sum(old_shape),
            sum(old_shape * (1 - old_form)) FROM {seen}""",
    )
    company = "resident_id" in out or expected or hits >= k.FEW
    if not hits or not company or hits / forms < k.OLD_SHARE:
        return
    where = "old_shape = 1" if expected or doubtful / shaped < k.SHARE else clear
    (hits,) = _one(scan.con, f"SELECT count(DISTINCT cell) FROM {seen} WHERE {where}")
    _note(scan, column, "resident_id_15", f"SELECT cell FROM {seen} WHERE {where}")
    out["resident_id_15"] = (int(hits), [])


def _accepted(groups: list[tuple[str, bool, int, int]], *, expected: bool) -> set[tuple[str, bool]]:
    """The groups whose numbers are IDs: most of those with the right form also pass the check.

    Small groups are judged together. One recent number alone is believed only where IDs are expected or found.
    """
    out: set[tuple[str, bool]] = set()
    small: dict[bool, list[tuple[str, int, int]]] = defaultdict(list)
    for area, late, form, valid in groups:
        if form < k.FEW:
            small[late].append((area, form, valid))
        elif valid / form >= k.SHARE:
            out.add((area, late))
    for late, members in sorted(small.items()):
        form, valid = sum(m[1] for m in members), sum(m[2] for m in members)
        alone = form < 2 and not out
        if valid / form >= k.SHARE and (expected or not late or form >= k.FEW or (valid == form and not alone)):
            out |= {(area, late) for area, _, _ in members}
    return out


def _mobiles(scan: _Scan, seen: str, i: int, out: Found) -> None:
    """Eleven digits are telephones when most of the column's eleven-digit numbers could be."""
    con, where = scan.con, "mobile = 1"
    hits, mobiles, others = _one(
        con,
        f"""SELECT count(DISTINCT cell) FILTER (WHERE {where}), sum(mobile), sum(eleven * (1 - mobile)) FROM {seen}""",
    )
    if hits and (k.HEADER_PHONE.search(scan.heads[i]) or mobiles / (mobiles + others) >= k.SHARE):
        _note(scan, scan.columns[i], "mobile", f"SELECT cell FROM {seen} WHERE {where}")
        rows = con.execute(f"SELECT DISTINCT right(t, 11) FROM {seen} WHERE {where} ORDER BY 1 LIMIT 3").fetchall()
        out["mobile"] = (int(hits), [str(get_mask("partial_phone").apply(r[0])) for r in rows])


def _cards(scan: _Scan, seen: str, i: int, out: Found) -> None:
    """16 to 19 digits with an issuer's prefix: among cards all pass the Luhn check, among others one in ten."""
    form = "card_form = 1 AND id_valid = 0 AND uscc = 0"
    hits, forms, union = _one(
        scan.con,
        f"""SELECT count(DISTINCT cell) FILTER (WHERE {form} AND card = 1), count(*) FILTER (WHERE {form}),
            count(*) FILTER (WHERE {form} AND card = 1 AND starts_with(t, '62')) FROM {seen}""",
    )
    likely = k.HEADER_CARD.search(scan.heads[i]) or union or hits >= k.FEW
    if hits and hits / forms >= k.SHARE and likely:
        _note(scan, scan.columns[i], "bank_card", f"SELECT cell FROM {seen} WHERE {form} AND card = 1")
        out["bank_card"] = (int(hits), [])
