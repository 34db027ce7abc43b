"""SQL for one field: from source text columns to the raw value, and from the raw value to the typed one.

Raw is the trimmed text, NULL when it stands for "no value". Typed is NULL when raw cannot be read.
All text in the SQL comes from the contract; source columns are only ever called ``c<i>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from catalog.errors import ContractError
from catalog.model import CodeList, Format, ResolvedField
from ingestion.formats.header import normalise, template_columns
from ingestion.parsers import half_width, parser
from quality.sql import literal, quote
from warehouse.schema import duckdb_type

TYPED = ("excel", "dbf", "parquet", "vector")
"""Formats that have dates of their own, handed on as ISO text whatever the contract's ``formats`` say."""
_FIRST_DST_FREE = "TIMESTAMP '1992-01-01'"
_HAS_OFFSET = "'[0-9]{2}:[0-9]{2}.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'"
_GROUPED = "'[-+]?[0-9]{1,3}(,[0-9]{3})+(\\.[0-9]+)?'"


def raw_name(field: str) -> str:
    """The name of a field's raw text column, quoted."""
    return quote(f"{field}__raw")


def clean(column: str, null_values: Sequence[str]) -> str:
    """``column`` (trimmed by its reader), NULL when empty or one of ``null_values``."""
    others = sorted({v.strip() for v in null_values} - {""})
    if not others:
        return f"nullif({column}, '')"
    return f"CASE WHEN {column} IN ('', {', '.join(literal(v) for v in others)}) THEN NULL ELSE {column} END"


def raw_sql(field: ResolvedField, fmt: Format, places: Mapping[str, Sequence[int]]) -> str:
    """The raw text of a field over columns ``c<i>``.

    Args:
        places: normalised source name to the indexes of the columns that carry it.
    """
    nulls = (*fmt.null_values, *field.spec.null_values)

    def column(name: str) -> str | None:
        found = places.get(normalise(name))
        return clean(f"c{found[0]}", nulls) if found else None

    spec = field.spec
    if spec.from_:
        found = [c for c in (column(n) for n in spec.from_) if c]
        if not found:
            return "NULL::VARCHAR"
        raw = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
        return f"({parser(spec.parse, field=field.name)(raw)})" if spec.derived and spec.parse else raw
    if spec.template:
        parts = {n: column(n) for n in template_columns(spec.template)}
        pieces = re.split(r"\{([^{}]+)\}", spec.template)
        texts = [literal(p) if i % 2 == 0 else parts[p] or "NULL" for i, p in enumerate(pieces) if p]
        return f"({' || '.join(texts)})"
    x, y = column(spec.x or ""), column(spec.y or "")
    if x and spec.x == spec.y:  # one column holds both: "116.36,39.91"
        return f"replace({x}, '，', ',')"
    return f"({x} || ',' || {y})" if x and y else "NULL::VARCHAR"


def kept_type(field: ResolvedField, fmt: Format, kind: pa.DataType) -> pa.DataType | None:
    """The type in which a typed source column becomes a field without going through text; None where it must.

    Only types whose values mean the same both ways are kept: a decimal of binary fractions or a date of a moment is
    read from text, and so is whatever the contract wants parsed, coded, scaled or taken for no value.
    """
    spec = field.spec
    if spec.parse or spec.multiply is not None or field.code_list or spec.template or spec.x:
        return None
    if any(v.strip() for v in (*fmt.null_values, *spec.null_values)):
        return None
    whole = pa.types.is_integer(kind) and kind != pa.uint64()
    if field.type == "integer" and whole:
        return pa.int64()
    if field.type == "double" and (whole or pa.types.is_float32(kind) or pa.types.is_float64(kind)):
        return pa.float64()
    if field.type == "decimal" and (whole or pa.types.is_decimal128(kind)):
        return pa.int64() if whole else kind
    if field.type == "boolean" and pa.types.is_boolean(kind):
        return kind
    if field.type == "date" and pa.types.is_date32(kind):
        return kind
    if field.type == "timestamp" and pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    return None


