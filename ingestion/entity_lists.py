"""A list of organisations' names, as any office sends it, with the code of each written beside it."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ingestion.lists import Encoding, annotate_list
from warehouse.entities.matcher import EntityMatcher, Match

ADDED = ("uscc", "entity_name", "confidence")


class ListMatch(BaseModel):
    """What became of a list.

    Attributes:
        rows: records of the list; each is in the output.
        matched: records that got a code; ``unmatched`` got none, ``empty`` had no name or could not be read.
        by_method: matched records by how the name was found, see `warehouse.entities.matcher`.
        columns: names of the three columns that were added.
        names_per_s: names matched a second, reading and writing included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path
    rows: int
    matched: int
    unmatched: int
    empty: int
    by_method: dict[str, int]
    columns: tuple[str, ...]
    seconds: float
    names_per_s: int


def match_list(
    path: Path, out: Path, *, column: str, matcher: EntityMatcher, encoding: Encoding = "utf-8"
) -> ListMatch:
    """Write ``path`` again as CSV with ``uscc``, ``entity_name`` and ``confidence`` beside every record.

    Delimited text in any encoding, or a workbook; title lines above the header are left out. The three cells stay
    empty where it cannot be told who is meant. ``out`` appears when it is complete.

    Args:
        column: heading of the column with the names.
        encoding: of the output; ``utf-8-sig`` opens in Excel with a double click.

    Raises:
        InputError: the file cannot be read, or is neither text nor a workbook.
        UnknownName: it has no such column.
    """
    start = time.monotonic()
    counts: Counter[str] = Counter()

    def answers(names: list[str | None]) -> list[tuple[str, str, str]]:
        found = matcher.match(names)
        counts["rows"] += len(names)
        counts["empty"] += sum(not n for n in names)
        counts.update(f"method {m.method}" for m in found if m)
        return [_cells(m) for m in found]

    added = annotate_list(path, out, column=column, added=ADDED, answers=answers, encoding=encoding)
    by_method = {k.removeprefix("method "): n for k, n in sorted(counts.items()) if k.startswith("method ")}
    matched, seconds = sum(by_method.values()), time.monotonic() - start
    return ListMatch(
        out=out,
        rows=counts["rows"],
        matched=matched,
        unmatched=counts["rows"] - matched - counts["empty"],
        empty=counts["empty"],
        by_method=by_method,
        columns=added,
        seconds=round(seconds, 2),
        names_per_s=round((counts["rows"] - counts["empty"]) / seconds) if seconds else 0,
    )


def _cells(match: Match | None) -> tuple[str, str, str]:
    return (match.uscc, match.entity_name, f"{match.confidence:.2f}") if match else ("", "", "")
