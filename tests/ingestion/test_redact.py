"""Delivered files of every rewritable kind without one person; what cannot be rewritten is withdrawn."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from catalog.model import Feed
from catalog.registry import Catalog
from ingestion.landed_records import LandedRecords
from ingestion.redact import _rewritten
from tests.ingestion.conftest import resident_id
from warehouse.erase_person import Person

WHO, OTHER = resident_id(7), resident_id(8)
PERSON = Person("f" * 64, (WHO,))


@pytest.fixture
def feed(catalog: Catalog) -> Feed:
    return catalog.feed("public_security__household")


def rewrite(feed: Feed, file: Path, data: bytes, *, whole: bool = True, **fmt: str) -> tuple[bytes, int, str]:
    file.write_bytes(data)
    feed = feed.model_copy(update={"format": feed.format.model_copy(update=fmt)})
    return _rewritten(file, feed, PERSON, LandedRecords(), whole=whole)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@pytest.mark.parametrize("number", [WHO, WHO.lower(), WHO[:6] + WHO[8:17], f"{WHO[:6]} {WHO[6:14]} {WHO[14:]}"])
def test_csv_records_over_several_lines_are_blanked_in_place(
    feed: Feed, tmp_path: Path, encoding: str, number: str
) -> None:
    text = f'号,注\r\n{number},"两\n行"\r\n{OTHER},"多,\n行"\r\n'
    data, records, how = rewrite(feed, tmp_path / "a.csv", text.encode(encoding), type="csv")
    assert data.decode(encoding) == f'号,注\r\n,\r\n{OTHER},"多,\n行"\r\n'
    assert (records, how) == (1, "records blanked")


def test_elsewhere_the_number_alone_is_starred(feed: Feed, tmp_path: Path) -> None:
    data, _, how = rewrite(feed, tmp_path / "a.csv", f"1,当事人{WHO}\n2,无\n".encode(), whole=False, type="csv")
    assert (data.decode(), how) == (f"1,当事人{'*' * 18}\n2,无\n", "values starred")


def test_json_and_ndjson_keep_an_empty_record_in_its_place(feed: Feed, tmp_path: Path) -> None:
    lines = f'{{"id":"{WHO}"}}\n{{"id":"2"}}\n'.encode()
    assert rewrite(feed, tmp_path / "a.ndjson", lines, type="ndjson")[0] == b'{}\n{"id":"2"}\n'
    tree = json.dumps({"r": {"d": [{"id": WHO}, {"id": "2"}]}}).encode()
    data, records, _ = rewrite(feed, tmp_path / "a.json", tree, type="json", records="r.d")
    assert (json.loads(data), records) == ({"r": {"d": [{}, {"id": "2"}]}}, 1)
    rows = json.dumps([["号", "注"], [WHO, "甲"], ["2", "乙"]]).encode()
    data, records, _ = rewrite(feed, tmp_path / "b.json", rows, type="json")
    assert (json.loads(data), records) == ([["号", "注"], [None, None], ["2", "乙"]], 1)


def test_a_workbook_keeps_what_is_merged_over_others(feed: Feed, tmp_path: Path) -> None:
    from openpyxl import Workbook, load_workbook

    book = Workbook()
    sheet = book.worksheets[0]
    for row in (["街道", "姓名", "证件"], ["月坛", "甲", WHO], [None, "乙", OTHER]):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    out = io.BytesIO()
    book.save(out)
    data, records, how = rewrite(feed, tmp_path / "a.xlsx", out.getvalue(), type="excel")
    rows = [[c.value for c in row] for row in load_workbook(io.BytesIO(data)).worksheets[0].iter_rows()]
    assert rows == [["街道", "姓名", "证件"], ["月坛", None, None], [None, "乙", OTHER]]
    assert (records, how) == (1, "records blanked")


def test_what_cannot_be_rewritten_is_withdrawn(feed: Feed, tmp_path: Path) -> None:
    utf16 = f"a,{WHO}\n".encode("utf-16")
    assert rewrite(feed, tmp_path / "a.csv", utf16, type="csv") == (b"", 0, "withdrawn")
    starred, _, how = rewrite(feed, tmp_path / "a.csv", utf16, whole=False, type="csv")
    assert (starred.decode("utf-16"), how) == (f"a,{'*' * 18}\n", "values starred")
