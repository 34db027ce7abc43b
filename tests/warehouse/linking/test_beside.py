"""Linking in a process of its own comes to the same, and its errors are those of linking."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from catalog.settings import Settings
from tests.warehouse.linking.conftest import HEALTH, INSURED, NOW, Register, health, insured, people
from warehouse.linking import beside, store
from warehouse.linking.beside import LinkingEnded, link_beside, linking_beside
from warehouse.linking.run import RegisterShrank, is_due_in_full

pytestmark = pytest.mark.slow


@pytest.fixture
def linked(register: Register, link: Any) -> list[dict[str, Any]]:
    """Two registers of 150 persons each, linked; gives the rows of one."""
    base = people(150)
    register(HEALTH, [health(f"h{i}", **p) for i, p in enumerate(base)])
    rows = [insured(f"s{i}", **p) for i, p in enumerate(base)]
    register(INSURED, rows)
    link()
    return rows


def test_another_process_links_what_changed(
    linked: list[dict[str, Any]], register: Register, settings: Settings, catalog: Any, links: Any
) -> None:
    assert not is_due_in_full(settings, catalog)
    before = links()
    register(INSURED, [*linked, insured("s900", **people(1)[0])], at=NOW + timedelta(days=1))
    told: list[str] = []
    result = link_beside(settings, now=NOW + timedelta(days=1), progress=told.append)
    assert (result.mode, result.records) == ("changes", 301)
    assert told
    after = links()
    assert {k: v for k, v in after.items() if k in before} == before
    assert len(after) == 301


def test_its_error_is_raised_here(linked: list[dict[str, Any]], register: Register, settings: Settings) -> None:
    register(INSURED, linked[:10], at=NOW + timedelta(days=1))
    with pytest.raises(RegisterShrank, match="had 150 records and has 10 now") as caught:
        link_beside(settings, now=NOW + timedelta(days=1))
    assert caught.value.where == {"feed": INSURED}
    assert "--accept-drop" in caught.value.hint


def test_a_process_that_is_not_asked_does_nothing(
    linked: list[dict[str, Any]], register: Register, settings: Settings
) -> None:
    register(INSURED, [*linked, insured("s900", **people(1)[0])], at=NOW + timedelta(days=1))
    before = store.last_run(settings)
    with linking_beside(settings, now=NOW + timedelta(days=1)):
        pass
    assert store.last_run(settings) == before


def test_a_process_that_was_ended_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside.sys, "executable", "/bin/false")
    with pytest.raises(LinkingEnded, match="ended with 1"):
        link_beside(settings, now=NOW)
