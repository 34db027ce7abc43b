"""Text that a spreadsheet would run (OWASP, CSV injection)."""

from __future__ import annotations

import pytest

from quality.formulas import guarded


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1", "+86 10 1"])
def test_what_could_be_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", [None, "", "北京", "-1", "+1.5", "-.5", "-5e-05", "--", "-inf", "1=1", "a@b"])
def test_what_cannot_stays(text: str | None) -> None:
    assert guarded(text) == text
