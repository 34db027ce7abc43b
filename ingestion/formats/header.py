"""Finding the header row, and saying how its columns differ from the contract's."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.errors import DriftError, InputError
from catalog.model import Feed, FieldSpec

SEARCH_ROWS = 50
"""Rows looked at for the header."""
MIN_SHARE = 0.5
"""Share of the contract's columns a row must carry to be its header."""

_SPACE = re.compile(r"\s+")
_UNNAMED = re.compile(r"^(unnamed:?\s*\d+(_level_\d+)?|column\d+|f\d+|列\d+|[/\\—-]+(#\d+)?)?$", re.IGNORECASE)


def normalise(name: object) -> str:
    """A column name as it is compared: full width to half width, no spaces, line breaks or byte order marks."""
    return flat(name).casefold()


def flat(name: object) -> str:
    """``normalise`` without folding case, for patterns."""
    text = unicodedata.normalize("NFKC", "" if name is None else str(name))
    return _SPACE.sub("", text.replace("\ufeff", "").replace("\u200b", ""))


def is_unnamed(name: str) -> bool:
    """Whether a header cell is empty or a filler such as ``Unnamed: 3``, ``/`` or ``列3``."""
    return bool(_UNNAMED.match(normalise(name)))


def unique_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Column names as keys of the raw JSON: trimmed, a repeated name gets ``#2``, an empty one its place."""
    seen: dict[str, int] = {}
    out = []
    for place, name in enumerate(columns, start=1):
        name = " ".join(name.replace("\ufeff", "").split()) or f"列{place}"
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(out)


@dataclass(frozen=True)
class Wanted:
    """The source columns a contract knows, by normalised name.

    Attributes:
        any_of: field to the normalised names its column may carry, in order.
        all_of: template or x/y field to the normalised names it needs, all of them.
        ignore: known and not taken.
        wide: pattern of the columns an unpivot takes.
        made: columns that the unpivot makes, so no file has them.
        optional: fields whose columns a delivery may lack.
        display: normalised name to the name as the contract writes it.
    """

    any_of: dict[str, tuple[str, ...]]
    all_of: dict[str, tuple[str, ...]]
    ignore: frozenset[str]
    wide: re.Pattern[str] | None
    made: frozenset[str]
    optional: frozenset[str]
    display: dict[str, str]

    @classmethod
    def of(cls, feed: Feed) -> Wanted:
        """What ``feed`` asks of a file."""
        made: frozenset[str] = frozenset()
        wide = None
        if feed.format.unpivot:
            made = frozenset({normalise(feed.format.unpivot.name), normalise(feed.format.unpivot.value)})
            wide = re.compile(feed.format.unpivot.columns)
        any_of, all_of, display = {}, {}, {}
        for name, spec in feed.fields.items():
            if spec.from_:
                any_of[name] = tuple(normalise(f) for f in spec.from_)
                display.update({normalise(f): f for f in spec.from_})
            else:
                sources = template_columns(spec.template) if spec.template else [spec.x or "", spec.y or ""]
                all_of[name] = tuple(normalise(s) for s in sources)
                display.update({normalise(s): s for s in sources})
        optional = frozenset(n for n, s in feed.fields.items() if _may_lack(feed, s))
        ignore = frozenset(normalise(i) for i in feed.ignore)
        return cls(any_of, all_of, ignore, wide, made, optional, display)

    def names(self) -> frozenset[str]:
        """Every normalised column name the contract takes from a file."""
        taken = {n for names in (*self.any_of.values(), *self.all_of.values()) for n in names}
        return frozenset(taken) - self.made

    def score(self, header: Sequence[str]) -> float:
        """Share of the wanted columns that ``header`` (normalised) carries, 0 to 1."""
        have = set(header)
        hits = [any(n in have for n in names) for f, names in self.any_of.items() if not set(names) <= self.made]
        hits += [n in have for names in self.all_of.values() for n in names]
        if self.wide:
            hits.append(any(self.wide.search(h) for h in header))
        return sum(hits) / len(hits) if hits else 0.0


