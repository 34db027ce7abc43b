"""Identifiers: worked examples of the standards, and Python and DuckDB agreeing on anything."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from datetime import date

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality import identifiers as ids
from quality.identifiers.organisation import ALPHABET

RESIDENT = [
    ("11010519491231002X", None, "worked example of GB 11643-1999"),
    ("440524188001010014", None, "worked example of GB 11643-1999, born 1880"),
    ("11010519491231002x", None, "small x is the same number"),
    ("110105194912310021", "checksum", "last character changed"),
    ("11010519491232002X", "format", "December has no 32nd"),
    ("110105190002290020", "format", "1900 was no leap year"),
    ("990105194912310026", "checksum", "foreign permanent-resident form, wrong check"),
    ("00010519491231002X", "format", "no such province"),
    ("110105491231002", None, "15 digits of 1989"),
    ("110105491331002", "format", "month 13 in 15 digits"),
    ("11010519491231002", "format", "17 characters"),
    ("１１０１０５19491231002X", "format", "full-width digits are not digits"),
    ("9.11E+17", "format", "a spreadsheet destroyed it"),
    ("", "format", "empty"),
]

USCC = [
    ("91350100M000100Y43", None, "worked example of GB 32100-2015"),
    ("91350100M000100Y4" + ALPHABET[28], "checksum", "the widely copied wrong formula"),
    ("91350100I000100Y43", "format", "I is not in the alphabet"),
    ("91350100m000100y43", "format", "small letters"),
    ("9135", "format", "short"),
    ("9.11E+17", "format", "a spreadsheet destroyed it"),
    ("统一社会信用代码统一社会信用代码九一", "format", "no ASCII at all"),
]

PHONES = [
    ("13801234567", "mobile", "plain"),
    ("+86 138-0123-4567", "mobile", "country code and separators"),
    ("12801234567", None, "no such mobile prefix"),
    ("1380123456", None, "ten digits"),
    ("010-83123456", "beijing_fixed", "hyphen"),
    ("(010)83123456转801", "beijing_fixed", "brackets and extension"),
    ("（010）8312 3456", "beijing_fixed", "full-width brackets"),
    ("83123456", "beijing_fixed", "bare eight digits"),
    ("0755-26543210", "other_fixed", "another city"),
    ("12345", "service", "the hotline itself"),
    ("400-810-1234", "service", "400 number"),
    ("110102198001011234", None, "not a phone"),
]

PLATES = [
    ("京A12345", True, "blue"),
    ("京AD12345", True, "new energy, small"),
    ("京A12345D", True, "new energy, large"),
    ("京A1234警", True, "police"),
    ("京O12345", False, "O is not a city letter"),
    ("京AI2345", False, "I is not used"),
    ("A12345", False, "no province"),
]

CARDS = [
    ("4111111111111111", True, "the test number of every card scheme"),
    ("4111111111111112", False, "Luhn sum off by one"),
    ("6222021234567890127", False, "19 digits, Luhn sum off"),
    ("411111111111111", False, "15 digits"),
]

ORGS = [
    ("M000100Y4", True, "inside the worked example of GB 32100"),
    ("M000100Y-4", True, "hyphenated"),
    ("M000100Y5", False, "wrong check"),
]

TAXPAYERS = [
    ("91350100M000100Y43", "uscc", "credit code"),
    ("11010519491231002X", "resident_id", "a person's number as tax number"),
    ("11010519491231002XF0", "resident_id_plus_2", "sole trader"),
    ("350100M000100Y4", "org_code_15", "area and organisation code"),
    ("M000100Y4", "org_code", "organisation code"),
    ("9.1110102E+17", "scientific", "destroyed by a spreadsheet"),
    ("142402********1534", "masked", "already masked"),
    ("甲", "unknown", "nothing known"),
]

REGISTRATIONS = [
    ("110102001000049", True, "right check digit"),
    ("110102001000048", False, "wrong check digit"),
    ("11010200100004", False, "14 digits"),
    ("91110102101379136C", False, "a credit code"),
]


TABLE = "create table t as select unnest($1::varchar[]) as v, generate_subscripts($1::varchar[], 1) as n"


def sql_values(expression: str, texts: Sequence[str | None]) -> list[object]:
    con = duckdb.connect()
    con.execute(
        "create table t as select unnest(?::varchar[]) as v, generate_subscripts(?::varchar[], 1) as n", [texts, texts]
    )
    return [row[0] for row in con.execute(f"select {expression} from t order by n").fetchall()]


@pytest.mark.parametrize(("text", "expected", "reason"), RESIDENT)
def test_resident_id(text: str, expected: str | None, reason: str) -> None:
    assert ids.resident_id_fault(text) == expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), USCC)
def test_uscc(text: str, expected: str | None, reason: str) -> None:
    assert ids.uscc_fault(text) == expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), PHONES)
def test_phone(text: str, expected: str | None, reason: str) -> None:
    assert ids.phone_kind(text) == expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), PLATES)
def test_plate(text: str, expected: bool, reason: str) -> None:
    assert ids.is_plate(text) is expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), CARDS)
def test_bank_card(text: str, expected: bool, reason: str) -> None:
    assert ids.is_bank_card(text) is expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), REGISTRATIONS)
def test_registration_number(text: str, expected: bool, reason: str) -> None:
    assert ids.is_registration_number(text) is expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), ORGS)
def test_org_code(text: str, expected: bool, reason: str) -> None:
    assert ids.is_org_code(text) is expected, reason


@pytest.mark.parametrize(("text", "expected", "reason"), TAXPAYERS)
def test_taxpayer_kind(text: str, expected: str, reason: str) -> None:
    assert ids.taxpayer_kind(text) == expected, reason


def test_parts_of_a_resident_id() -> None:
    old = ids.parse_resident_id("110105491231002")
    new = ids.parse_resident_id("11010519491231002X")
    assert old is not None
    assert new is not None
    assert (old.kind, new.kind) == ("resident_15", "resident")
    assert {old.birth_date, new.birth_date} == {date(1949, 12, 31)}
    assert old.sex_code == new.sex_code == "2"
    assert ids.upgrade_resident_id("110105491231002") == "11010519491231002X"


def test_checksum_and_format_expressions_split_the_faults() -> None:
    texts = [text for text, _, _ in RESIDENT]
    form = sql_values(ids.resident_id_format_sql("v"), texts)
    check = sql_values(ids.resident_id_checksum_sql("v"), texts)
    for (text, expected, reason), form_ok, check_ok in zip(RESIDENT, form, check, strict=True):
        assert form_ok is (expected != "format"), (text, reason)
        if expected != "format":
            assert check_ok is (expected != "checksum"), (text, reason)


# --- Python and SQL agree -------------------------------------------------------------------------------------------


def _date_text(day: date) -> str:
    return f"{day:%Y%m%d}"


_ids_18 = st.builds(
    lambda area, day, sequence, check: area + _date_text(day) + sequence + check,
    st.sampled_from(["110102", "110104", "810000", "911840", "440524", "990101", "000000"]),
    st.dates(date(1800, 1, 1), date(2120, 1, 1)),
    st.text("0123456789", min_size=3, max_size=3),
    st.sampled_from("0123456789Xx"),
).map(lambda text: text[:17] + ids.check_character(text[:17]) if int(text[16]) % 3 else text)
_usccs = st.builds(
    lambda head, body: head + body + ids.uscc_check_character(head + body),
    st.sampled_from(["91110102", "54110102", "N1110102", "Y1350100"]),
    st.text(ALPHABET, min_size=9, max_size=9),
)
_digits = st.text("0123456789", max_size=21)
_messy = st.text(string.digits + "ABXFIOSVZx京津沪警-+.*（）( ) 转E9·\u00a0甲٣", max_size=22)
LIKE = re.compile(r"(1[3-9]\d{9}|0?10-?\d{8}|京[A-Z][A-Z0-9]{5,6}|\d{15})", re.ASCII)
_like_pattern = st.from_regex(
    re.compile(r"(1[3-9]\d{9}|0?10-?\d{8}|京[A-Z][A-Z0-9]{5,6}|\d{15})", re.ASCII), fullmatch=True
)


def _completed(valid: Callable[[str], bool], body: str, ends: str) -> str:
    """``body`` and the first of ``ends`` that makes it a number of its kind."""
    return next((body + end for end in ends if valid(body + end)), body)


# random digits are hardly ever a number with a check digit: these mostly are
_registrations = st.from_regex(re.compile(r"110102[0-9]{8}"), fullmatch=True).map(
    lambda body: _completed(ids.is_registration_number, body, string.digits)
)
_cards = st.from_regex(re.compile(r"62[0-9]{13,16}"), fullmatch=True).map(
    lambda body: _completed(ids.is_bank_card, body, string.digits)
)
_plates = st.from_regex(re.compile(r"[京津沪冀][A-HJ-NP-Z][·]?[DF0-9A-HJ-NP-Z][0-9]{4}[0-9DF警学挂]?"), fullmatch=True)
ANY = st.one_of(
    _registrations,
    _cards,
    _plates,
    _ids_18,
    _usccs,
    _digits,
    _messy,
    _like_pattern,
    _ids_18.map(lambda t: t + "F0"),
    st.text(max_size=22),
)

PAIRS: list[tuple[str, Callable[[str], object], str]] = [
    ("resident_id", ids.is_resident_id, ids.is_resident_id_sql("v")),
    ("resident_id_18", lambda t: ids.is_resident_id(t, allow_15=False), ids.is_resident_id_sql("v", allow_15=False)),
    (
        "upgrade",
        lambda t: ids.upgrade_resident_id(t) if t.isascii() else None,
        f"if(length(v)=strlen(v),{ids.upgrade_resident_id_sql('v')},NULL)",
    ),
    ("uscc", ids.is_uscc, ids.is_uscc_sql("v")),
    ("org_code", ids.is_org_code, ids.is_org_code_sql("v")),
    ("registration", ids.is_registration_number, ids.is_registration_number_sql("v")),
    ("taxpayer", ids.taxpayer_kind, ids.taxpayer_kind_sql("v")),
    ("phone", ids.phone_kind, ids.phone_kind_sql("v")),
    ("is_phone", ids.is_phone, ids.is_phone_sql("v")),
    ("plate", ids.is_plate, ids.is_plate_sql("v")),
    ("card", ids.is_bank_card, ids.is_bank_card_sql("v")),
]


@pytest.mark.parametrize(("name", "reference", "expression"), PAIRS, ids=[p[0] for p in PAIRS])
def test_sql_agrees_on_the_fixtures(name: str, reference: Callable[[str], object], expression: str) -> None:
    texts = [
        row[0] for table in (RESIDENT, USCC, PHONES, PLATES, CARDS, REGISTRATIONS, ORGS, TAXPAYERS) for row in table
    ]
    assert sql_values(expression, texts) == [reference(t) for t in texts]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(texts=st.lists(ANY.filter(lambda t: "\x00" not in t), min_size=30, max_size=60))
def test_sql_agrees_on_anything(texts: list[str]) -> None:
    columns = ", ".join(expression for _, _, expression in PAIRS)
    con = duckdb.connect()
    con.execute(
        "create table t as select unnest($1::varchar[]) as v, generate_subscripts($1::varchar[], 1) as n", [texts]
    )
    rows = con.execute(f"select {columns} from t order by n").fetchall()
    for text, row in zip(texts, rows, strict=True):
        assert dict(zip((p[0] for p in PAIRS), row, strict=True)) == {n: f(text) for n, f, _ in PAIRS}, text


@given(first=st.text("123456789", min_size=1, max_size=1), rest=st.text("0123456789", min_size=16, max_size=16))
def test_one_wrong_digit_is_always_found(first: str, rest: str) -> None:
    number = first + rest
    check = ids.check_character(number)
    for i, c in enumerate(number):
        assert ids.check_character(number[:i] + str((int(c) + 1) % 10) + number[i + 1 :]) != check


@given(st.text("0123456789", min_size=14, max_size=14), st.integers(0, 14), st.integers(1, 9))
def test_one_wrong_digit_of_a_registration_number_is_always_found(body: str, place: int, step: int) -> None:
    number = _completed(ids.is_registration_number, body, string.digits)
    assert len(number) == 15
    wrong = number[:place] + str((int(number[place]) + step) % 10) + number[place + 1 :]
    assert not ids.is_registration_number(wrong)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(0, 9999), min_size=40, max_size=80, unique=True),
    st.dates(date(2019, 1, 1), date(2024, 12, 31)),
)
def test_permit_numbers_are_not_called_ids_on_their_checksum_alone(serials: list[int], day: date) -> None:
    """Area, date and a serial look like an ID; about one in eleven passes the check by chance."""
    from quality.content import identifiers_sql

    con = duckdb.connect()
    numbers = [f"110116{_date_text(day)}{n:04}" for n in serials]
    con.execute("create table t as select unnest(?::varchar[]) as permit", [numbers])
    found = {kind: hits for _, kind, hits, _ in con.execute(identifiers_sql("t", ["permit"])).fetchall()}
    assert found["resident_id"] == 0


def test_null_is_never_valid() -> None:
    for name, _, expression in PAIRS:
        assert sql_values(expression, [None])[0] in (False, None), name


@given(st.dates(date(1850, 1, 1), date(2099, 12, 31)), st.integers(0, 40))
def test_the_pattern_knows_the_calendar(day: date, extra: int) -> None:
    """Every day is accepted, and no text that is not a day of the Gregorian calendar."""
    number = f"110102{_date_text(day)}001"
    assert ids.is_resident_id(number + ids.check_character(number))
    text = f"{day.year}{day.month + extra // 20:02}{day.day + extra:02}"
    try:
        real = date(int(text[:4]), int(text[4:6]), int(text[6:8])) is not None
    except ValueError:
        real = False
    number = f"110102{text}001"
    assert ids.is_resident_id(number + ids.check_character(number)) is real


def test_leap_days_of_two_and_a_half_centuries() -> None:
    for year in range(1850, 2100):
        number = f"110102{year}0229001"
        real = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        assert (ids.resident_id_fault(number + ids.check_character(number)) is None) is real, year
    for year in range(100):
        assert ids.is_resident_id(f"110102{year:02}0229001") is (year % 4 == 0 and year != 0), year
