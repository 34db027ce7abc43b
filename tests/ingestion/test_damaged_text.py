"""Bytes that are no text of a file's encoding: their records are set apart with them, all others are loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion.formats.damage import damaged_lines, is_utf8
from ingestion.formats.text import Utf8Reader

pytestmark = pytest.mark.slow

Build = Callable[[str], Any]
HEADER = "编号,雨量\n"
REASON = "含有不能按文件编码读出的字节"


def lines(*numbers: int) -> str:
    return "".join(f"广安门内{n}号站,{n}\n" for n in numbers)


def text_of(house: Any, number: int) -> dict[str, Any]:
    (raw,) = house.rows("raw", "quarantine", f"row_number = {number}")
    found: dict[str, Any] = json.loads(raw[0])
    return found


@pytest.mark.parametrize(
    ("encoding", "broken", "shown"),
    [
        ("gb18030", "牛街".encode("gb18030")[:3] + b",7\n", r"牛\xbd"),
        ("gb18030", b"\xff\xff" + "牛街,7\n".encode("gb18030"), r"\xff\xff牛街"),
        ("utf-8", "牛街".encode()[:5] + b",7\n", r"牛\xe8\xa1"),
        ("utf-8", b"\xc0\xaf" + "牛街,7\n".encode(), r"\xc0\xaf牛街"),
        ("utf-16-le", "牛".encode("utf-16-le") + b"\x00\xd8" + "街,7\n".encode("utf-16-le"), r"牛\x00\xd8街"),
    ],
)
def test_only_the_record_is_lost(readings: Any, encoding: str, broken: bytes, shown: str) -> None:
    content = (HEADER + lines(1, 2)).encode(encoding) + broken + lines(*range(4, 12)).encode(encoding)
    result = readings.send(content)
    assert (result.rows_found, result.rows_loaded, result.reasons) == (11, 10, {"undecodable": 1})
    assert readings.rows("rules, reasons, row_number", "quarantine") == [(["undecodable"], REASON, 3)]
    assert text_of(readings, 3) == {"_fields": [shown, "7"]}
    told = result.about["undecodable"]
    assert (told["lines"], told["first_line"]) == (1, 4) if encoding != "utf-16-le" else told["lines"] == 1
    assert content[told["first_offset"] :][:1] == broken[broken.index(shown_bytes(shown)[:1]) :][:1]


def shown_bytes(shown: str) -> bytes:
    return bytes(int(part[:2], 16) for part in shown.split("\\x")[1:])


def test_in_quotes_in_too_many_fields_and_at_the_end(readings: Any) -> None:
    rows = b'"\xd5,\n",1\n' + "站甲\n".encode("gb18030") + b"\xd5,2,3\n" + b'"q\xd5"",",4\n'
    result = readings.send((HEADER + lines(1)).encode("gb18030") + rows + "末".encode("gb18030")[:1])
    assert (result.rows_found, result.rows_loaded) == (6, 1)
    assert result.reasons == {"undecodable": 2, "ragged": 2, "truncated": 1}
    assert text_of(readings, 4) == {"_fields": [r"\xd5", "2", "3"]}


def test_lines_read_one_by_one_keep_it_too(readings: Any) -> None:
    content = (HEADER + 'A,1\n"B,2\n').encode() + b"\xff,3\n" + lines(*range(3, 9)).encode()
    result = readings.send(content)
    assert (result.rows_found, result.rows_loaded) == (9, 7)
    assert result.reasons == {"unclosed_quote": 1, "undecodable": 1}


def test_corrected_by_the_department(readings: Any) -> None:
    """The record is open in quarantine like any other, and a later delivery that brings it whole closes nothing else."""
    readings.send((HEADER + lines(1)).encode("gb18030") + "牛街".encode("gb18030")[:3] + b",7\n")
    readings.send(HEADER + "牛街,7\n")
    assert readings.rows("rain_mm") == [(1.0,), (7.0,)]


def test_lines_of_json_and_of_fixed_width(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: ndjson"))
    good = '{"编号": "A", "雨量": 1}\n'.encode("gb18030")
    result = house.send(good + b'{"' + "编号".encode("gb18030") + b'": "\xff", "x": 1}\n' + b"\xff\n", "a.ndjson")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (3, 1, {"undecodable": 2})
    assert text_of(house, 3) == {"_line": r"\xff"}
    columns = "columns: [{name: 编号, start: 1, width: 4}, {name: 雨量, start: 5, width: 3}]"
    house = build(contracts["readings"].replace("type: csv, encoding: auto", f"type: fixed, {columns}"))
    result = house.send("牛街  1\n".encode("gb18030") + b"\xff\xff  2\n" + "广内  3\n".encode("gb18030"), "a.txt")
    assert (result.rows_loaded, result.reasons) == (2, {"undecodable": 1})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER.encode("gb18030") + lines(1, 2).encode("gb18030") + "广安门外站,3\n".encode(), "utf-8, put into it"),
        ("编号,".encode("gb18030") + b"\xff" + "雨量\n".encode("gb18030") + lines(1).encode("gb18030"), "heading"),
        (HEADER.encode("gb18030") + b"\xff,1\n" * 40 + lines(*range(9)).encode("gb18030"), "40 of 50 lines"),
    ],
)
def test_what_says_that_the_encoding_is_another_is_refused(readings: Any, content: bytes, said: str) -> None:
    result = readings.send(content)
    assert (result.verdict, result.rows_loaded) == ("stopped", 0)
    assert said in result.message
    assert readings.rows() == []


def test_a_torn_block_of_a_large_file(readings: Any) -> None:
    """Four kilobytes of noise across the block the reader works in: about as many records are lost as it covers."""
    data = bytearray((HEADER + "".join(f"广安门内街道第{n:07d}号站,1\n" for n in range(60_000))).encode("gb18030"))
    at = 1 << 20
    data[at - 2048 : at + 2048] = bytes((i * 197 + 131) % 128 + 128 for i in range(4096))
    result = readings.send(bytes(data))
    whole = (HEADER.encode("gb18030") + data[len(HEADER.encode("gb18030")) :]).count(b"\n") - 1
    assert (result.rows_found, result.rows_loaded) == (whole, whole - 1)
    assert set(result.reasons) <= {"undecodable", "ragged"}


def test_blocks_of_any_size_give_the_same_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(lines(1, 2).encode("gb18030") + b"\xd5,\xff\xd5\n" + lines(3).encode("gb18030"))
    wanted = f"{lines(1, 2)}\0\\xd5,\0\\xff\0\\xd5\n{lines(3)}".encode()
    for size in (64, 65, 70, 1 << 20):
        with Utf8Reader(path, "gb18030", tolerant=True) as stream:
            assert b"".join(iter(lambda: stream.read(size), b"")) == wanted  # noqa: B023
            assert (stream.damage["lines"], stream.damage["first_line"]) == (1, 3)


def test_lines_of_a_block() -> None:
    text = "甲乙".encode("gb18030")
    assert damaged_lines(text + b"\n\xff\n" + text[:3], "gb18030") == [b"\xff"]
    assert damaged_lines(text[:3] + b"\n" + text, "gb18030") == [text[:3]]
    assert is_utf8("西城区".encode()[1:])
    assert not is_utf8("西城".encode("gb18030"))
    assert not is_utf8(b"abc\xff")