def as_it_comes(field: ResolvedField) -> str:
    """The typed value of a field over its raw column of a type that `kept_type` lets through."""
    raw = raw_name(field.name)
    if field.type == "double":
        return f"CASE WHEN isfinite({raw}) THEN {raw} END"
    if field.type == "decimal":
        return f"TRY_CAST({raw} AS {duckdb_type(field.type, field.precision, field.scale)})"
    if field.type == "timestamp":
        naive = f"make_timestamptz({_to_utc(f'CAST({raw} AS TIMESTAMP)', field.spec.timezone)})"
        return f"CASE WHEN typeof({raw}) = 'TIMESTAMP' THEN {naive} ELSE CAST({raw} AS TIMESTAMPTZ) END"
    return raw


def typed_sql(field: ResolvedField, fmt: Format, *, mapped: str | None) -> str:
    """The typed value of a field over its raw column.

    Args:
        mapped: the column that carries the code found for the raw value, when the field has a code list.
    """
    raw = raw_name(field.name)
    spec = field.spec
    if spec.parse and not spec.derived:
        raw = f"({parser(spec.parse, field=field.name)(raw)})"
    elif mapped:
        return mapped
    if field.type == "string":
        return f"CAST({raw} AS VARCHAR)" if spec.parse and not spec.derived else raw
    if field.type in ("integer", "decimal", "double"):
        return _number(field, raw)
    if field.type == "boolean":
        return _boolean(raw)
    if field.type == "date":
        return _date(raw, spec.formats, fmt)
    if field.type == "timestamp":
        return _timestamp(field, raw, fmt)
    return _geometry(field, raw, fmt)


def _number(field: ResolvedField, raw: str) -> str:
    kind = duckdb_type(field.type, field.precision, field.scale)
    factor = field.spec.multiply
    if field.spec.parse:
        product = raw if factor is None else f"{raw} * {factor!r}"
        return f"TRY_CAST({product} AS {kind})"

    def read(text: str) -> str:
        if factor is not None:
            return f"TRY_CAST(TRY_CAST({text} AS {_wide(field)}) * {_factor(factor)} AS {kind})"
        if field.type == "integer":
            return (
                f"CASE WHEN TRY_CAST({text} AS BIGINT) = TRY_CAST({text} AS DOUBLE) THEN TRY_CAST({text} AS BIGINT) END"
            )
        if field.type == "double":
            return f"CASE WHEN isfinite(TRY_CAST({text} AS DOUBLE)) THEN TRY_CAST({text} AS DOUBLE) END"
        return f"TRY_CAST({text} AS {kind})"

    half = half_width(raw)
    grouped = f"CASE WHEN regexp_full_match({half}, {_GROUPED}) THEN replace({half}, ',', '') ELSE {half} END"
    return f"coalesce({read(raw)}, CASE WHEN {raw} IS NOT NULL THEN {read(f'({grouped})')} END)"


def _wide(field: ResolvedField) -> str:
    return "DECIMAL(32,10)" if field.type == "decimal" else "DOUBLE"


def _factor(factor: float) -> str:
    """A factor as SQL; 0.001 multiplies as a division, so that 300 µg is 0.3 mg and not 0.30000000000000004."""
    inverse = round(1 / factor)
    if factor < 1 and abs(1 / inverse - factor) < 1e-15:
        return f"1 / {inverse}"
    return repr(factor)


def _boolean(raw: str) -> str:
    return (
        f"CASE WHEN lower({raw}) IN ('是', '有', 'true', 't', 'yes', 'y', '1') THEN true "
        f"WHEN lower({raw}) IN ('否', '无', 'false', 'f', 'no', 'n', '0') THEN false END"
    )


def _strptime(raw: str, formats: Sequence[str]) -> str:
    return f"try_strptime({raw}, [{', '.join(literal(f) for f in formats)}])"


