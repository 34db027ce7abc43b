"""Archives."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

from tests.ingestion.test_sniff import workbook
from tests.ingestion.ugly.case import FIRMS, Case, N, case, firms, text


@case
def packed_tar(folder: Path) -> Case:
    path = folder / "月度.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for part in range(2):
            rows = firms()
            data = text([rows[0], *[[f"P{part}{r[0]}", *r[1:]] for r in rows[1:]]]).encode("gb18030")
            info = tarfile.TarInfo(f"月度/第{part}月.csv")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return Case(path, FIRMS, rows=2 * N, key=("编号",))


@case
def packed_zip_with_a_gbk_name_and_a_letter(folder: Path) -> Case:
    path = folder / "报送.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("企业.csv", text(firms()).encode("gb18030"))
        z.writestr("说明.txt", "请查收。")
        z.writestr("__MACOSX/._企业.csv", b"\0\5\x16\7")
    return Case(path, FIRMS, key=("编号",))


@case
def packed_gzip_of_a_workbook(folder: Path) -> Case:
    inner = workbook(folder / "inner.xlsx", firms())
    path = folder / "企业.xlsx.gz"
    path.write_bytes(gzip.compress(inner.read_bytes()))
    inner.unlink()
    return Case(path, FIRMS, key=("编号",), kind="xlsx")
