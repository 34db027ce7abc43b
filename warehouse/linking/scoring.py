"""How alike two records are: Splink's model (Fellegi and Sunter) on DuckDB.

What a level of agreement is worth is learnt from the registers themselves, without any label by hand: among records
of one resident ID (pairs that are one person) and among pairs drawn at random. A level that is not seen keeps its
default. Nothing of the model names a person: it can be kept, and is used again for what changes from day to day.
"""

# ruff: noqa: S608 - SQL is put together here from constants and numbers
from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.linking.blocking import NODES, PAIRS
from warehouse.linking.frequencies import SHARES

if TYPE_CHECKING:
    import duckdb

SCORED = "scored"
SAMPLE_IDS = 10_000
"""Resident IDs whose records show how the registers agree on one person."""
RANDOM_PAIRS = 400_000
LEAST = 20
"""Pairs that must be seen at a level before what they show is believed."""
Model = dict[str, dict[str, tuple[float, float]]]
"""Comparison and level to (m, u): shares of the level among pairs of one person, and among random pairs."""


@dataclass(frozen=True)
class Level:
    """A level of agreement: its condition over ``_l`` and ``_r`` columns, and m and u while none are learnt."""

    name: str
    sql: str
    m: float
    u: float
    frequency: str = ""


_ONE_OPEN = " or ".join(f"without_{i}_l = without_{i}_r" for i in (1, 2, 3, 4))
_SHAPE = "case when length(shape_l) = length(shape_r) then hamming(shape_l, shape_r) <= 2 else false end"
_NEAR = (
    "case when length(number_l) = length(number_r) then hamming(number_l, number_r) <= 2"
    " else levenshtein(number_l, number_r) <= 1 end"
)
_SHORT = (
    "(surname_l = surname_r and last_l = last_r and length(name_l) <> length(name_r))"
    " or nick_l = last_r or nick_r = last_l"
)
COMPARISONS: dict[str, tuple[str, tuple[Level, ...]]] = {
    "name": (
        "name_l is null or name_r is null",
        (
            Level("same", "name_l = name_r", 0.92, 1e-4, "name"),
            Level("sound", "sound_l = sound_r", 0.02, 3e-5),
            Level("order", "letters_l = letters_r", 0.01, 5e-6),
            Level("shape", f"({_ONE_OPEN}) and {_SHAPE}", 0.015, 1e-4),
            Level("one_character", _ONE_OPEN, 0.012, 4e-3),
            Level("short_form", _SHORT, 0.012, 2e-3),
            Level("surname", "surname_l = surname_r", 0.006, 4e-2),
            Level("other", "ELSE", 0.005, 0.95),
        ),
    ),
    "birth": (
        "(birth_l is null or birth_r is null) and (born_year_l is null or born_year_r is null)",
        (
            Level("same", "birth_l = birth_r", 0.95, 4e-5),
            Level("year_known", "(birth_l is null or birth_r is null) and born_year_l = born_year_r", 0.94, 1.3e-2),
            Level("one_digit", "hamming(birth_l, birth_r) = 1", 0.02, 6e-4),
            Level("day_or_year", "birth_day_l = birth_day_r or born_year_l = born_year_r", 0.02, 1.6e-2),
            Level("other", "ELSE", 0.01, 0.98),
        ),
    ),
    "sex": (
        "sex_l is null or sex_r is null",
        (Level("same", "sex_l = sex_r", 0.99, 0.5), Level("other", "ELSE", 0.01, 0.5)),
    ),
    "place": (
        "(address_l is null or address_r is null) and (door_l is null or door_r is null)",
        (
            Level("same", "address_l = address_r", 0.70, 3e-3),
            Level("door", "door_l = door_r", 0.08, 1e-2),
            Level("other", "ELSE", 0.22, 0.987),
        ),
    ),
    "phone": (
        "phone_l is null or phone_r is null",
        (Level("same", "phone_l = phone_r", 0.80, 3e-3), Level("other", "ELSE", 0.20, 0.997)),
    ),
    "number": (
        "number_l is null or number_r is null",
        (
            Level("same", "number_l = number_r", 0.05, 1e-7),
            Level("near", _NEAR, 0.60, 2e-6),
            Level("other", "ELSE", 0.35, 0.999),
        ),
    ),
}
"""Comparisons: when nothing can be said, then levels from the closest to the farthest."""
FIXED_M = ("number",)
"""Among records of one valid ID all numbers agree, so that nothing can be learnt of a wrong one: its levels stay."""
FIXED_U = ("number", "place", "phone")
"""Who is taken for somebody else lives with him as a rule and shares his phone: pairs drawn at random do not know."""


