"""``lakehouse grade``: what flows where, whether the models hold to it, and what each level asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_controls_name_the_code_that_enforces_them(cli: Cli) -> None:
    found = cli("grade", "controls", "3", "--json").json
    assert {c["stage"] for c in found} == {"collect", "store", "share", "use", "destroy"}
    assert all(3 in c["levels"] for c in found)
    shown = cli("grade", "controls", "1", "destroy")
    assert shown.code == 0
    assert "warehouse/maintenance.py" in shown.out
    wrong = cli("grade", "controls", "1", "burn", "--json")
    assert (wrong.code, wrong.json["error"]) == (2, "LH101")


@pytest.mark.slow
def test_check_and_lineage_on_the_real_project(cli: Cli) -> None:
    checked = cli("grade", "check", "--json")
    assert (checked.code, checked.json["problems"]) == (0, [])
    assert {"population.residents", "hotline.street_monthly"} <= {t["table"] for t in checked.json["tables"]}
    column = cli("grade", "lineage", "population__households.members_count", "--json").json["columns"]
    assert [(c["column"], c["grade"]) for c in column] == [("members_count", 3)]
    assert "feed.public_security__household.household_key (grade 3)" in column[0]["path"]
    wrong = cli("grade", "lineage", "population.residens", "--json")
    assert wrong.code == 2
    assert "population.residents" in wrong.json["hint"]
