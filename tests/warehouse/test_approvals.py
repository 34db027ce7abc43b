"""Nothing of grade 3 leaves without somebody else's signature, nothing of grade 4 without two."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import ContractError, UnknownName
from catalog.model import Product
from catalog.people import load_people
from catalog.registry import Catalog
from catalog.settings import Settings
from tests.delta_rows import rows_of
from warehouse import approvals
from warehouse.approvals import ApprovalRefused, Request, approval_grade, approve, public_key, reject, request, require
from warehouse.model_grades import table_grade

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
PASSPHRASES = {p: f"{p} walks along the moat" for p in ("asker", "first", "second", "third", "former")}


def people_yaml(**over: str) -> str:
    roles = {"asker": "[request, approve]", "third": "[request]"}
    lines = []
    for person, passphrase in PASSPHRASES.items():
        until = ', valid_to: "2026-11-01"' if person == "former" else ""
        key = over.get(person) or _keys()[person]
        role = roles.get(person, "[approve]")
        lines.append(f"{person}: {{name: {person}, department: health, roles: {role}, public_key: '{key}'{until}}}")
        assert passphrase
    return "\n".join(lines) + "\n"


_CACHE: dict[str, str] = {}


def _keys() -> dict[str, str]:
    for person, passphrase in PASSPHRASES.items():
        if person not in _CACHE:
            _CACHE[person] = public_key(person, passphrase)
    return _CACHE


@pytest.fixture
def home(settings: Settings, tmp_path: Path, root: Path) -> Settings:
    """A lakehouse whose catalogue has persons who can sign."""
    folder = tmp_path / "catalog"
    (folder / "dictionary").mkdir(parents=True)
    (folder / "audit").mkdir()
    shutil.copy(root / "catalog" / "audit" / "events.yaml", folder / "audit")
    (folder / "dictionary" / "people.yaml").write_text(people_yaml())
    return settings.model_copy(update={"catalog_dir": folder})


def product(catalog: Catalog, **over: Any) -> Catalog:
    spec: dict[str, Any] = {
        "id": "sample",
        "title": "样例",
        "owner": "statistics",
        "table": "population.people",
        "purpose": "检验",
        "legal_basis": "检验依据",
        "recipients": ["civil_affairs", "health"],
        "columns": {"birth_date": {}, "remark": {}},
        "formats": ["csv"],
        **over,
    }
    return catalog.model_copy(update={"products": {spec["id"]: Product.model_validate(spec)}})


@pytest.fixture
def graded(catalog: Catalog) -> Catalog:
    """``birth_date`` is of grade 3."""
    return product(catalog)


@pytest.fixture
def secret(catalog: Catalog) -> Catalog:
    return product(catalog, columns={"remark": {"grade": 4}})


def ask(home: Settings, catalog: Catalog, **over: Any) -> Request:
    person = over.pop("person", "asker")
    values = {"person": person, "passphrase": PASSPHRASES.get(person), "now": NOW, **over}
    return request(home, catalog, "sample", **values)


def agree(home: Settings, catalog: Catalog, found: Request, person: str, **over: Any) -> Request:
    return approve(
        home, catalog, found.id, **{"person": person, "passphrase": PASSPHRASES.get(person), "now": NOW, **over}
    )


def refuse(home: Settings, catalog: Catalog, found: Request, person: str, **over: Any) -> Request:
    values = {"person": person, "passphrase": PASSPHRASES[person], "now": NOW, "comment": "为何", **over}
    return reject(home, catalog, found.id, **values)


def holds(home: Settings, catalog: Catalog, *, now: datetime = NOW) -> list[dict[str, Any]]:
    return require(home, catalog, catalog.products["sample"], now=now)


def test_the_grade_is_the_highest_before_masks(catalog: Catalog, graded: Catalog) -> None:
    def grade(**over: Any) -> int:
        made = product(catalog, **over)
        return approval_grade(made, made.products["sample"])

    assert approval_grade(graded, graded.products["sample"]) == 3
    assert grade(columns={"remark": {}}) == 1
    assert grade(columns={"remark": {}}, where={"birth_date": {"ge": "2000-01-01"}}) == 3
    assert grade(columns={"remark": {}}, table="population.residents") == 4
    assert table_grade("population.residents") == 4
    assert table_grade("no.model") is None


def test_the_products_of_the_district_need_no_approval(settings: Settings, catalog: Catalog) -> None:
    for made in catalog.products.values():
        assert require(settings, catalog, made, now=NOW) == []


def test_grade_three_needs_somebody_else(home: Settings, graded: Catalog) -> None:
    with pytest.raises(ApprovalRefused, match="civil_affairs, health"):
        holds(home, graded)
    asked = ask(home, graded)
    assert (asked.state, asked.missing, asked.recipients) == ("open", 1, ("civil_affairs", "health"))
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, graded)
    with pytest.raises(ApprovalRefused, match="does not approve it"):
        agree(home, graded, asked, "asker")
    assert agree(home, graded, asked, "first").state == "approved"
    assert [(h["request"], h["requester"], h["approvers"]) for h in holds(home, graded)] == [
        (asked.id, "asker", ["first"])
    ]
    log = [json.loads(line) for line in (home.home / "audit" / "log.jsonl").read_text().splitlines()]
    assert [(e["event"], e["actor"]) for e in log] == [
        ("release.requested", "person:asker"),
        ("release.approved", "person:first"),
    ]


def test_grade_four_needs_two_who_differ(home: Settings, secret: Catalog) -> None:
    asked = ask(home, secret)
    assert asked.missing == 2
    assert agree(home, secret, asked, "first").missing == 1
    with pytest.raises(ApprovalRefused, match="approved it already"):
        agree(home, secret, asked, "first")
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, secret)
    agree(home, secret, asked, "second")
    assert holds(home, secret)[0]["approvers"] == ["first", "second"]


def test_an_approval_ends(home: Settings, graded: Catalog) -> None:
    asked = ask(home, graded, days=10)
    agree(home, graded, asked, "first")
    assert holds(home, graded, now=NOW + timedelta(days=9))
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, graded, now=NOW + timedelta(days=10))
    with pytest.raises(ApprovalRefused, match="is expired"):
        agree(home, graded, asked, "second", now=NOW + timedelta(days=11))
    with pytest.raises(ApprovalRefused, match="1 to 366"):
        ask(home, graded, days=400)


def test_recipients_are_approved_one_by_one(home: Settings, graded: Catalog) -> None:
    agree(home, graded, ask(home, graded, recipients=["health"]), "first")
    with pytest.raises(ApprovalRefused, match=r"not approved for civil_affairs \("):
        holds(home, graded)
    agree(home, graded, ask(home, graded, recipients=["civil_affairs"], purpose="另一目的"), "second")
    assert len(holds(home, graded)) == 2
    with pytest.raises(ApprovalRefused, match="no recipient"):
        ask(home, graded, recipients=["tax"])


@pytest.mark.parametrize(
    "change", [{"columns": {"birth_date": {}, "person_name": {}}}, {"recipients": ["civil_affairs"]}, {"purpose": "x"}]
)
def test_a_changed_product_is_asked_for_anew(home: Settings, graded: Catalog, change: dict[str, Any]) -> None:
    asked = ask(home, graded)
    agree(home, graded, asked, "first")
    changed = product(graded, **change)
    assert approvals.get(home, changed, asked.id, now=NOW).state == "outdated"
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, changed)


def test_a_risen_grade_is_asked_for_anew(home: Settings, graded: Catalog) -> None:
    agree(home, graded, ask(home, graded), "first")
    risen = {**graded.elements, "remark": graded.elements["remark"].model_copy(update={"grade": 4})}
    with pytest.raises(ApprovalRefused, match="grade 4"):
        holds(home, graded.model_copy(update={"elements": risen}))


@pytest.mark.parametrize("who", ["first", "asker"])
def test_a_refusal_is_for_good(home: Settings, graded: Catalog, who: str) -> None:
    asked = ask(home, graded)
    with pytest.raises(ApprovalRefused, match="says why"):
        refuse(home, graded, asked, who, comment=" ")
    assert refuse(home, graded, asked, who).state == "refused"
    with pytest.raises(ApprovalRefused, match="is refused"):
        agree(home, graded, asked, "second")
    with pytest.raises(ApprovalRefused, match="nothing left"):
        refuse(home, graded, asked, who)


def test_a_revoked_approval_stays_revoked_without_its_row(home: Settings, graded: Catalog) -> None:
    asked = ask(home, graded)
    agree(home, graded, asked, "first")
    assert refuse(home, graded, asked, "second").state == "revoked"
    DeltaTable(home.platform_path("approvals")).delete("action = 'revoke'")
    assert approvals.get(home, graded, asked.id, now=NOW).state == "revoked"
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, graded)


@pytest.mark.parametrize(
    ("person", "passphrase", "message"),
    [
        ("first", "somebody else's words", "not this person's passphrase"),
        ("nobody", "nobody knows these words", "may not approve"),
        ("third", None, "may not approve"),
        ("former", None, "may not approve"),
    ],
)
def test_who_may_not_sign(home: Settings, graded: Catalog, person: str, passphrase: str | None, message: str) -> None:
    asked = ask(home, graded)
    with pytest.raises(ApprovalRefused, match=message) as caught:
        agree(home, graded, asked, person, passphrase=passphrase or PASSPHRASES[person])
    assert (passphrase or PASSPHRASES[person]) not in str(caught.value)
    with pytest.raises(ApprovalRefused, match="may not request"):
        ask(home, graded, person="first")


@pytest.mark.parametrize(
    "forged", ["unsigned", "copied to another request", "signed by the asker as another", "edited"]
)
def test_a_forged_row_approves_nothing(home: Settings, graded: Catalog, forged: str) -> None:
    """Whoever can write the table, the operator included, cannot approve for somebody else."""
    other = ask(home, graded, purpose="先前")
    agree(home, graded, other, "first")
    refuse(home, graded, other, "second")
    asked = ask(home, graded)
    path = home.platform_path("approvals")
    rows = rows_of(path).to_pylist()
    genuine = next(r for r in rows if r["action"] == "approve")
    row = {**next(r for r in rows if r["request"] == asked.id), "action": "approve", "person": "first"}
    if forged == "unsigned":
        row["signature"] = ""
    elif forged == "copied to another request":
        row["signature"] = genuine["signature"]
    elif forged == "signed by the asker as another":
        key = approvals._private_key("asker", PASSPHRASES["asker"])
        row["signature"] = key.sign(approvals._payload(row)).hex()
    else:
        row = {**genuine, "request": asked.id, "expires_at": genuine["expires_at"] + timedelta(days=300)}
    table = pa.Table.from_pylist([row], schema=approvals._schema())
    write_deltalake(path, table, mode="append")
    assert approvals.get(home, graded, asked.id, now=NOW).state == "open"
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, graded)


def test_an_approver_who_is_gone_or_has_a_new_key_approves_no_more(home: Settings, graded: Catalog) -> None:
    agree(home, graded, ask(home, graded), "first")
    file = home.catalog_dir / "dictionary" / "people.yaml"
    file.write_text(people_yaml(first=public_key("first", "quite another passphrase")))
    with pytest.raises(ApprovalRefused, match="not approved"):
        holds(home, graded)


def test_requests_are_named_and_found(home: Settings, graded: Catalog) -> None:
    asked = ask(home, graded)
    assert asked.id.startswith("R20261122-")
    assert [r.id for r in approvals.requests(home, graded, now=NOW)] == [asked.id]
    with pytest.raises(UnknownName):
        approvals.get(home, graded, "R1", now=NOW)


@pytest.mark.parametrize("passphrase", ["short", "aaaaaaaaaaaaaaaaaaaa"])
def test_a_weak_passphrase_is_refused(passphrase: str) -> None:
    with pytest.raises(ApprovalRefused, match="at least 14"):
        public_key("first", passphrase)


def test_people_are_declared_well(tmp_path: Path, root: Path) -> None:
    assert load_people(tmp_path) == {}
    load_people(root / "catalog")
    (tmp_path / "dictionary").mkdir()
    file = tmp_path / "dictionary" / "people.yaml"
    key = "0" * 64
    entry = f"name: x, department: health, roles: [approve], public_key: '{key}'"
    for text, message in [
        (f"a: {{{entry}}}\nb: {{{entry}}}\n", "somebody else has this key"),
        (f"张三: {{{entry}}}\n", "lower-case"),
        (f"a: {{{entry.replace('approve', 'own')}}}\n", "request"),
    ]:
        file.write_text(text)
        with pytest.raises(ContractError, match=message):
            load_people(tmp_path)
