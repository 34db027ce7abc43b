"""Who a record is about when its code is not the organisation's: whose number it is, the day of registration, what stays open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.dbt_project.conftest import Models

pytestmark = pytest.mark.slow

A, B, C, D, E = (f"9111010210137{n}136C" for n in range(5))
DAY, OTHER_DAY = date(2010, 5, 4), date(2011, 5, 4)
CODE = {"entity_name": "varchar", "uscc": "varchar", "org_code": "varchar", "registration_number": "varchar",
        "holder_resident_key": "varchar", "entity_code_kind": "varchar"}  # fmt: skip
REGISTER = {"uscc": "varchar", "entity_name": "varchar", "registration_date": "date"}
TABLES: dict[str, dict[str, str]] = {
    "tax__registrations": {"source_record_id": "varchar", "registration_date": "date", **CODE},
    "social_security__employers": {"employer_number": "varchar", **CODE},
    "government_services__licences": {"licence_number": "varchar", **CODE},
    "market_supervision__enterprises": REGISTER,
    "civil_affairs__social_organisations": REGISTER,
    "staffing__institutions": REGISTER,
    "market_supervision__listed_companies": {
        "uscc": "varchar", "entity_name": "varchar", "source_updated_at": "timestamptz", "source_record_id": "varchar"
    },
    "market_supervision__changes": {
        "uscc": "varchar", "entity_name": "varchar", "entity_change_code": "varchar", "value_before": "varchar",
        "approval_date": "date", "entity_change_id": "varchar",
    },
    "market_supervision__key_persons": {"uscc": "varchar", "resident_key": "varchar", "position_name": "varchar"},
    "market_supervision__shareholders": {"uscc": "varchar", "shareholder_uscc": "varchar", "resident_key": "varchar"},
}  # fmt: skip

REGISTERED = [
    (A, "北京华安信达科技有限公司", DAY),
    (B, "北京永和餐饮有限公司西单分公司", DAY),
    (C, "德隆（北京）商贸有限公司", OTHER_DAY),
]
HEADS = [("p", A), ("p", C), ("q", B), ("r", D), ("s", D), ("s", E)]

CASES: list[tuple[str, dict[str, Any], tuple[str | None, str | None]]] = [
    ("a code decides", {"uscc": A, "entity_name": "别的名称有限公司"}, (A, "uscc")),
    ("an organisation code known from nothing but the file of heads", {"org_code": D[8:17]}, (D, "org_code")),
    ("an organisation code of nobody", {"org_code": "X" * 9}, (None, None)),
    ("its head's number, and its own word", {"holder_resident_key": "p", "entity_name": "北京华安"}, (A, "representative")),
    ("its head's number, and its name without the place",
     {"holder_resident_key": "p", "entity_name": "（北京）商贸有限责任公司"}, (C, "representative")),
    ("the head of two such", {"holder_resident_key": "p", "entity_name": "北京"}, (None, None)),
    ("a head, and quite another name", {"holder_resident_key": "q", "entity_name": "北京东方茶业有限公司"}, (None, None)),
    ("the head of a branch is not its company's", {"holder_resident_key": "q", "entity_name": "北京永和餐饮有限公司"}, (None, None)),
    ("the head of one that nobody names", {"holder_resident_key": "r", "entity_name": "北京无名科技有限公司"}, (D, "representative")),
    ("the head of two that nobody names", {"holder_resident_key": "s", "entity_name": "北京无名科技有限公司"}, (None, None)),
    ("a name that is registered is not that of one without",
     {"holder_resident_key": "r", "entity_name": "北京华安信达科技有限责任公司"}, (None, None)),
    ("the day and the own word", {"registration_date": DAY, "entity_name": "北京华安信"}, (A, "registration_date")),
    ("another day", {"registration_date": OTHER_DAY, "entity_name": "北京华安信"}, (None, None)),
    ("the day and the place alone", {"registration_date": DAY, "entity_name": "北京"}, (None, None)),
    ("the day of a branch and its company's name",
     {"registration_date": DAY, "entity_name": "北京永和餐饮有限公司"}, (None, None)),
]  # fmt: skip


@pytest.fixture
def made(models: Models) -> Callable[..., Models]:
    """``made(records)``: ``legal_entity.record_codes`` and ``names`` of tax records beside three registered firms."""

    def built(records: list[dict[str, Any]]) -> Models:
        rows: dict[str, list[tuple[Any, ...]]] = {
            "market_supervision__enterprises": list(REGISTERED),
            "market_supervision__key_persons": [(uscc, key, "法定代表人") for key, uscc in HEADS] + [(C, "q", "监事")],
            "tax__registrations": [
                tuple({"source_record_id": str(i), **r}.get(c) for c in TABLES["tax__registrations"])
                for i, r in enumerate(records)
            ],
        }
        for name, columns in TABLES.items():
            models.table(f"staging__{name}", columns, rows.get(name, ()))
        models.build("legal_entity__record_codes", "legal_entity__names")
        return models

    return built


def test_who_a_record_is_about(made: Callable[..., Models]) -> None:
    rows = made([record for _, record, _ in CASES]).rows(
        "select uscc, link_method from legal_entity__record_codes order by cast(record_id as integer)"
    )
    for (reason, _, expected), found in zip(CASES, rows, strict=True):
        assert found == expected, reason


def test_what_records_call_an_organisation_is_known_of_it(made: Callable[..., Models]) -> None:
    """Its only name, a name of before, and no abbreviation, spelling, or name that is another's."""
    models = made(
        [
            {"holder_resident_key": "r", "entity_name": "北京无名科技有限公司"},
            {"uscc": A, "entity_name": "北京老名字商贸有限公司"},
            {"uscc": A, "entity_name": "华安信达科技"},
            {"uscc": A, "entity_name": "北京 华安信达科技有限责任公司"},
            {"uscc": A, "entity_name": "德隆(北京)商贸有限公司"},
            {"uscc": D, "entity_name": "北京无名"},
        ]
    )
    names = models.rows("select uscc, entity_name, name_kind from legal_entity__names where name_kind <> 'registered'")
    assert sorted(names) == [(A, "北京老名字商贸有限公司", "mentioned"), (D, "北京无名科技有限公司", "alias")]
