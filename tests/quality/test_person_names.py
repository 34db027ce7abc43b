"""Spellings of one name share something, other names share nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.person_names import MAX_NAME, features, normalise_name, shape_of


@pytest.mark.parametrize(
    ("text", "plain"),
    [("王 伟", "王伟"), ("王　伟", "王伟"), ("买买提·吐尔逊", "买买提吐尔逊"), ("Ｗang Wei", "WANGWEI"), ("", ""), (None, ""),
     ("李" * (MAX_NAME + 1), ""), ("张伟（曾用名）", "张伟曾用名")],
)  # fmt: skip
def test_normalised(text: str | None, plain: str) -> None:
    assert normalise_name(text) == plain


@pytest.mark.parametrize(
    ("a", "b", "field"),
    [
        ("张伟", "张威", "sound"), ("陈静", "程敬", "sound"), ("刘利", "牛丽", "last"), ("李建国", "建国李", "letters"),
        ("王建伟", "王健伟", "without_2"), ("欧阳娜", "欧阳丽", "surname"),
    ],
)  # fmt: skip
def test_what_spellings_share(a: str, b: str, field: str) -> None:
    one, two = features([a, b])
    assert getattr(one, field) == getattr(two, field) != ""


@pytest.mark.parametrize(("nick", "full"), [("小伟", "王建伟"), ("阿芳", "李芳"), ("丽丽", "张丽")])
def test_a_nickname_ends_as_the_name_does(nick: str, full: str) -> None:
    one, two = features([nick, full])
    assert one.nick == two.last
    assert two.nick == ""


@pytest.mark.parametrize(("a", "b"), ["未末", "侯候", "杨扬", "玲铃", "洁沽", "峰锋"])
def test_shapes_that_look_alike_have_near_codes(a: str, b: str) -> None:
    assert sum(x != y for x, y in zip(shape_of(a), shape_of(b), strict=True)) <= 2


@given(st.text(alphabet="王李张伟芳静", min_size=2, max_size=4), st.integers(0, 3), st.sampled_from("国军海"))
def test_one_exchanged_character_leaves_a_skeleton(name: str, at: int, new: str) -> None:
    at %= len(name)
    other = name[:at] + new + name[at + 1 :]
    one, two = features([name, other])
    field = f"without_{at + 1}"
    assert getattr(one, field) == getattr(two, field) != ""