def default_model() -> Model:
    return {c: {x.name: (x.m, x.u) for x in levels} for c, (_, levels) in COMPARISONS.items()}


def learn(con: duckdb.DuckDBPyConnection) -> Model:
    """What levels are worth, from `NODES` of one number (m) and from random pairs (u)."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE labelled AS
        SELECT * FROM {NODES} WHERE own_id IN (
            SELECT own_id FROM {NODES} WHERE is_hard GROUP BY own_id HAVING count(*) > 1
            ORDER BY hash(own_id) LIMIT {SAMPLE_IDS}
        )
        """
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE same_pairs AS
        SELECT l.node AS a, r.node AS b FROM labelled AS l INNER JOIN labelled AS r USING (own_id) WHERE l.node < r.node
        """
    )
    same = _shares(
        con, "same_pairs AS p INNER JOIN labelled AS l ON p.a = l.node INNER JOIN labelled AS r ON p.b = r.node"
    )
    random = _shares(con, _random_pairs(con)) if _scalar(con, f"SELECT count(*) FROM {NODES}") > LEAST else {}
    for name in ("labelled", "same_pairs", "drawn", "drawn_pairs"):
        con.execute(f"DROP TABLE IF EXISTS {name}")
    return _believed(same, random)


def _random_pairs(con: duckdb.DuckDBPyConnection) -> str:
    """About `RANDOM_PAIRS` pairs, every node about as often as any other, the same from run to run."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE drawn AS
        SELECT *, row_number() OVER (ORDER BY hash(node)) - 1 AS place FROM {NODES} ORDER BY place LIMIT {RANDOM_PAIRS}
        """
    )
    count = int(_scalar(con, "SELECT count(*) FROM drawn"))
    shifts = max(1, min(RANDOM_PAIRS // count, count - 1, 60))
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE drawn_pairs AS
        SELECT place AS a, (place + 1 + shift * {max(1, count // (shifts + 1))}) % {count} AS b
        FROM drawn CROSS JOIN range({shifts}) AS t (shift)
        """
    )
    return (
        "drawn_pairs AS p INNER JOIN drawn AS l ON p.a = l.place INNER JOIN drawn AS r ON p.b = r.place"
        " WHERE l.grp <> r.grp"
    )


