"""Archives: several members are one delivery, and nothing an archive says is believed."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Build = Callable[[str], Any]


def zipped(members: dict[str, bytes | str], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as z:
        for name, content in members.items():
            z.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes | str], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def lines(*rows: str) -> str:
    return "编号,雨量\n" + "".join(r + "\n" for r in rows)


def refused(result: Any, *words: str) -> None:
    assert result.verdict == "stopped", result
    assert (result.rows_found, result.rows_loaded) == (0, 0)
    for word in words:
        assert word in result.message, result.message


def test_gzip_with_one_file(readings: Any) -> None:
    result = readings.send(gzip.compress(lines("A,1", "B,2").encode("gb18030")), "数据.csv.gz")
    assert (result.rows_found, result.rows_loaded) == (2, 2)
    assert result.about["members"] == [{"name": "数据.csv", "first_row": 1}]
    assert result.about["encoding"] == "gb18030"


@pytest.mark.parametrize("pack", [zipped, tarred, lambda m: tarred(m, "w:gz")], ids=["zip", "tar", "tar.gz"])
def test_several_members_are_one_delivery_in_name_order(readings: Any, pack: Any) -> None:
    members = {
        "d/b.csv": "雨量,编号\n3,C\n4,D,坏\n".encode("gb18030"),
        "a.csv": lines("A,1", "B,x"),
        "c.csv": "",
        "__MACOSX/._a.csv": b"\x00\x05",
    }
    result = readings.send(pack(members), "七月")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (4, 2, 2)
    assert readings.rows("sensor_id, rain_mm, _row_number") == [("A", 1, 1), ("C", 3, 3)]
    assert [(m["name"], m["first_row"], m["rows"]) for m in result.about["members"]] == [
        ("a.csv", 1, 2),
        ("d/b.csv", 3, 2),
    ]
    assert result.about["left_in_archive"] == ["__MACOSX/._a.csv"]
    assert [r[0] for r in readings.rows("row_number", "quarantine")] == [2, 4]


def test_chinese_names_of_windows_are_read_as_gbk(readings: Any) -> None:
    data = bytearray(zipped({"ab.csv": lines("A,1")}))
    name = "雨".encode("gb18030")
    data = data.replace(b"ab.csv", name + b".csv")
    result = readings.send(bytes(data), "a.zip")
    assert result.about["members"][0]["name"] == "雨.csv"


def test_members_are_chosen_and_labelled_by_the_contract(build: Build, contracts: dict[str, str]) -> None:
    house = build(
        contracts["head"]
        + """
