"""Matching against a small book: doors, compounds, areas, neighbours, slips, and everything that must stay empty."""

from __future__ import annotations

import pytest

from quality.addresses.book import Alias, Area, Community, Standard, make_book, settle_labels
from quality.addresses.communities import CommunityNames, printed_name
from quality.addresses.match import Match, Matcher
from quality.addresses.names import family, one_slip

A, B = "110102010001", "110102011001"
COMMUNITIES = [
    Community(A, "青松里社区", "110102010", "德胜"),
    Community(B, "长河街社区", "110102011", "金融街"),
    Community("110102012001", "西里一区社区", "110102012", "什刹海"),
]
STANDARDS = [
    Standard("D1", "北京市西城区德胜街道白云胡同12号院", "白云胡同", "12号院", "", "110102010", A, 116.37, 39.95),
    Standard("D2", "北京市西城区德胜街道白云胡同12号院3号楼", "白云胡同", "12号院3号楼", "", "110102010", A, 116.3701, 39.95),
    Standard("D3", "北京市西城区德胜街道白云胡同甲14号", "白云胡同", "甲14号", "", "110102010", A, 116.371, 39.95),
    Standard("D4", "北京市西城区德胜街道红柳路5号", "红柳路", "5号", "", "110102010", A, 116.372, 39.951),
    Standard("D5", "北京市西城区金融街街道红柳路5号", "红柳路", "5号", "", "110102011", B, 116.36, 39.91),
    Standard("C1", "北京市西城区长椿大街8号春晓家园", "长椿大街", "8号", "春晓家园", "110102011", "", 116.3601, 39.9101),
    Standard("D6", "北京市西城区德胜街道青松里7号楼", "青松里", "7号楼", "", "110102010", A, 116.373, 39.951),
]  # fmt: skip


def area(name: str, lo: int | None = None, hi: int | None = None, code: str = A, **other: object) -> Area:
    values = {"alias": "", "stem": "", "kind": "door" if lo else "", "parity": None, "building": ""} | other
    community = next(c.name for c in COMMUNITIES if c.code == code)
    row = Area(f"{name}{lo}{code}", name, "", "", lo, hi or lo, "", None, "", code, community)
    return row._replace(**values)


AREAS = [
    area("石碑胡同", 1, 9),
    area("石碑胡同", 21, 29),
    area("大齿轮街", 1, 37, parity=1),
    area("大齿轮街", 2, 40, code=B, parity=0),
]
MATCHER = Matcher(make_book(STANDARDS, AREAS, COMMUNITIES))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("北京市西城区德胜街道白云胡同12号院", "D1"),
        ("白云胡同12号", "D1"),
        ("西城区白云胡同12号院3号楼2单元501室", "D2"),
        ("白云胡同12号院8号楼", "D1"),
        ("白云胡同甲14号", "D3"),
        ("白云胡同甲１４号", "D3"),
        ("白云胡同甲十四号", "D3"),
        ("北京市西城区金融街街道红柳路5号", "D5"),
        ("德胜街道红柳路5号", "D4"),
        ("春晓家园3号楼", "C1"),
        ("长椿大街8号(春晓家园)", "C1"),
        ("青松里7号", "D6"),
        ("长樁大街8号", "C1"),
    ],
)
def test_the_standard_address(text: str, address: str) -> None:
    assert MATCHER.match(text).address_id == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (None, "empty"),
        ("路", "empty"),
        ("北京市朝阳区白云胡同12号院", "elsewhere"),
        ("天津市和平区白云胡同12号院", "elsewhere"),
        ("红柳路5号", "ambiguous"),
        ("不存在的胡同3号", "unknown_name"),
        ("白云" * 150, "unknown_name"),
    ],
)
def test_what_stays_empty_and_why(text: str | None, reason: str) -> None:
    found = MATCHER.match(text)
    assert (found.address_id, found.community_code, found.community_name) == ("", "", "")
    assert found.reason == reason


def test_a_number_without_its_stem_is_another_door() -> None:
    assert MATCHER.match("白云胡同14号").address_id == ""
    assert MATCHER.match("白云胡同乙14号").address_id == ""