def _shares(con: duckdb.DuckDBPyConnection, pairs: str) -> dict[str, dict[str, int]]:
    """How many of the pairs stand at each level of each comparison."""
    out = {}
    for comparison, (null, levels) in COMPARISONS.items():
        if comparison in FIXED_M and comparison in FIXED_U:
            continue
        cases = " ".join(f"WHEN {_sided(x.sql)} THEN '{x.name}'" for x in levels if x.sql != "ELSE")
        case = f"CASE WHEN {_sided(null)} THEN NULL {cases} ELSE '{levels[-1].name}' END"
        out[comparison] = case
    columns = ", ".join(f"{case} AS {name}" for name, case in out.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE seen AS SELECT {columns} FROM {pairs}")
    counts = {}
    for name in out:
        rows = con.execute(f"SELECT {name}, count(*) FROM seen WHERE {name} IS NOT NULL GROUP BY 1").fetchall()
        counts[name] = {str(level): int(n) for level, n in rows}
    con.execute("DROP TABLE seen")
    return counts


def _sided(sql: str) -> str:
    """A condition over ``_l`` and ``_r`` columns as one over the rows ``l`` and ``r``."""
    import re

    return re.sub(r"\b([a-z_0-9]+?)_(l|r)\b", r"\2.\1", sql)


def _believed(same: Mapping[str, Mapping[str, int]], random: Mapping[str, Mapping[str, int]]) -> Model:
    model: Model = {}
    for comparison, (_, levels) in COMPARISONS.items():
        m_seen, u_seen = same.get(comparison, {}), random.get(comparison, {})
        m_all, u_all = sum(m_seen.values()), sum(u_seen.values())
        model[comparison] = {}
        for level in levels:
            m, u = level.m, level.u
            if comparison not in FIXED_M and m_all >= 50 * LEAST:
                m = (m_seen.get(level.name, 0) + 5 * level.m) / (m_all + 5)
            if comparison not in FIXED_U and u_all >= 50 * LEAST and u_seen.get(level.name, 0) >= LEAST:
                u = u_seen[level.name] / u_all
            model[comparison][level.name] = (min(m, 0.9999), min(u, 0.9999))
    return model


def splink_settings(model: Model, persons: int) -> dict[str, Any]:
    """The model as Splink reads it; before anything is compared, a record is one of ``persons`` alike."""
    comparisons = []
    for comparison, (null, levels) in COMPARISONS.items():
        made: list[dict[str, Any]] = [{"sql_condition": null, "label_for_charts": "unknown", "is_null_level": True}]
        for level in levels:
            m, u = model[comparison][level.name]
            one: dict[str, Any] = {
                "sql_condition": level.sql, "label_for_charts": level.name, "m_probability": m, "u_probability": u
            }  # fmt: skip
            if level.frequency:
                one |= {"tf_adjustment_column": level.frequency, "tf_adjustment_weight": 1.0}
            made.append(one)
        comparisons.append({"output_column_name": comparison, "comparison_levels": made})
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "node",
        "probability_two_random_records_match": 1 / max(persons, 2),
        "comparisons": comparisons,
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": False,
    }


def score(con: duckdb.DuckDBPyConnection, model: Model, *, persons: int, least: float) -> int:
    """Make `SCORED`: the pairs with a weight of at least ``least`` and their levels; returns how many.

    Reads `NODES`, `PAIRS`, and how common names are (`SHARES`).

    Args:
        persons: about how many there are: the odds before anything is compared.
    """
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    if not _scalar(con, f"SELECT count(*) FROM {PAIRS}"):
        con.execute(f"CREATE OR REPLACE TABLE {SCORED} AS SELECT 0 AS l, 0 AS r, 0.0 AS weight, '' AS levels LIMIT 0")
        return 0
    api = DuckDBAPI(con)
    linker = Linker(
        api.register(NODES), splink_settings(model, persons), log_level=logging.ERROR, validate_settings=False
    )
    linker.table_management.register_blocked_pairs_for_predict(api.register(PAIRS))
    linker.table_management.register_term_frequency_lookup(api.register(SHARES), "name")
    found = linker.inference.predict(threshold_match_weight=least)
    levels = " || ' ' || ".join(f"CAST(gamma_{c} AS VARCHAR)" for c in COMPARISONS)
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {SCORED} AS
        SELECT node_l AS l, node_r AS r, match_weight AS weight, {levels} AS levels FROM {found.physical_name}
        """
    )
    api.delete_tables_created_by_splink_from_db()
    return int(_scalar(con, f"SELECT count(*) FROM {SCORED}"))


def level_names(text: str) -> dict[str, str]:
    """Comparison to level of a pair, from the ``levels`` of `SCORED`."""
    out = {}
    for (comparison, (_, levels)), gamma in zip(COMPARISONS.items(), text.split(), strict=True):
        place = len(levels) - 1 - int(gamma)
        out[comparison] = "unknown" if int(gamma) < 0 else levels[place].name
    return out


def bits(model: Model) -> dict[str, dict[str, float]]:
    """The weight of every level, base 2, for people to look at."""
    return {c: {n: round(math.log2(m / u), 2) for n, (m, u) in x.items()} for c, x in model.items()}


def _scalar(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = con.execute(sql).fetchone()
    return row[0] if row else None
