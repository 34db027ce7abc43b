"""Pictures come out with Chinese letters, the same bytes each time, and nothing from outside."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from catalog.errors import InputError


@pytest.mark.slow
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


def test_names_stand_off_each_other_and_off_dots(tmp_path: Path) -> None:
    from lakehouse.drawing.labels import Labels
    from lakehouse.drawing.style import picture

    with picture() as (_figure, axes):
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 10)
        labels = Labels(axes)
        at = [(5.0, 5.0), (5.1, 5.05), (4.9, 5.1), (9.0, 9.0)]
        labels.add_dots([x for x, _ in at], [y for _, y in at], [4.0] * len(at))
        for i, (x, y) in enumerate(at):
            labels.note(f"积水点{i}", x, y, 4.0, fontsize=8)
        labels.name("大栅栏", 9.0, 9.0, fontsize=8)
        labels.draw()
        boxes = [t.get_window_extent() for t in axes.texts]
        dots = axes.transData.transform(at)
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert not any(boxes[-1].contains(x, y) for x, y in dots), "the name of an area leaves its dot free"
        apart = [abs(box.x0 + box.width / 2 - x) for box, (x, _) in zip(boxes, dots, strict=False)]
        assert max(apart) < 80, "a note stays beside its dot"
