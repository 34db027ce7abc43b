"""Shifts a number by a bounded amount that the key decides: sums stay near, single values are not exact.

Equal values are shifted alike, in every release, so that repeating a release averages nothing out. It is no
differential privacy: whoever knows the bound knows an interval. For counts of persons use private_counts.
"""

from __future__ import annotations

from pydantic import Field

from quality.masks.base import Mask, MaskFixture, MaskParams, Value
from quality.pseudonym import FUNCTION

_STEPS = 0xFFFF_FFFF


class Params(MaskParams):
    """``spread``: the largest shift either way; ``digits``: decimals of what comes out."""

    spread: float = Field(default=1.0, gt=0, le=1e9)
    digits: int = Field(default=0, ge=0, le=6)


def reference(value: Value, params: Params) -> float:
    """With the fixtures' key: the real one is known to the connection only."""
    from quality.masks.hash import FIXTURE_KEY
    from quality.pseudonym import PseudonymKey

    number = float(value)  # type: ignore[arg-type]
    drawn = int(PseudonymKey(FIXTURE_KEY).pseudonym(f"noise:{number:.6f}")[:8], 16) / _STEPS
    scale = 10**params.digits
    # The shift is cut towards nought, so that rounding never leads out of the bound.
    shift = int((2 * drawn - 1) * params.spread * scale) / scale
    return number + shift


def expression(expr: str, params: Params) -> str:
    number = f"{expr}::DOUBLE"
    digest = f"{FUNCTION}(printf('noise:%.6f', {number}))"
    drawn = f"(('0x' || left({digest}, 8))::BIGINT / {_STEPS})"
    scale = 10**params.digits
    return f"({number} + trunc((2 * {drawn} - 1) * {params.spread!r} * {scale}) / {scale})"


def holds(expr: str, params: Params) -> str:
    # the exact number is not known here: what can be seen is that it has no more decimals than were promised
    return f"abs(round(try_cast({expr} AS DOUBLE), {params.digits}) - try_cast({expr} AS DOUBLE)) < 1e-9"


MASK = Mask(
    name="noise",
    title="有界扰动",
    lowers_to=2,
    takes="number",
    keeps="大致数值",
    keyed=True,
    params=Params,
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture(100, 95.07, "this key shifts 100 so", {"spread": 10.0, "digits": 2}),
        MaskFixture(100, 96.0, "whole numbers stay whole", {"spread": 10.0}),
        MaskFixture(100, 100.0, "never beyond the spread", {"spread": 0.5}),
        MaskFixture(None, None, "nothing"),
    ),
)