format: {type: csv, members: "*.csv", part_column: 文件}
load: {mode: snapshot}
elements: {file_name: {label: 文件, grade: 1}}
fields: {sensor_id: {from: 编号}, rain_mm: {from: 雨量}, file_name: {from: 文件}}
"""
    )
    result = house.send(zipped({"东.csv": lines("A,1"), "西.csv": lines("B,2"), "说明.pdf": b"%PDF-1.7 x"}), "a.zip")
    assert house.rows("sensor_id, file_name") == [("A", "东.csv"), ("B", "西.csv")]
    assert result.about["left_in_archive"] == ["说明.pdf"]


def test_a_member_of_another_kind_or_layout_is_named(readings: Any) -> None:
    refused(
        readings.send(zipped({"a.csv": lines("A,1"), "说明.pdf": b"%PDF-1.7 x"}), "a.zip"), "member=说明.pdf", "PDF"
    )
    refused(
        readings.send(zipped({"a.csv": lines("A,1"), "b.csv": "编号,温度\nB,2\n"}), "b.zip"), "member=b.csv", "雨量"
    )


def test_a_column_more_in_a_later_member_is_drift(readings: Any) -> None:
    refused(readings.send(zipped({"a.csv": lines("A,1"), "b.csv": "编号,雨量,新\nB,2,3\n"}), "a.zip"), "extra: 新")


def test_broken_quotes_in_one_member_cost_one_row(readings: Any) -> None:
    bad = '编号,雨量\nC,3\nD,"4\nE,5\nF,6\nG,7\n'
    result = readings.send(zipped({"a.csv": lines("A,1"), "b.csv": bad}), "a.zip")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (6, 5, {"unclosed_quote": 1})


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "a/../../b.csv", "C:\\a.csv", "..\\a.csv"])
def test_names_that_leave_the_folder(readings: Any, name: str, tmp_path: Path) -> None:
    refused(readings.send(tarred({name: lines("A,1")}), "a.tar"), "leaves its folder")
    refused(readings.send(zipped({name: lines("A,1")}), "a.zip"), "leaves its folder")
    assert not list(tmp_path.rglob("passwd"))


def test_links_and_devices(readings: Any) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as t:
            info = tarfile.TarInfo("a.csv")
            info.type, info.linkname = kind, "/etc/passwd"
            t.addfile(info)
        refused(readings.send(out.getvalue() + bytes([kind[0]]), "a.tar"), "link or a device", "member=a.csv")
    link = zipfile.ZipInfo("a.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(link, "/etc/passwd")
    refused(readings.send(out.getvalue(), "a.zip"), "link or a device")


@pytest.mark.parametrize(
    "inner",
    [
        zipped({"a.csv": lines("A,1")}),
        gzip.compress(b"x"),
        tarred({"a": "b"}),
        b"7z\xbc\xaf\x27\x1c..",
        b"Rar!\x1a\x07..",
    ],
    ids=["zip", "gzip", "tar", "7z", "rar"],
)
def test_archives_inside_archives(readings: Any, inner: bytes) -> None:
    refused(readings.send(zipped({"a.csv": inner}), "a.zip"), "another archive", "member=a.csv")
    refused(readings.send(gzip.compress(inner), "a.gz"), "another archive") if inner[257:262] != b"ustar" else None


@pytest.mark.parametrize(
    "inner", [b"7z\xbc\xaf\x27\x1c..........", b"Rar!\x1a\x07......", b"BZh91AY&SY......"], ids=["7z", "rar", "bzip2"]
)
def test_other_archives_are_named(readings: Any, inner: bytes) -> None:
    refused(readings.send(inner, "a.csv"), "archive", "packed as ZIP")


@pytest.mark.parametrize(
    ("members", "named", "cure"),
    [
        ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}, "ODS", "XLSX"),
        ({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"}, "document", "table itself"),
        ({"word/document.xml": "<x/>"}, "document", "table itself"),
    ],
    ids=["ods", "odt", "docx"],
)
def test_documents_are_named(readings: Any, members: dict[str, str], named: str, cure: str) -> None:
    refused(readings.send(zipped(members), "a.zip"), named, cure)


def test_bombs_by_size_and_by_ratio(build: Build, contracts: dict[str, str]) -> None:
    head, _, tail = contracts["readings"].partition("encoding: auto")
    small = build(
        contracts["head"] + head.partition(contracts["head"])[2] + "encoding: auto, max_uncompressed_mb: 1" + tail
    )
    bomb = b"\x00" * 2_000_000
    refused(small.send(gzip.compress(bomb), "a.gz"), "more than 1 MB")
    refused(small.send(zipped({"a.csv": bomb}), "a.zip"), "more than 1 MB")
    refused(small.send(tarred({"a.csv": bomb}, "w:gz"), "a.tgz"), "more than 1 MB")


@pytest.mark.slow
def test_ratio(tmp_path: Path) -> None:
    from catalog.errors import InputError
    from catalog.model import Format
    from ingestion.formats.archive import unpack

    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"0" * (70 << 20)))
    with pytest.raises(InputError, match="250 times its size"):
        unpack(path, Format(type="csv"), tmp_path)


def test_too_many_members(readings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.formats.archive.MAX_MEMBERS", 3)
    refused(readings.send(zipped({f"{i}.csv": lines("A,1") for i in range(5)}), "a.zip"), "more than 3 members")


def test_damaged_encrypted_and_empty_archives(readings: Any) -> None:
    whole = gzip.compress(lines(*(f"S{i},{i}" for i in range(3000))).encode())
    refused(readings.send(whole[: len(whole) // 2], "a.gz"), "damaged or cut short")
    refused(readings.send(whole[:-6] + b"\x01\x02\x03\x04\x05\x06", "b.gz"), "damaged or cut short")
    tar = tarred({"a.csv": lines("A,1") * 2000})
    refused(readings.send(tar[: len(tar) // 2], "a.tar"), "damaged or cut short")
    encrypted = bytearray(zipped({"a.csv": lines("A,1")}))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    refused(readings.send(bytes(encrypted), "a.zip"), "encrypted")
    refused(readings.send(zipped({}), "b.zip"), "holds no file")
    refused(readings.send(zipped({"a.csv": ""}), "c.zip"), "every member of the archive is empty")


def test_nothing_is_left_unpacked(readings: Any) -> None:
    readings.send(zipped({"a.csv": lines("A,1"), "b.csv": lines("A,1", "B,2")}), "a.zip")
    readings.send(zipped({"a.csv": "编号,温度\nA,1\n"}), "b.zip")
    left = readings.settings.build / "unpacked"
    assert [p for p in left.rglob("*") if p.is_file()] == []
