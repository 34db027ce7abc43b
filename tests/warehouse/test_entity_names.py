"""Names of organisations: what is one spelling, what is a part, and what never breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.entities.names import EMPTY, parts, spelled

SAME = [
    ("北京华安信达（西城）科技有限公司", "北京华安信达(西城)科技有限公司", "width of brackets"),
    ("北京华安信达〔西城〕科技有限公司", "北京华安信达【西城】科技有限公司", "kinds of brackets"),
    ("北京 华安信达　科技有限公司", "北京华安信达科技有限公司", "blanks of both widths"),
    ("北京華安信達科技有限公司", "北京华安信达科技有限公司", "traditional characters"),
    ("北京ＡＢＣ科技有限公司", "北京abc科技有限公司", "full-width letters and case"),
    ("北京华安·信达科技有限公司", "北京华安信达科技有限公司", "points"),
    ("北京华安科技有限公司（已注销）", "北京华安科技有限公司", "a note of the list"),
    ("北京华安科技有限公司（曾用名：北京甲科技有限公司）", "北京华安科技有限公司", "a former name noted"),
    ("12、北京华安科技有限公司", "北京华安科技有限公司", "numbered lines"),
]

PARTS = [
    ("北京市华安科技有限责任公司", "北京", "华安科技", "有限公司", "", "市 and 有限责任 are spelling"),
    (
        "华安（北京）科技有限公司",
        "(北京)",
        "华安科技",
        "有限公司",
        "",
        "the place behind the own word is another place",
    ),
    ("北京市西城区华安超市有限公司", "北京", "西城华安超市", "有限公司", "", "超市 is no city"),
    ("北京市政建设集团有限公司", "北京", "市政建设集团", "有限公司", "", "市政 is no city"),
    ("中国北京国际公司", "", "中国北京国际", "公司", "", "a national name keeps its place"),
    ("北京鲁班建筑工程公司第三分公司", "北京", "鲁班建筑工程", "公司", "第三分公司", "a branch"),
    ("甲乙会计师事务所（特殊普通合伙）", "", "甲乙会计师事务所", "特殊普通合伙", "", "a partnership is a form"),
    ("北京", "", "北京", "", "", "a place alone"),
    ("公司", "", "公司", "", "", "a form alone"),
    ("有限公司有限合伙", "", "有限公司有限合伙", "", "", "forms alone"),
    ("北京特殊普通合伙", "北京", "特殊", "普通合伙", "", "a form leaves something before it"),
    ("甲股份有限责任公司普通合伙", "", "甲", "股份有限公司", "普通合伙", "what follows a form"),
]


@pytest.mark.parametrize(("a", "b", "reason"), SAME)
def test_one_spelling(a: str, b: str, reason: str) -> None:
    first, second = parts([a, b])
    assert first.full == second.full, reason


@pytest.mark.parametrize(("name", "place", "core", "form", "branch", "reason"), PARTS)
def test_parts(name: str, place: str, core: str, form: str, branch: str, reason: str) -> None:
    (one,) = parts([name])
    assert (one.place, one.core, one.form, one.branch) == (place, core, form, branch), reason


def test_what_is_no_name() -> None:
    assert parts([None, "", " \n ", "（）", "长" * 201]) == [EMPTY] * 5
    assert parts(["（北京）"])[0].core == "北京"


NAME = st.text(
    st.sampled_from("北京市西城区华安科技（）()【有限责任股份公司集团总合伙普通特殊·a1 \n\u3000\x00門國\ud7ff"),
    max_size=24,
)


@given(st.lists(st.one_of(NAME, st.text(max_size=30)), max_size=12))
def test_any_text_gives_one_answer_each_and_spelling_twice_changes_nothing(texts: list[str]) -> None:
    found = parts(texts)
    assert len(found) == len(texts)
    again = spelled(texts)
    assert spelled(again) == again
    for one in found:
        assert one == EMPTY or (one.core and "(" not in one.full and " " not in one.full)
