"""Addresses taken apart: pairs of input and expected elements, and what is no address at all."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quality.addresses.areas import Piece, pieces
from quality.addresses.parse import Elements, parse, read_door, split
from quality.addresses.text import chinese_number, full_name, name_key, normalise

CASES = {
    "北京市西城区德胜街道安德路12号院3号楼4单元502室": {
        "city": "北京市", "district": "西城区", "street": "德胜", "name": "安德路", "number": 12, "kind": "yard",
        "building": "3", "unit": "4", "room": "502",
    },
    "西城区红莲中里5号楼2门301号": {
        "district": "西城区", "name": "红莲中里", "kind": "building", "building": "5", "unit": "2", "room": "301",
    },
    "广内大街甲7号院": {"name": "广内大街", "stem": "甲", "number": 7, "kind": "yard"},
    "北京市宣武区牛街东里一区3号楼": {
        "city": "北京市", "district": "宣武区", "name": "牛街东里一区", "kind": "building", "building": "3",
    },
    "新街口外大街28号新2号楼": {"name": "新街口外大街", "number": 28, "kind": "door", "building": "新2"},
    "西直门内大街一百七十号": {"name": "西直门内大街", "number": 170, "kind": "door"},
    "三里河一区5-3-502": {"name": "三里河一区", "number": 5, "kind": "door", "unit": "3", "room": "502"},
    "佟麟阁路2－34号": {"name": "佟麟阁路", "number": 2, "number_to": 34, "kind": "door"},
    "白纸坊西街20号（圣都大厦）": {"name": "白纸坊西街", "number": 20, "kind": "door", "alias": "圣都大厦"},
    "西城区安德路 12 号 院": {"district": "西城区", "name": "安德路", "number": 12, "kind": "yard"},
    "珠市口西大街12号": {"name": "珠市口西大街", "number": 12, "kind": "door"},
    "东小市胡同3号": {"name": "东小市胡同", "number": 3, "kind": "door"},
    "天宁寺前街８号": {"name": "天宁寺前街", "number": 8, "kind": "door"},
    "安德路": {"name": "安德路"},
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_elements(text: str) -> None:
    assert parse(text) == Elements(**CASES[text])


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("北京市朝阳区安立路60号", False),
        ("北京市海淀区阜成路8号", False),
        ("河北省石家庄市长安区中山路3号", False),
        ("上海市静安区南京西路1号", False),
        ("天津市和平区西城区胡同1号", False),
        ("崇文区前门东大街3号", False),
        ("宣武区广安门内大街3号", True),
        ("宣武门西大街3号", True),
        ("天津南里3号", True),
        ("西城区福建会馆胡同2号", True),
        ("西单北大街3号", True),
    ],
)
def test_another_district_or_city_is_told_from_a_lane_called_after_it(text: str, here: bool) -> None:
    assert parse(text).is_here is here


@pytest.mark.parametrize(
    "text", ["", None, " ", "，、（", "号", "1", "九", "路" * 300, "12345678901234567890", "\x00\n", "()()(("]
)
def test_nothing_of_an_address_does_not_raise(text: str | None) -> None:
    assert isinstance(parse(text), Elements)
    assert isinstance(pieces(text), list)


AREAS = {
    "砖塔胡同1、4-6号，甲9号": [
        Piece("砖塔胡同", lo=1, hi=1, kind="door"),
        Piece("砖塔胡同", lo=4, hi=6, kind="door"),
        Piece("砖塔胡同", stem="甲", lo=9, hi=9, kind="door"),
    ],
    "培英胡同单号1-37，双号8-66号": [
        Piece("培英胡同", lo=1, hi=37, kind="door", parity=1),
        Piece("培英胡同", lo=8, hi=66, kind="door", parity=0),
    ],
    "王皮（单号）3-41，（双号）6-54": [
        Piece("王皮", lo=3, hi=41, kind="door", parity=1),
        Piece("王皮", lo=6, hi=54, kind="door", parity=0),
    ],
    "前半壁街1、2号楼，15号": [
        Piece("前半壁街", lo=1, hi=1, kind="building"),
        Piece("前半壁街", lo=2, hi=2, kind="building"),
        Piece("前半壁街", lo=15, hi=15, kind="door"),
    ],
    "马连道78号院(瑞莲家园) 1、2号楼": [
        Piece("马连道", "瑞莲家园", lo=78, hi=78, kind="door"),
        Piece("马连道", lo=78, hi=78, kind="door", building="1"),
        Piece("马连道", lo=78, hi=78, kind="door", building="2"),
    ],
    "花街5号院,花街7号院": [Piece("花街", lo=5, hi=5, kind="door"), Piece("花街", lo=7, hi=7, kind="door")],
    "宫门口横胡同1号、2号后门": [
        Piece("宫门口横胡同", lo=1, hi=1, kind="door"),
        Piece("宫门口横胡同", lo=2, hi=2, kind="door"),
    ],
    "赵登禹路417、431439号": [
        Piece("赵登禹路", lo=417, hi=417, kind="door"),
        Piece("赵登禹路", lo=431, hi=431, kind="door"),
        Piece("赵登禹路", lo=439, hi=439, kind="door"),
    ],
    "文昌胡同、文化胡同": [Piece("文昌胡同"), Piece("文化胡同")],
    "湾子街1.2号楼": [Piece("湾子街", lo=1, hi=1, kind="building"), Piece("湾子街", lo=2, hi=2, kind="building")],
    "符合西城区小学入学条件的适龄儿童，均需到学校登记": [],
}


@pytest.mark.parametrize("text", AREAS)
def test_pieces_of_an_area(text: str) -> None:
    assert pieces(text) == AREAS[text]


def test_one_writing() -> None:
    assert normalise("安德路１２号（北）—３ 号") == "安德路12号(北)-3号"
    assert normalise("半壁街44 46号") == "半壁街44、46号"
    assert [chinese_number(t) for t in ("九", "十", "十五", "二十", "一百", "二百一十五", "一零二")] == [
        9,
        10,
        15,
        20,
        100,
        215,
        102,
    ]


def test_names_are_one_by_their_short_forms() -> None:
    assert full_name("广内大街") == "广安门内大街"
    assert full_name("珠西大街") == "珠市口西大街"
    assert full_name("广外胡同") == "广外胡同"
    assert name_key("西皇城根北街") == name_key("西黄城根北街")
    assert name_key("王皮胡同") == name_key("王皮")
    assert name_key("红莲南里") != name_key("红莲中里")


def test_split_keeps_every_character_of_the_local_part() -> None:
    assert split("北京市西城区安德路12号院3号楼") == ("安德路", "12号院3号楼")
    assert split("") == ("", "")


_WORDS_OF_LANES = (
    "安 德 路 胡同 地区 街道 社区 西城 宣武 天津 市 区 办事处 门 第 三 一 百 甲 戊 新 旧 地下 内 口 省 3 号 ( -"
)
_WORDS_OF_DOORS = "1 12 3 甲 丁 戊 十二 号 号院 院 楼 号楼 单元 室 社区 社 区 街道 地区 市 - 、 ５ 内 第 新 门 之"
_LANES = st.lists(st.sampled_from(_WORDS_OF_LANES.split()), max_size=6)
_LOCALS = st.lists(st.sampled_from(_WORDS_OF_DOORS.split()), max_size=6)


@given(_LANES, _LOCALS)
@example(["某某", "地区"], ["戊", "1", "号"])
@example(["安", "德"], ["3", "号", "社区"])
@example(["宣武"], ["门", "1"])
@example(["天津"], ["甲", "1", "号院"])
def test_a_door_is_what_the_whole_address_says(lane: list[str], local: list[str]) -> None:
    name, door = read_door("".join(lane), "".join(local))
    whole = parse("".join([*lane, *local]))
    assert (name, *door) == (whole.name, whole.stem, whole.number, whole.building)
