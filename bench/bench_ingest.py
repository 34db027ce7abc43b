"""Full-contract ingest of a GB18030 register against the bare limit and against pandas with the same checks.

``ours`` lands nothing and leaves out the copy into landing, which any loader would pay; it is the
whole rest: decode, types, code lists, resident-ID checksum, phone, uniqueness, quarantine, gate, two
Delta commits. ``bare`` decodes, reads all columns as text and writes Delta. ``pandas_checks`` does
the same checks in pandas and writes the same two tables.
"""

from __future__ import annotations

import codecs
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.registry import Catalog
    from catalog.settings import Settings
    from ingestion.landing import Receipt

CONTRACT = """
title: 基准
provider: public_security
catalogue: {code: "1/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: files, path: bench/register/*.csv}
format: {type: csv, encoding: gb18030, header_row: 1}
load: {mode: upsert, key: [resident_id], newest_by: updated_at}
fields:
  resident_id: {from: 身份证号, required: true}
  person_name: {from: 姓名, required: true}
  sex_code: {from: 性别}
  ethnic_code: {from: 民族}
  birth_date: {from: 出生日期, formats: ["%Y/%m/%d", "%Y-%m-%d"], required: true}
  household_number: {from: 户号, required: true}
  family_relation_code: {from: 与户主关系, codes: {户主: "0", 妻: "1", 夫: "1"}}
  education_code: {from: 文化程度, codes: {本科: "20", 高中: "60", 初中: "70", 小学: "80"}}
  registered_address: {from: 户籍地址}
  community_code: {from: 社区编码, required: true}
  phone: {from: 联系电话}
  updated_at: {from: 更新时间, required: true}
"""
HEADER = "身份证号,姓名,性别,民族,出生日期,户号,与户主关系,文化程度,户籍地址,社区编码,联系电话,更新时间"
FEED = "bench__register"
ROOT = Path(__file__).resolve().parent.parent
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _work() -> Path:
    folder = Path(os.environ.get("LAKEHOUSE_BENCH_DIR") or tempfile.gettempdir()) / "lakehouse_bench_ingest"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sample(rows: int) -> Path:
    """The register of so many rows, made once: about 150 MB a million rows, 1 row in 200 wrong in one way."""
    path = _work() / f"register_{rows}.csv"
    if path.exists():
        return path
    dice = random.Random(1)
    community = [line.split(",")[0] for line in (ROOT / "catalog/codes/communities.csv").read_text("utf-8").split()[1:]]
    names = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国志玉兰"
    half = path.with_suffix(".part")
    with half.open("w", encoding="gb18030", newline="") as f:
        f.write(HEADER + "\r\n")
        for start in range(0, rows, 20_000):
            f.write("".join(_line(i, dice, community, names) for i in range(start, min(rows, start + 20_000))))
    half.rename(path)
    return path