def _date(raw: str, formats: Sequence[str], fmt: Format) -> str:
    iso = f"TRY_CAST({raw} AS DATE)"
    if not formats:
        return iso
    read = f"CAST({_strptime(raw, formats)} AS DATE)"
    return f"coalesce({read}, {iso})" if fmt.type in TYPED else read


def _timestamp(field: ResolvedField, raw: str, fmt: Format) -> str:
    zone = field.spec.timezone
    formats = field.spec.formats
    aware = [f for f in formats if "%z" in f]
    naive = [f for f in formats if "%z" not in f]
    reads = [f"epoch_us(CAST(try_strptime({raw}, {literal(f)}) AS TIMESTAMPTZ))" for f in aware]
    if naive:
        reads.append(_to_utc(_strptime(raw, naive), zone))
    if not formats or fmt.type in TYPED:
        iso = f"epoch_us(TRY_CAST({raw} AS TIMESTAMPTZ))"
        plain = _to_utc(f"TRY_CAST({raw} AS TIMESTAMP)", zone)
        # most values are naive and 19 characters long: the regular expression is for the others
        maybe = f"strlen({raw}) > 19 OR contains({raw}, '+') OR suffix({raw}, 'Z')"
        aware_or_not = f"CASE WHEN regexp_matches({raw}, {_HAS_OFFSET}) THEN {iso} ELSE {plain} END"
        reads.append(f"CASE WHEN {maybe} THEN {aware_or_not} ELSE {plain} END")
    return f"make_timestamptz(coalesce({', '.join(reads)}))"


def _to_utc(naive: str, zone: str) -> str:
    """Microseconds since 1970 of a naive timestamp; Beijing had summer time until 1991."""
    if zone in ("UTC", "Etc/UTC"):
        return f"epoch_us({naive})"
    general = f"epoch_us(timezone({literal(zone)}, {naive}))"
    if zone != "Asia/Shanghai":
        return general
    return f"CASE WHEN {naive} >= {_FIRST_DST_FREE} THEN epoch_us({naive}) - 28800000000 ELSE {general} END"


def _geometry(field: ResolvedField, raw: str, fmt: Format) -> str:
    if field.spec.from_:
        return f"TRY(unhex({raw}))"
    x, y = f"TRY_CAST(split_part({raw}, ',', 1) AS DOUBLE)", f"TRY_CAST(split_part({raw}, ',', 2) AS DOUBLE)"
    crs = field.spec.crs or (fmt.crs if fmt.crs != "auto" else "")
    if not crs:
        raise ContractError(
            f"field {field.name!r} has x and y but no coordinate system", hint="set crs: on the field", field=field.name
        )
    inside = f"isfinite({x}) AND isfinite({y})"
    if "GCJ" in crs or "BD" in crs or crs in ("EPSG:4490", "EPSG:4326"):
        inside += f" AND abs({x}) <= 180 AND abs({y}) <= 90"
    return f"CASE WHEN {inside} THEN lh_point_wkb({x}, {y}, {literal(crs)}) END"


def code_map(field: ResolvedField, codes: CodeList) -> dict[str, str]:
    """Raw values of a coded field to codes: the contract's own, then codes, then names and their short forms.

    A short form leaves out an ending that nearly all names share: 汉 for 汉族, 广安门内 for 广安门内街道.
    """
    out = dict(field.spec.codes)
    for code in codes.codes:
        out.setdefault(code, code)
    if not field.spec.code_names:
        return out
    names = codes.by_name()
    for name, code in names.items():
        out.setdefault(name, code)
    ending = _shared_ending(list(names))
    if ending:
        for name, code in names.items():
            short = name.removesuffix(ending)
            if short and short not in names:
                out.setdefault(short, code)
    return out


def _shared_ending(names: Sequence[str]) -> str:
    if len(names) < 3:
        return ""
    for length in (2, 1):
        ending = names[0][-length:]
        if sum(n.endswith(ending) and len(n) > length for n in names) >= 0.9 * len(names):
            return ending
    return ""
