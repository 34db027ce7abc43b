"""Pictures come out with Chinese letters, the same bytes each time, and nothing from outside."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from catalog.errors import InputError


def test_chinese_letters_are_in_the_font(tmp_path: Path) -> None:
    from lakehouse.drawing.style import picture, save

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a letter its font does not have
        for name in ("a.png", "a.svg"):
            with picture() as (figure, axes):
                axes.plot([1, 2, 3], [3, -1, 2], label="零售额")
                axes.legend()
                axes.set_title("西城区社会消费品零售总额（亿元）µg/m³ ℃ −1")
                assert save(figure, tmp_path / name).stat().st_size > 5_000


def test_same_data_same_bytes_and_a_page_may_hold_it(tmp_path: Path) -> None:
    from lakehouse.drawing.style import inline_svg, picture

    made = []
    for _ in range(2):
        with picture() as (figure, axes):
            axes.plot([1, 2], [1, 2], label="<甲>&")
            axes.legend()
            made.append(inline_svg(figure, '指标 "甲" <增速>'))
    assert made[0] == made[1]
    assert made[0].startswith("<svg role=")
    for text in ("&lt;增速&gt;", "&lt;甲&gt;&amp;", "Microsoft YaHei"):
        assert text in made[0]
    for foreign in ("<script", "<image", 'href="http'):
        assert foreign not in made[0]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    from lakehouse.drawing.style import picture, save

    with picture() as (figure, _), pytest.raises(InputError):
        save(figure, tmp_path / "a.gif")
