"""A list of addresses, as any office sends it, with standard address, community and position written beside each."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ingestion.lists import Encoding, annotate_list
from quality.addresses.match import Match, Matcher

ADDED = (
    "address_id",
    "standard_address",
    "street_code",
    "community_code",
    "community_name",
    "longitude",
    "latitude",
    "confidence",
)


class AddressListMatch(BaseModel):
    """What became of a list.

    Attributes:
        rows: records of the list; each is in the output.
        addresses: records that got a standard address; ``communities``: that got a community.
        by_method: records by how they were found (``door``, ``compound``, ``area``).
        unanswered: records without any answer, by reason.
        columns: names of the columns that were added.
        rows_per_s: records a second, reading and writing included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path
    rows: int
    addresses: int
    communities: int
    by_method: dict[str, int]
    unanswered: dict[str, int]
    columns: tuple[str, ...]
    seconds: float
    rows_per_s: int


def match_list(
    path: Path, out: Path, *, column: str, matcher: Matcher, encoding: Encoding = "utf-8"
) -> AddressListMatch:
    """Write ``path`` again as CSV with eight cells beside every record, empty where the matcher is not sure.

    Args:
        column: heading of the column with the addresses.
        encoding: of the output; ``utf-8-sig`` opens in Excel with a double click.

    Raises:
        InputError: the file cannot be read, or is neither text nor a workbook.
        UnknownName: it has no such column.
    """
    start = time.monotonic()
    counts: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def answers(texts: list[str | None]) -> list[tuple[str, ...]]:
        found = matcher.match_many(texts)
        counts["rows"] += len(texts)
        counts["addresses"] += sum(bool(m.address_id) for m in found)
        counts["communities"] += sum(bool(m.community_name) for m in found)
        methods.update(m.how for m in found if m.how)
        reasons.update(m.reason for m in found if not m.how)
        return [cells(m) for m in found]

    added = annotate_list(path, out, column=column, added=ADDED, answers=answers, encoding=encoding)
    seconds = time.monotonic() - start
    return AddressListMatch(
        out=out,
        rows=counts["rows"],
        addresses=counts["addresses"],
        communities=counts["communities"],
        by_method=dict(sorted(methods.items())),
        unanswered=dict(sorted(reasons.items())),
        columns=added,
        seconds=round(seconds, 2),
        rows_per_s=round(counts["rows"] / seconds) if seconds else 0,
    )


def cells(match: Match) -> tuple[str, ...]:
    """The added cells of one record; degrees to seven decimals (a centimetre), the confidence to two."""
    if not match.how:
        return ("",) * len(ADDED)
    return (
        match.address_id,
        match.standard_address,
        match.street_code,
        match.community_code,
        match.community_name,
        "" if match.longitude is None else f"{match.longitude:.7f}",
        "" if match.latitude is None else f"{match.latitude:.7f}",
        f"{match.confidence:.2f}",
    )