def _may_lack(feed: Feed, spec: FieldSpec) -> bool:
    if spec.drift is not None and spec.drift.missing is not None:
        return spec.drift.missing == "discard_value" and not spec.required
    return feed.optional_columns and not spec.required


@dataclass(frozen=True)
class Header:
    """A header found: its 1-based row, its cells as written, and the share of wanted columns."""

    row: int
    columns: tuple[str, ...]
    score: float


def template_columns(template: str) -> list[str]:
    """The source columns of a template such as ``"{year}-{month}"``."""
    return re.findall(r"\{([^{}]+)\}", template)


def find_header(rows: Iterable[Sequence[object]], wanted: Wanted) -> Header | None:
    """The row among the first 50 that carries most of the wanted columns, the first of equals; None below half."""
    best: Header | None = None
    for number, row in enumerate(rows, start=1):
        if number > SEARCH_ROWS:
            break
        cells = tuple("" if c is None else str(c) for c in row)
        score = wanted.score([normalise(c) for c in unique_columns(cells)])
        if score >= MIN_SHARE and (best is None or score > best.score):
            best = Header(number, cells, score)
    return best


def choose_header(rows: Sequence[Sequence[object]], wanted: Wanted, declared: int | str, max_columns: int) -> Header:
    """The header by the contract's ``header_row``; 0 says that there is none and columns are ``列1``, ``列2`` …

    Raises:
        InputError: no row carries the contract's columns, or the row has too many columns.
    """
    if declared == 0:
        return _no_header(rows)
    found = find_header(rows, wanted)
    if isinstance(declared, int):
        cells = tuple("" if c is None else str(c) for c in rows[declared - 1]) if declared <= len(rows) else ()
        score = wanted.score([normalise(c) for c in unique_columns(cells)])
        if score < MIN_SHARE and found is not None and found.row != declared:
            raise InputError(
                f"row {declared} is not the header: the contract's columns stand in row {found.row}",
                hint=f"set format.header_row to auto or {found.row}, or ask for the agreed layout",
                header_row=found.row,
            )
        found = Header(declared, cells, score) if cells and score > 0 else found
    if found is None:
        missing = [wanted.display.get(n, n) for n in sorted(wanted.names())][:12]
        raise InputError(
            f"none of the first {min(len(rows), SEARCH_ROWS)} rows carries the contract's columns",
            hint=f"wanted {', '.join(missing)}; check encoding, delimiter and whether this is the right file",
        )
    if len(found.columns) > max_columns:
        raise InputError(
            f"the header has {len(found.columns)} columns, more than {max_columns}",
            hint="delete the empty columns in the source, or raise format.max_columns",
        )
    return found


def join_header(rows: Sequence[Sequence[object]], count: int, joiner: str) -> list[list[str]]:
    """For each row but the last ones, it and the ``count - 1`` below it as one header row.

    A group's name stands over its first part, or over all when merged cells were filled: it is carried to the
    right over cells that have a part below and no name of their own. A name is not joined to itself.
    """
    texts = [["" if c is None else str(c).strip() for c in row] for row in rows]
    return [_joined(texts[i : i + count], joiner) for i in range(len(texts) - count + 1)]


def _joined(rows: Sequence[Sequence[str]], joiner: str) -> list[str]:
    width = max((len(r) for r in rows), default=0)
    grid = [[*r, *[""] * (width - len(r))] for r in rows]
    for level, row in enumerate(grid[:-1]):
        for i in range(1, width):
            parts, left = ("".join(r[j] for r in grid[level + 1 :]) for j in (i, i - 1))
            if not row[i] and parts and left and parts != left:
                row[i] = row[i - 1]
    out = []
    for column in zip(*grid, strict=True):
        names = [n for i, n in enumerate(column) if n and n not in column[:i]]
        out.append(joiner.join(names))
    return out


