"""What the suites of built tables were last answered, and of which versions: table ``platform.answers``.

One row a suite and asking. The next asking of the same suite needs to ask about what has changed since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.settings import Settings
from quality.gx_context import Answer
from warehouse import duck
from warehouse.delta import append_rows, exists, scan_sql
from warehouse.table_changes import Standing

if TYPE_CHECKING:
    import pyarrow as pa

    from quality.table_gate import TableSuite

TABLE = "answers"
_QUALITY = Path(__file__).resolve().parent.parent / "quality"


@dataclass(frozen=True)
class Answered:
    """What a suite was answered.

    Attributes:
        suite: ``library:schema.table``; digest: of its rules and of the code that asks.
        rows: of the table; since: how many of them came after the sample was drawn of all rows.
        of: the table and those its rules refer to, as they stood.
        answers: by rule code.
    """

    suite: str
    digest: str
    rows: int
    since: int
    of: Mapping[str, Standing]
    answers: Mapping[str, Answer] = field(default_factory=dict)


def last_answers(settings: Settings) -> dict[str, Answered]:
    """What each suite was answered last, by its name."""
    path = settings.platform_path(TABLE)
    if not exists(path):
        return {}
    with duck.connect(house_only=True) as con:
        rows = con.execute(
            f"SELECT suite, digest, rows, since, standing, answers FROM {scan_sql(con, path)} "  # noqa: S608 - our path
            "QUALIFY row_number() OVER (PARTITION BY suite ORDER BY asked_at DESC, receipt DESC) = 1"
        ).fetchall()
    return {
        suite: Answered(
            suite,
            digest,
            count,
            since,
            {name: Standing(**s) for name, s in json.loads(of).items()},
            {code: _answer(told) for code, told in json.loads(answers).items()},
        )
        for suite, digest, count, since, of, answers in rows
    }


def remember_answers(settings: Settings, answered: Iterable[Answered], receipt: str, now: datetime) -> None:
    """Add what suites were answered.

    Args:
        receipt: of the build or check; now: its time.
    """
    import pyarrow as pa

    rows = [
        {
            "suite": a.suite,
            "receipt": receipt,
            "asked_at": now,
            "digest": a.digest,
            "rows": a.rows,
            "since": a.since,
            "standing": json.dumps({name: asdict(s) for name, s in a.of.items()}, sort_keys=True),
            "answers": json.dumps({code: asdict(told) for code, told in a.answers.items()}, ensure_ascii=False),
        }
        for a in answered
    ]
    if rows:
        append_rows(settings.platform_path(TABLE), pa.Table.from_pylist(rows, schema=schema()))


def digest_of(suite: TableSuite) -> str:
    """What a suite asks, and what it is asked with: answers hold for rows that were asked the same."""
    asked = json.dumps([suite.relation, [asdict(rule) for rule in suite.rules]], sort_keys=True, default=str)
    return sha256(f"{_code()}\0{asked}".encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def _code() -> str:
    import duckdb

    digest = sha256(duckdb.__version__.encode())
    for file in sorted(_QUALITY.rglob("*.py")):
        digest.update(file.relative_to(_QUALITY).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _answer(told: Mapping[str, Any]) -> Answer:
    return Answer(**{**told, "doubtful": tuple(told["doubtful"])})


def schema() -> pa.Schema:
    """Schema of ``platform.answers``; one row a suite and asking."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    return pa.schema(
        [
            ("suite", text),
            ("receipt", text),
            ("asked_at", pa.timestamp("us", tz="UTC")),
            ("digest", text),
            ("rows", number),
            ("since", number),
            ("standing", text),
            ("answers", text),
        ]
    )
