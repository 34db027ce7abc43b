"""Sniffing and proposing on the real open-data files: what the manifest says of them is found."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from catalog.registry import load_catalog
from ingestion.contract_files import write_contract
from ingestion.new_feed import propose
from ingestion.sniff import sniff
from ingestion.sniffing.model import Sample
from tests.ingestion.conftest import own_catalog

pytestmark = pytest.mark.slow


sniffed = cache(sniff)
"""Every test looks at the same files."""


class Listed(NamedTuple):
    """One line of the manifest."""

    path: str
    rows: int | None
    columns: int | None
    encoding: str


def listed(shared_data: Path) -> dict[str, Listed]:
    """The manifest's table by path; rows include the header line."""
    out = {}
    for line in (shared_data / "MANIFEST.md").read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("| ") and "/" in cells[0] and len(cells) >= 8:
            rows, columns = (int(c) if c.isdigit() else None for c in (cells[2], cells[3]))
            out[cells[0]] = Listed(cells[0], rows, columns, cells[4])
    return out


HEADERS = {"北京市企业科技研究开发机构.csv": 2, "环境影响登记表备案.csv": 2, "西城区生态环境局行政处罚.csv": 3}
KINDS = {"企业用户用气缴费信息.csv": "xlsx", "环境影响登记表备案.csv": "xls"}
NOT_DATA = {
    # blank rows, title rows and a footer that the manifest counts as rows
    "境内上市公司清单.csv": 2,
    "市政府重点工程项目.csv": 33,
    "北京市企业科技研究开发机构.csv": 1,
    "西城区生态环境局行政处罚.csv": 3,
}


def test_every_open_data_file_is_what_the_manifest_says(shared_data: Path) -> None:
    manifest = listed(shared_data)
    files = sorted((shared_data / "opendata_bj").iterdir())
    assert len(files) == sum(p.startswith("opendata_bj/") for p in manifest)
    for path in files:
        told, sample = manifest[f"opendata_bj/{path.name}"], sniffed(path)
        assert sample.header_row == HEADERS.get(path.name, 1), path.name
        assert sample.kind == KINDS.get(path.name, "csv"), path.name
        if sample.kind != "csv":
            continue
        wanted = "gb18030" if "GB18030" in told.encoding else "utf-8-sig" if "BOM" in told.encoding else "utf-8"
        assert sample.encoding == wanted, path.name
        assert told.rows is not None
        assert sample.rows == told.rows - 1 - NOT_DATA.get(path.name, 0), path.name
        assert told.columns is None or len(sample.columns) <= told.columns, path.name


def test_tricks_of_single_files(shared_data: Path) -> None:
    folder = shared_data / "opendata_bj"

    def of(name: str) -> Sample:
        return sniffed(folder / f"{name}.csv")

    listed_firms = of("市市场监督管理局-上市公司名录")
    assert listed_firms.column("更新时间").formats == ("%d/%m/%Y %H:%M:%S",)
    assert listed_firms.candidate_keys[0] == ("主键",)
    assert of("北京市企业科技研究开发机构").column("认定时间").formats == ("%Y年%m月%d日",)
    assert of("境内上市公司清单").footer == "^(数据来源)"
    assert "公司属性 [交易日期] 最新收盘日" in [c.name for c in of("境内上市公司清单").columns]
    site = of("2022已通过过期施工现场备案")
    assert site.ragged == 31
    assert site.column("负责人电话").has("phone")
    assert "/" in site.column("负责人电话").null_tokens
    assert of("税收行政处罚信息").column("纳税人识别号").has("resident_id")
    assert of("公用事业管理方面行政处罚信息（法人或其他组织）").junk_columns == 252 - 33
    assert of("环境影响登记表备案").rows == 1445


def test_examples_of_every_real_file_show_no_person(shared_data: Path) -> None:
    from quality.identifiers import is_resident_id

    for path in sorted(shared_data.glob("*/*.csv")):
        for column in sniffed(path).columns:
            for example in column.examples:
                assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", example), (path.name, column.name)
                assert not any(
                    is_resident_id(example[i : i + 18], allow_15=False) for i in range(max(0, len(example) - 17))
                ), (path.name, column.name)


def test_every_real_table_gets_a_contract_that_lints(shared_data: Path, root: Path, tmp_path: Path) -> None:
    house = own_catalog(root, tmp_path / "catalog")
    before = len(load_catalog(house).feeds)
    done = 0
    for path in sorted(shared_data.glob("*/*")):
        if path.suffix in (".txt", ".md"):
            continue
        sample = sniffed(path)
        proposal = propose(sample, department="big_data", catalog=load_catalog(house))
        write_contract(house, proposal)
        done += 1
        contract = yaml.safe_load(proposal.contract_yaml)
        known = {s for f in contract["fields"].values() for s in _sources(f)} | set(contract.get("ignore", ()))
        assert known >= {c.name for c in sample.columns}, path.name
        assert not any(re.search(r"[^a-z0-9_]", name) for name in contract["fields"]), path.name
    assert len(load_catalog(house).feeds) == before + done
    assert done >= 48


def _sources(field: dict[str, str]) -> list[str]:
    return [
        *re.findall(r"\{([^{}]+)\}", field.get("template", "")),
        *(field[k] for k in ("from", "x", "y") if k in field),
    ]
