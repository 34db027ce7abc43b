"""Examples of rejected rows show no number of a person, also where a column of grade 1 holds one by mistake."""

from __future__ import annotations

import pytest

from ingestion.shown import without_numbers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("北京市西城区育新里2号楼5单元603室", "北京市西城区育新里2号楼5单元603室"),
        ("2026-06-30 10:00:00", "2026-06-30 10:00:00"),
        ("93656.010", "93656.010"),
        ("91110102MA0012345X", "91110102MA0012345X"),
        ("110102001004", "110102001004"),
        ("1101020010041234", "1101020010041234"),
        ("", ""),
        ("110102199003070732", "1******"),
        ("联系张某139 1111-2222", "联******"),
        ("１３９１１１１２２２２", "１******"),
        ("卡6222 0200 0000 0000 125", "卡******"),
        ("110102900307073号", "1******"),
        ("税号110102199013990731、110102199012310731X2", "税******"),
        ("010-66123456", "0******"),
    ],
)
def test_long_numbers_are_never_shown(text: str, shown: str) -> None:
    assert without_numbers(text) == shown


def test_a_number_misplaced_in_an_open_column_is_masked_for_every_reader() -> None:
    from ingestion.shown import shown

    raw = '{"编号": "A-17", "备注": "回拨 138-0013-8000", "姓名": "王小明"}'
    assert shown(raw, {"编号", "备注"}) == {"编号": "A-17", "备注": "回******", "姓名": "王**"}