def _no_header(rows: Sequence[Sequence[object]]) -> Header:
    """A header that is not there: as many columns as most rows have, called by their place."""
    widths = Counter(len(row) for row in rows if row)
    width = widths.most_common(1)[0][0] if widths else 0
    return Header(0, tuple(f"列{place}" for place in range(1, width + 1)), 1.0)


def match_columns(columns: Sequence[str], wanted: Wanted, *, freeze: bool) -> list[int]:
    """Check a header against the contract and return the indexes of the columns the contract does not know.

    Raises:
        DriftError: columns are missing, or there are extra ones and the contract freezes them.
    """
    have = [normalise(c) for c in columns]
    present = set(have)
    missing: list[str] = []
    for field, names in wanted.any_of.items():
        if set(names) <= wanted.made or any(n in present for n in names) or field in wanted.optional:
            continue
        missing.append(wanted.display[names[0]])
    for field, names in wanted.all_of.items():
        if field not in wanted.optional:
            missing += [wanted.display[n] for n in names if n not in present]
    known = wanted.names() | wanted.ignore
    extra = [
        i
        for i, name in enumerate(have)
        if not is_unnamed(columns[i])
        and (name not in known or name in have[:i])
        and not (wanted.wide and wanted.wide.search(flat(columns[i])))
    ]
    if missing or (extra and freeze):
        inside = [columns[i] for i in extra if any(n.startswith(f"{have[i]}.") for n in known)]
        raise drift_error(missing, [columns[i].strip() for i in extra], inside=inside)
    return extra


_LIKE_A_VALUE = re.compile(r"\d{5}|\d{4}[-/年.]\d|\w@")
"""No heading is like this, but numbers, dates and addresses of persons are; attributes of XML begin with @."""
HIDDEN = "(a value where a heading should be)"


def looks_like_a_value(name: str) -> bool:
    """Whether a heading is more likely a value of a file that has none."""
    return bool(_LIKE_A_VALUE.search(normalise(name)))


def drift_error(missing: Sequence[str], extra: Sequence[str], *, inside: Sequence[str] = ()) -> DriftError:
    """The difference between a delivery's columns and the contract's, with likely renames.

    Args:
        inside: extra columns whose members the contract takes (``outer`` of ``outer.inner``).

    A file without its header has a record where the names of columns are looked for: no value of it is repeated.
    """
    if any(looks_like_a_value(e) for e in extra):
        wanted = {normalise(m) for m in missing}
        extra = [e if difflib.get_close_matches(normalise(e), wanted, n=1, cutoff=0.6) else HIDDEN for e in extra]
    renamed = []
    for name in missing:
        near = difflib.get_close_matches(normalise(name), [normalise(e) for e in extra], n=1, cutoff=0.5)
        if near:
            renamed.append(f"{name} → {next(e for e in extra if normalise(e) == near[0])}")
    parts = [
        f"missing: {', '.join(dict.fromkeys(missing))}" if missing else "",
        f"extra: {', '.join(_short(e) for e in extra[:20])}" + (" …" if len(extra) > 20 else "") if extra else "",
        f"perhaps renamed: {', '.join(renamed)}" if renamed else "",
    ]
    hint = (
        "lakehouse feed drift FEED proposes the contract's change: add a renamed column as an alias in from:, "
        "a new one as a field or under ignore:, or set drift.columns to evolve"
    )
    if inside:
        hint = f"the contract takes members of {inside[0]}: set format.flatten: true, or name {inside[0]} under ignore:"
    return DriftError(
        f"the columns differ from the contract ({'; '.join(p for p in parts if p)})",
        hint=hint,
        missing=", ".join(missing) or None,
        extra=", ".join(_short(e) for e in extra[:20]) or None,
    )


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:40] + "…"
