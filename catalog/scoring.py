"""How quality is scored: weights of the dimensions, and what receiving finds beside the rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from catalog.model import Dimension, Model
from catalog.yamlfile import read_yaml, validate

SCORING_FILE = Path("quality") / "scoring.yaml"
FOREVER = date(9999, 12, 31)


class DimensionWeight(Model):
    """The weight of one dimension from a day to a day, both inclusive.

    Attributes:
        weight: share of the total, in per cent.
        rules_count_in: dimension whose score failures of this dimension's rules lower; default its own.
        source: the document that says so; ``工作方案`` is a working proposal.
    """

    dimension: Dimension
    label: str
    weight: float = Field(ge=0, le=100)
    rules_count_in: Dimension | None = None
    valid_from: date
    valid_to: date = FOREVER
    source: str = Field(min_length=1)


class Problem(Model):
    """Something receiving a delivery finds that no rule of a contract states."""

    label: str
    dimension: Dimension
    origin: Literal["reasons", "skipped", "refused", "freshness"]


class Scoring(Model):
    dimensions: tuple[DimensionWeight, ...]
    problems: dict[str, Problem]

    def label(self, dimension: str) -> str:
        """The Chinese name of a dimension."""
        return next(d.label for d in self.dimensions if d.dimension == dimension)


def load_scoring(catalog_dir: Path) -> Scoring:
    """Read the weights.

    Raises:
        ContractError: not valid, or on some day the weights do not make 100 or name a dimension twice.
    """
    source = read_yaml(catalog_dir / SCORING_FILE)
    scoring = validate(Scoring, source, source.data)
    for day in sorted({d.valid_from for d in scoring.dimensions}):
        held = [d for d in scoring.dimensions if d.valid_from <= day <= d.valid_to]
        if len({d.dimension for d in held}) < len(held) or abs(sum(d.weight for d in held) - 100) > 1e-9:
            raise source.error(
                ("dimensions",),
                f"on {day} the weights make {sum(d.weight for d in held):g}, or a dimension stands twice",
                "each dimension once, together 100; end the old rows with valid_to",
            )
    return scoring
