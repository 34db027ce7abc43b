"""What reads no persons is built while they are linked."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.errors import Busy
from tests.warehouse.dbt_house import House, make_project
from warehouse.dbt_build import BuildEvent

pytestmark = pytest.mark.slow

PERSONS = {
    "models/staging/staging__links.sql": "select person_key from {{ source('platform', 'person_links') }}",
    "models/library/lib__firms.sql": "select 1 as k",
    "models/library/lib__people.sql": "select person_key from {{ ref('staging__links') }}",
    "models/marts/mart__firms.sql": "select k from {{ ref('lib__firms') }}",
    "models/models.yml": """
        sources:
          - {name: platform, meta: {grade: 1}, tables: [{name: person_links, columns: [{name: person_key}]}]}
        """,
}


def test_what_reads_no_persons_is_built_while_they_are_linked(tmp_path: Path) -> None:
    house = House(tmp_path / "var", make_project(tmp_path / "dbt", PERSONS))
    firms, order, path = threading.Event(), [], house.settings.platform_path("person_links")
    write_deltalake(path, pa.table({"person_key": ["p0"]}))  # of a run before

    def linking() -> None:
        assert firms.wait(60)  # it ends only when the model that does not wait for it is built
        order.append("linked")
        write_deltalake(path, pa.table({"person_key": [f"p{turn}"]}), mode="overwrite")

    def show(event: BuildEvent) -> None:
        if event.state == "finished" and event.kind == "model":
            order.append(event.name)
            if event.name == "lib.firms":
                firms.set()

    for turn in (1, 2):
        firms.clear()
        order.clear()
        house.build(linking=linking, on_event=show).raise_for_failure()
        assert order == ["lib.firms", "linked", "staging.links", "lib.people", "mart.firms"]
        assert house.rows("library", "lib.people") == [(f"p{turn}",)], "of this linking, not of the one before"
    order.clear()
    house.build(on_event=show).raise_for_failure()
    assert sorted(order) == ["lib.firms", "lib.people", "mart.firms", "staging.links"]


def test_persons_are_not_built_when_linking_fails(tmp_path: Path) -> None:
    house = House(tmp_path / "var", make_project(tmp_path / "dbt", PERSONS))

    def linking() -> None:
        raise Busy("another process links", hint="wait")

    with pytest.raises(Busy, match="links"):
        house.build(linking=linking)
    assert house.rows("library", "lib.firms") == [(1,)]
    assert not Path(house.path("library", "lib", "people")).exists()
    assert not Path(house.path("mart", "mart", "firms")).exists()
