"""Watermarks of file extracts: every recipient's copy differs in harmless detail, so that a leaked one names its owner.

A *carrier* is a column whose detail may change a little: the last stated digit of a number, or the full- or half-width
form of brackets and semicolons in a text. Each value carries one bit, a keyed function of the recipient and of the
value without that detail. A bit thus needs no row number, no neighbour and no other column: sorting, dropping columns
or rows, renaming and CSV to XLSX and back leave it readable. The price is that equal values carry equal bits, so a
carrier needs many distinct values (`MINIMUM`).

Detection asks, for every recipient, how many distinct values carry the bit that recipient's key gives. The bits of a
key that did not mark the copy are fair coins, whatever the data, so the chance of an innocent match is bounded exactly
(Chernoff: ``exp(-n KL(matched/n, 1/2))``) and multiplied by the number of tests made. Below `FALSE_ACCUSATION` the
recipient is named; otherwise the answer is "unsure".

What it does not survive: rounding away the carrying digit, and making all brackets alike (NFKC). Two recipients who
compare their copies see which values differ; mixing them at random still names both, normalising them names nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.model import Carrier, Element
from quality.keys import key_file, read_key_file
from quality.sql import quote

if TYPE_CHECKING:
    import duckdb

KEY_FILE = "watermark.key"
FUNCTION = "lakehouse_mark"
MINIMUM = 64
"""Distinct carrying values below which a mark is called weak: half of them lost would leave too few to be sure."""
FALSE_ACCUSATION = 1e-6
"""Highest chance, over all tests of one detection, that somebody innocent is named."""
SAMPLE = 20_000
"""Distinct values looked at for one candidate; more make a sure answer no surer."""
FORMS = {"brackets": ("()", "（）"), "semicolon": (";", "；")}
"""Characters that mean the same in half and full width; commas and colons do not (1,000; 10:30; http://)."""
Known = dict[tuple[str, Carrier], list[tuple[str, int]]]
"""Distinct values and their bits, read once for all candidates."""
_LARGEST = 1e14
"""Units of the carrying digit beyond which a worksheet or a double would lose it."""
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


class Match(NamedTuple):
    """How well a copy fits one recipient.

    Attributes:
        matched, tested: distinct values with this recipient's bit, and all looked at.
        z: standard deviations from chance.
        chance: bound on the probability that an innocent recipient fits so well, times the tests made.
    """

    product: str
    recipient: str
    z: float
    matched: int
    tested: int
    chance: float

    @property
    def is_named(self) -> bool:
        return self.chance <= FALSE_ACCUSATION


class Candidate(NamedTuple):
    """A copy that may exist: of ``product`` for ``recipient``, marked in these columns.

    ``names``: carrier column to the headings it may stand under (its name and label).
    """

    product: str
    recipient: str
    carriers: Mapping[str, Carrier]
    names: Mapping[str, tuple[str, ...]]


class WatermarkKey:
    """The master key; gives every recipient of every product its own. Its text forms never show it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, product: str, recipient: str) -> bytes:
        """The key of one recipient's copies; the same in every version, so that values do not flicker."""
        return hmac.digest(self._secret, f"watermark\0{product}\0{recipient}".encode(), "sha256")

    def __repr__(self) -> str:
        return "WatermarkKey(…)"

    def __reduce__(self) -> Any:
        raise TypeError("a watermark key is not pickled")


def load_key(keys_dir: Path, *, create: bool = True) -> WatermarkKey:
    """The key in ``keys_dir/watermark.key`` (0600), made on first use.

    Args:
        create: False for detection: a new key would find nothing and look like an answer.

    Raises:
        KeyFault: missing and not to be created, damaged, or open to others.
    """
    file = keys_dir / KEY_FILE
    return WatermarkKey(key_file(file) if create else read_key_file(file))


def bit(key: bytes, canonical: str) -> int:
    """The bit a canonical value carries for a recipient's key (keyed BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(canonical.encode(), digest_size=1, key=key).digest()[0] & 1


def register(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give ``con`` the function that `mark_sql` calls, for one recipient; the key shows in no statement or plan."""
    import pyarrow as pa
    from duckdb.func import PythonUDFType

    fresh = hashlib.blake2b(digest_size=1, key=key)  # `bit`, the key hashed once

    def carried(text: str) -> int:
        keyed = fresh.copy()
        keyed.update(text.encode())
        return keyed.digest()[0] & 1

    def function(column: Any) -> Any:
        return pa.array([None if v is None else carried(v) for v in column.to_pylist()], pa.int64())

    con.create_function(FUNCTION, function, ["varchar"], "bigint", type=PythonUDFType.ARROW)


def unregister(con: duckdb.DuckDBPyConnection) -> None:
    con.remove_function(FUNCTION)


def unfit(column: str, carrier: Carrier, type_name: str, element: Element | None, *, is_key: bool) -> str | None:
    """Why a column may not carry a mark, or None when it may.

    Args:
        type_name: DuckDB type of the released column.
        element: data element of its origin, if it has one.
        is_key: rows are told apart or ordered by it.
    """
    if is_key:
        return "it is a key"
    if column.endswith(("_code", "_id", "_key", "_number")) or (element and (element.codes or element.pattern)):
        return "it is a code or number others look up"
    if element and element.identifier != "none":
        return "it is an identifier of persons"
    if carrier.punctuation:
        return None if type_name == "VARCHAR" else "only a text carries punctuation"
    digits = carrier.digits or 0
    if type_name in _INTEGERS:
        return None if digits == 0 else "a whole number has no decimals"
    if type_name.startswith("DECIMAL"):
        scale = int(type_name.rstrip(")").rpartition(",")[2])
        return None if scale >= digits else f"it has {scale} decimals only"
    return None if type_name == "DOUBLE" else "its type carries nothing"


def mark_sql(relation: str, carriers: Mapping[str, Carrier], types: Mapping[str, str]) -> str:
    """A SELECT of ``relation`` in its order, marked for the recipient whose key is registered.

    Args:
        types: column to DuckDB type, for the carriers at least.
    """
    marked = [
        f"{_mark_text(quote(name)) if c.punctuation else _mark_number(quote(name), c, types[name])} AS {quote(name)}"
        for name, c in carriers.items()
    ]
    return f"SELECT * REPLACE ({', '.join(marked)}) FROM {relation}"  # noqa: S608 - quoted names


def capacity(con: duckdb.DuckDBPyConnection, relation: str, carriers: Mapping[str, Carrier]) -> int:
    """How many distinct values of ``relation`` carry a bit."""
    if not carriers:
        return 0
    found = " UNION ALL ".join(_bits_sql(relation, quote(name), c) for name, c in carriers.items())
    row = con.execute(f"SELECT count(DISTINCT canonical) FROM ({found})").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def detect(file: Path, candidates: Sequence[Candidate], key: WatermarkKey) -> list[Match]:
    """How well a copy fits each candidate, best first.

    Args:
        file: CSV, text, XLSX, XLS or Parquet; sorted, cut, renamed or converted as it may be.

    Raises:
        InputError: the file cannot be read.
    """
    import duckdb

    from quality.watermark_file import open_copy

    with duckdb.connect() as con:
        heads = open_copy(con, file, "copy")
        return detect_relation(con, "copy", heads, candidates, key)


def detect_relation(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    heads: Mapping[str, set[str]],
    candidates: Sequence[Candidate],
    key: WatermarkKey,
) -> list[Match]:
    """`detect` for a relation; ``heads`` names the headings each of its columns may go by."""
    tests: Known = {}
    drawn: list[tuple[Candidate, int, int]] = []
    made = 0
    for candidate in candidates:
        named = _named_columns(candidate, heads)
        # Columns under their own names are one test; every other one may be a carrier renamed.
        others = [h for h in heads if h not in {column for column, _ in named}]
        pools = ([named] if named else []) + [[(h, c)] for h in others for c in set(candidate.carriers.values())]
        made += len(pools)
        secret = key.of(candidate.product, candidate.recipient)
        scores = [_score(con, relation, pool, secret, tests) for pool in pools]
        best = max(scores, key=lambda s: -_log_chance(*s), default=(0, 0))
        drawn.append((candidate, *best))
    matches = [
        Match(
            product=c.product,
            recipient=c.recipient,
            z=(2 * matched - tested) / math.sqrt(tested) if tested else 0.0,
            matched=matched,
            tested=tested,
            chance=min(1.0, math.exp(_log_chance(matched, tested)) * max(made, 1)),
        )
        for c, matched, tested in drawn
    ]
    return sorted(matches, key=lambda m: (m.chance, -m.z))


def _named_columns(candidate: Candidate, heads: Mapping[str, set[str]]) -> list[tuple[str, Carrier]]:
    return [
        (column, carrier)
        for name, carrier in candidate.carriers.items()
        for column, texts in heads.items()
        if texts & set(candidate.names[name])
    ]


def _score(
    con: duckdb.DuckDBPyConnection, relation: str, pool: Sequence[tuple[str, Carrier]], secret: bytes, known: Known
) -> tuple[int, int]:
    """Distinct values whose bit is this key's, and all."""
    seen: dict[str, int] = {}
    for column, carrier in pool:
        if (column, carrier) not in known:
            known[column, carrier] = _distinct(con, relation, column, carrier)
        seen.update(known[column, carrier])
    return sum(bit(secret, canonical) == carried for canonical, carried in seen.items()), len(seen)


def _distinct(con: duckdb.DuckDBPyConnection, relation: str, column: str, carrier: Carrier) -> list[tuple[str, int]]:
    """The distinct canonical values and the bit most of their cells carry; one where both are equal tells nothing."""
    return con.execute(
        f"SELECT canonical, (avg(carried) > 0.5)::INTEGER FROM ({_bits_sql(relation, quote(column), carrier)}) "  # noqa: S608
        f"GROUP BY canonical HAVING avg(carried) <> 0.5 ORDER BY hash(canonical) LIMIT {SAMPLE}"
    ).fetchall()


def _log_chance(matched: int, tested: int) -> float:
    """Natural logarithm of the Chernoff bound on ``matched`` or more of ``tested`` fair coins."""
    share = matched / tested if tested else 0.0
    if share <= 0.5:
        return 0.0
    rest = (1 - share) * math.log(2 * (1 - share)) if share < 1 else 0.0
    return -tested * (share * math.log(2 * share) + rest)


# --- numbers: value = ±(2 pair + bit) / 10^digits ---------------------------------------------------------------


def _pair(expr: str, carrier: Carrier) -> tuple[str, str]:
    """The number of units of the carrying digit in ``expr`` without sign, and whether it may carry."""
    scale = 10 ** (carrier.digits or 0)
    units = f"round(abs({expr}) * {scale})"
    low, high = f"(floor({units} / 2) * 2)", f"(floor({units} / 2) * 2 + 1)"
    # The pair 0, 1 is left alone: nothing must not become something.
    tests = [f"{expr} IS NOT NULL", f"isfinite({expr})", f"{low} >= 2", f"{units} < {_LARGEST:.0f}"]
    for bound, op in ((carrier.min, ">="), (carrier.max, "<=")):
        if bound is not None:
            tests += [f"sign({expr}) * {end} / {scale} {op} {bound!r}" for end in (low, high)]
    return units, "(" + " AND ".join(tests) + ")"


def _number_key(expr: str, units: str, carrier: Carrier) -> str:
    sign = f"CASE WHEN {expr} < 0 THEN '-' ELSE '' END"
    return f"'n{carrier.digits or 0}:' || {sign} || (floor({units} / 2)::BIGINT)::VARCHAR"


def _mark_number(name: str, carrier: Carrier, type_name: str) -> str:
    value = f"{name}::DOUBLE"
    units, carries = _pair(value, carrier)
    digits = carrier.digits or 0
    chosen = f"floor({units} / 2) * 2 + {FUNCTION}({_number_key(value, units, carrier)})"
    marked = f"round(sign({value}) * ({chosen}) / {10**digits}, {digits})"
    return f"CASE WHEN {carries} THEN ({marked})::{type_name} ELSE {name} END"


# --- texts: the width of brackets and of semicolons -------------------------------------------------------------


def _canonical_text(name: str) -> str:
    """The text without what carries, blanks, and the apostrophe that guards a CSV against formulas."""
    half = "".join(f[0] for f in FORMS.values())
    full = "".join(f[1] for f in FORMS.values())
    bare = f"regexp_replace(ltrim({name}, ''''), '[\\s\\x00-\\x1f\\x{{3000}}]+', '', 'g')"
    return f"translate({bare}, '{full}', '{half}')"


def _has(expr: str, characters: str) -> str:
    return "(" + " OR ".join(f"contains({expr}, '{c}')" for c in characters) + ")"


def _mark_text(name: str) -> str:
    marked = name
    for form, (half, full) in FORMS.items():
        asked = f"{FUNCTION}('{form}:' || {_canonical_text(name)})"
        wide, narrow = f"translate({marked}, '{half}', '{full}')", f"translate({marked}, '{full}', '{half}')"
        marked = f"CASE WHEN NOT {_has(name, half + full)} THEN {marked} WHEN {asked} = 1 THEN {wide} ELSE {narrow} END"
    return marked


# --- reading both back ------------------------------------------------------------------------------------------


def _bits_sql(relation: str, name: str, carrier: Carrier) -> str:
    """A SELECT of (canonical, carried) for every cell of a column that carries a bit."""
    if not carrier.punctuation:
        value = f"try_cast(replace({name}::VARCHAR, ',', '') AS DOUBLE)"
        units, carries = _pair("v", carrier)
        return (
            f"SELECT {_number_key('v', units, carrier)} AS canonical, ({units}::BIGINT % 2)::DOUBLE AS carried "  # noqa: S608
            f"FROM (SELECT {value} AS v FROM {relation}) WHERE {carries}"
        )
    parts = []
    for form, (half, full) in FORMS.items():
        # A cell with both widths was touched, or never marked: it tells nothing.
        parts.append(
            f"SELECT '{form}:' || {_canonical_text('t')} AS canonical, {_has('t', full)}::INTEGER::DOUBLE AS carried "  # noqa: S608
            f"FROM (SELECT {name}::VARCHAR AS t FROM {relation}) WHERE {_has('t', full)} <> {_has('t', half)}"
        )
    return " UNION ALL ".join(parts)