def test_what_is_known_besides_decides_between_doors_of_one_name() -> None:
    assert MATCHER.match("红柳路5号", "110102011").address_id == "D5"
    assert MATCHER.match("红柳路5号", "", A).address_id == "D4"


def test_areas_tell_the_community_by_side_and_by_neighbours() -> None:
    assert MATCHER.match("大齿轮街13号").community_code == A
    assert MATCHER.match("大齿轮街14号").community_code == B
    between = MATCHER.match("石碑胡同15号")
    assert (between.guess or between.community_code) == A
    assert MATCHER.match("石碑胡同5号").how == "area"


def test_a_place_called_like_a_community_is_no_proof_alone() -> None:
    found = MATCHER.match("长河街3号")
    assert found.community_code == ""
    assert found.guess == B
    assert 0 < found.confidence < 0.81


def test_an_empty_answer_has_no_position_and_an_answer_has_its_confidence() -> None:
    for text in ("白云胡同12号", "大齿轮街13号", "长河街3号", "红柳路5号"):
        found = MATCHER.match(text)
        assert found == Match.model_validate(found.model_dump())
        assert (found.how != "") is (found.confidence >= 0.81 and bool(found.address_id or found.community_name))
        assert found.how or found.longitude is None


def test_reverse_gives_the_nearest_door_and_nothing_for_points_that_are_none() -> None:
    near = MATCHER.reverse(116.3711, 39.95)
    assert near is not None
    assert near.address_id == "D3"
    assert near.accuracy_m is not None
    assert 5 < near.accuracy_m < 12
    assert MATCHER.reverse(0.0, 0.0) is None
    assert MATCHER.reverse(39.95, 116.37) is None
    assert MATCHER.reverse(float("nan"), 39.9) is None


def test_a_confirmed_writing_is_known_from_then_on() -> None:
    assert MATCHER.match("老邮局后院").address_id == ""
    learned = Matcher(make_book(STANDARDS, AREAS, COMMUNITIES, [Alias("老邮局后院", "", None, "", "D3")]))
    assert learned.match("西城区老邮局后院").address_id == "D3"


def test_neighbours_names_are_no_slips() -> None:
    assert one_slip("白云胡同", "白芸胡同")
    assert one_slip("长椿大街", "长春大街")
    assert one_slip("白云胡同", "白云同胡")
    assert not one_slip("红莲南里", "红莲北里")
    assert not one_slip("板桥二条", "板桥三条")
    assert not one_slip("西海", "西海南")
    assert family("板桥头条") == family("板桥二条")
    assert family("大茶叶") == family("小茶叶")


def test_printed_communities_find_their_code() -> None:
    names = CommunityNames(COMMUNITIES)
    assert names.code("青松里社区居委会") == A
    assert names.code("青松里居委会") == A
    assert names.code("青松里杜区居委会") == A
    assert names.code("青杉里社区居委会") == A
    assert names.code("什刹海西里一区社区居委会") == "110102012001"
    assert names.code("西里二区社区") is None
    assert names.code("") is None
    assert names.code(None) is None
    assert printed_name("石油社区居委会") == "石油社区"


def test_a_misprinted_community_that_states_the_same_numbers_is_the_listed_one() -> None:
    listed = [area("石碑胡同", n) for n in range(1, 9)]
    printed = [a._replace(area_id="x", community_code="", community_name="青松街社区") for a in listed[:6]]
    other = [a._replace(area_id="y", community_code="", community_name="黄河社区") for a in listed[:6]]
    settled = settle_labels([*listed, *printed, *other])
    assert {a.community_code for a in settled if a.area_id == "x"} == {A}
    assert {a.community_code for a in settled if a.area_id == "y"} == {""}


def test_hostile_texts_are_answered() -> None:
    for text in (
        "'; drop table x; --",
        "${jndi:ldap://x}",
        "a" * 5000,
        "１" * 400,
        "((((",
        "甲" * 300,
        "1-" * 200,
        "街1、" * 300,
    ):
        assert MATCHER.match(text).address_id == ""
