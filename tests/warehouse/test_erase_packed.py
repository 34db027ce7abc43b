"""A person is found in a landed file however it is packed, and a packed file is withdrawn, not declared clean."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from catalog.model import Format
from warehouse.erase_person import DestroyFault, Person, holds

PERSON = Person("0" * 64, ("110102198001010030",))
ROWS = ("编号,备注\n" + "A,无\n" * 3000 + "B,110102198001010030\n").encode("gb18030")


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, data)
    return out.getvalue()


def tarred(name: str, data: bytes, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=cast(Any, mode)) as t:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def parquet(data: bytes) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"a": data.decode("gb18030").split("\n")}), out, compression="zstd")
    return out.getvalue()


PACKINGS = {
    "gzip": gzip.compress(ROWS),
    "zip": zipped("a.csv", ROWS),
    "tar": tarred("a.csv", ROWS),
    "tar.gz": tarred("a.csv", ROWS, "w:gz"),
    "workbook in a tar.gz": tarred("a.xlsx", zipped("xl/sheet1.xml", ROWS), "w:gz"),
    "workbook in a zip": zipped("a.xlsx", zipped("xl/sheet1.xml", ROWS)),
    "parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", PACKINGS)
def test_found_and_withdrawn(tmp_path: Path, name: str) -> None:
    from ingestion.landed_records import LandedRecords
    from ingestion.redact import _rewritten

    path = tmp_path / "delivery"
    path.write_bytes(PACKINGS[name])
    assert holds(path, PERSON)
    assert not holds(path, Person("1" * 64, ("110102198001010057",)))
    for kind in ("csv", "parquet"):
        feed = SimpleNamespace(format=Format(type=cast(Any, kind)))
        for whole in (True, False):
            assert _rewritten(path, cast(Any, feed), PERSON, LandedRecords(), whole=whole) == (b"", 0, "withdrawn")


def test_what_cannot_be_unpacked_is_not_declared_clean(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(PACKINGS["gzip"][:-10])
    with pytest.raises(DestroyFault, match="cannot be verified"):
        holds(path, Person("1" * 64))