def _line(i: int, dice: random.Random, community: list[str], names: tuple[str, str]) -> str:
    day = i // 1000 % 25_000
    year, rest = 1950 + day // 336, day % 336
    birth = f"{year}{rest // 28 + 1:02d}{rest % 28 + 1:02d}"
    area = ("110102", "110104", "130102", "370102", "410102")[i // 25_000_000 % 5]
    body = f"{area}{birth}{i % 1000:03d}"
    check = "10X98765432"[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]
    sex = "男" if int(body[16]) % 2 else "女"
    phone = f"13{dice.randrange(10**9):09d}"
    fault = dice.randrange(800)
    if fault == 0:
        check = "0" if check != "0" else "1"
    elif fault == 1:
        sex = "雌"
    elif fault == 2:
        phone = phone[:7]
    name = dice.choice(names[0]) + dice.choice(names[1]) + dice.choice(names[1])
    born = f"{birth[:4]}/{birth[4:6]}/{birth[6:]}" if fault != 3 else f"{birth[:4]}/02/30"
    return (
        f"{body}{check},{name},{sex},汉族,{born},H{i:09d},{'户主' if i % 3 == 0 else '妻'},高中,"
        f"北京市西城区某某街道某某胡同{i % 500}号院{i % 20}号楼{i % 6 + 1}单元{i % 900}室,"
        f"{community[i % len(community)]},"
        f"{phone},2024-05-{i % 28 + 1:02d} {i % 24:02d}:{i % 60:02d}:00\r\n"
    )


@contextmanager
def landed(rows: int, *, vaulted: bool = True) -> Iterator[tuple[Settings, Catalog, Receipt]]:
    """A lakehouse of its own with the register landed in it, and what a load imports imported.

    Args:
        vaulted: False takes the dictionary's direct identifiers for others, so that none is sealed in the vault.
    """
    from datetime import UTC, datetime

    import datafusion
    import great_expectations

    import quality.gate
    from catalog.registry import load_catalog
    from catalog.settings import Settings
    from ingestion import load

    assert great_expectations
    assert datafusion
    assert quality.gate
    path = sample(rows)
    home = Path(tempfile.mkdtemp(dir=_work()))
    try:
        folder = home / "catalog"
        shutil.copytree(ROOT / "catalog", folder, ignore=shutil.ignore_patterns("feeds", "products", "*.py", "__*"))
        contract = folder / "feeds" / "bench" / "register.yaml"
        contract.parent.mkdir(parents=True)
        contract.write_text(CONTRACT, encoding="utf-8")
        if not vaulted:
            elements = folder / "dictionary" / "elements.yaml"
            text = elements.read_text("utf-8").replace("identifier: direct", "identifier: quasi")
            elements.write_text(text, encoding="utf-8")
        settings = Settings(home=home / "var", lake=str(home / "var" / "lake"), catalog_dir=folder)
        settings.make_dirs()
        catalog = load_catalog(folder)
        yield settings, catalog, load.land(settings, catalog, FEED, path, now=datetime.now(UTC))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def ours(rows: int) -> float:
    """Seconds of a full-contract load of the landed file, imports excluded."""
    return _load(rows, vaulted=True)


def unsealed(rows: int) -> float:
    """The same with no direct identifier in the dictionary: tells the cost of the vault; no real load runs so."""
    return _load(rows, vaulted=False)


def _load(rows: int, *, vaulted: bool) -> float:
    with landed(rows, vaulted=vaulted) as (settings, catalog, receipt):
        from ingestion import load
        from ingestion.landing import is_loaded

        started = time.perf_counter()
        result = load.load(settings, catalog, FEED, receipt.id)
        seconds = time.perf_counter() - started
        assert result.rows_found == rows, result
        assert result.rows_quarantined > rows // 400, result
        assert is_loaded(settings, receipt)
        return seconds


def bare(rows: int) -> float:
    """Seconds of the bare limit: decode, DuckDB read_csv as text, write_deltalake."""
    import duckdb
    from deltalake import write_deltalake

    path = sample(rows)
    home = Path(tempfile.mkdtemp(dir=_work()))
    try:
        started = time.perf_counter()
        decoder = codecs.getincrementaldecoder("gb18030")("strict")
        text = home / "utf8.csv"
        with path.open("rb") as source, text.open("wb") as target:
            while chunk := source.read(4 << 20):
                target.write(decoder.decode(chunk).encode())
        con = duckdb.connect()
        reader = con.execute("SELECT * FROM read_csv(?, all_varchar = true, header = true)", [str(text)])
        write_deltalake(str(home / "table"), reader.to_arrow_reader(100_000))
        return time.perf_counter() - started
    finally:
        shutil.rmtree(home, ignore_errors=True)


def pandas_checks(rows: int) -> float:
    """Seconds of pandas with the same checks and the same two tables written."""
    import numpy as np
    import pandas as pd
    from deltalake import write_deltalake

    path = sample(rows)
    home = Path(tempfile.mkdtemp(dir=_work()))
    try:
        started = time.perf_counter()
        data = pd.read_csv(path, encoding="gb18030", dtype=str, keep_default_na=False)
        digits = data["身份证号"].str.fullmatch(r"[0-9]{17}[0-9X]")
        text = data["身份证号"].where(digits, "0" * 18)
        matrix = np.frombuffer("".join(text).encode(), dtype=np.uint8).reshape(len(text), 18).astype(np.int64)
        total = ((matrix[:, :17] - 48) * np.array(_WEIGHTS)).sum(axis=1) % 11
        expected = np.frombuffer(b"10X98765432", dtype=np.uint8)[total]
        good = digits & pd.Series(expected == matrix[:, 17])
        data["birth"] = pd.to_datetime(data["出生日期"], format="%Y/%m/%d", errors="coerce")
        data["updated"] = pd.to_datetime(data["更新时间"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
        good &= data["birth"].notna() & data["updated"].notna()
        sex = data["性别"].map({"男": "1", "女": "2"})
        relation = data["与户主关系"].map({"户主": "0", "妻": "1", "夫": "1"})
        communities = pd.read_csv(ROOT / "catalog/codes/communities.csv", dtype=str)["code"]
        good &= sex.notna() & relation.notna() & data["社区编码"].isin(communities)
        good &= data["联系电话"].str.fullmatch(r"1[3-9][0-9]{9}") & (data["姓名"] != "")
        data["性别"], data["与户主关系"] = sex, relation
        accepted = data[good].sort_values("updated").drop_duplicates("身份证号", keep="last")
        write_deltalake(str(home / "feed"), accepted)
        write_deltalake(str(home / "quarantine"), data[~good])
        return time.perf_counter() - started
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The rows of the report; 10 M rows only at full scale."""
    from bench.harness import compare

    rows = int(1_000_000 * scale)
    here = "bench.bench_ingest"
    sample(rows)
    out = [
        compare(f"full-contract ingest {rows:,} rows / bare", ours=f"{here}:ours", yardstick=f"{here}:bare",
                args={"rows": rows}, rows=rows, target=2.5),
        compare(f"full-contract ingest {rows:,} rows / pandas", ours=f"{here}:ours", yardstick=f"{here}:pandas_checks",
                args={"rows": rows}, rows=rows, target=1.0),
    ]  # fmt: skip
    out.append(
        compare(f"the same without the vault {rows:,} rows / bare", ours=f"{here}:unsealed", yardstick=f"{here}:bare",
                args={"rows": rows}, rows=rows)
    )  # fmt: skip
    if scale >= 1:
        many = 10 * rows
        sample(many)
        for name, side, target in (
            ("full-contract ingest", "ours", 2.5),
            ("the same without the vault", "unsealed", None),
        ):
            out.append(
                compare(f"{name} {many:,} rows / bare", ours=f"{here}:{side}", yardstick=f"{here}:bare",
                        args={"rows": many}, rows=many, target=target, runs=1)
            )  # fmt: skip
    return out
