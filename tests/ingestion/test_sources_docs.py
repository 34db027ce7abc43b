"""Every example of docs/sources.md is a contract that lint accepts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.sources.registry import connector_names, connector_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "sources.md").read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: yaml.safe_load(e)["source"]["connector"])
def test_the_example_is_accepted(build: Callable[[str], Any], contracts: dict[str, str], example: str) -> None:
    contract = yaml.safe_load(contracts["readings"])
    shown = yaml.safe_load(example)
    if "load" in shown:
        shown["load"]["key"] = ["sensor_id"]
    house = build(yaml.safe_dump({**contract, **shown}, allow_unicode=True))
    connector, params = connector_of(house.catalog, house.catalog.feed("t__f"))
    assert connector.place(params)


def test_every_connector_has_an_example() -> None:
    assert {yaml.safe_load(e)["source"]["connector"] for e in EXAMPLES} == set(connector_names())
