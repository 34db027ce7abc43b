"""From a sample to a contract that lints, without touching any other file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.errors import ContractError, UnknownName
from catalog.registry import Catalog, load_catalog
from ingestion.contract_files import ContractExists, write_contract
from ingestion.new_feed import PREVIEW_HEADINGS, Proposal, propose
from ingestion.sniff import sniff
from ingestion.sniffing.names import field_name, identifier, object_name, title_of
from tests.ingestion.test_sniff import GOOD_USCC, resident_id, workbook, write


@pytest.fixture
def house(root: Path, tmp_path: Path) -> Path:
    """A copy of the catalog that a test may write to."""
    return Path(shutil.copytree(root / "catalog", tmp_path / "catalog", ignore=shutil.ignore_patterns("__pycache__")))


def draft(path: Path, catalog: Catalog, **more: Any) -> tuple[Proposal, dict[str, Any]]:
    proposal = propose(sniff(path), department=more.pop("department", "civil_affairs"), catalog=catalog, **more)
    return proposal, yaml.safe_load(proposal.contract_yaml)


def table(tmp_path: Path, columns: dict[str, Sequence[object]], name: str = "养老机构信息.csv") -> Path:
    return write(tmp_path / name, [list(columns), *zip(*columns.values(), strict=True)])


N = range(24)


def test_elements_of_the_house_are_used_where_header_and_content_agree(tmp_path: Path, catalog: Catalog) -> None:
    path = table(
        tmp_path,
        {
            "单位名称": [f"养老院{i}" for i in N],
            "统一社会信用代码": [GOOD_USCC[i % 4] for i in N],
            "联系电话": [f"1380000{i:04d}" for i in N],
            "床位数": [i * 10 for i in N],
            "备注": ["/" for _ in N],
        },
    )
    _, contract = draft(path, catalog)
    assert set(contract["fields"]) == {"entity_name", "uscc", "phone", "beds_count", "remark"}
    assert contract["elements"] == {"beds_count": {"label": "床位数", "type": "integer", "grade": 1}}
    assert contract["format"]["null_values"] == ["", "/"]


def test_a_header_that_lies_does_not_get_the_element(tmp_path: Path, catalog: Catalog) -> None:
    path = table(
        tmp_path,
        {
            "统一社会信用代码": [f"京字第{i}号" for i in N],
            "联系电话": [f"见附件{i}" for i in N],
            "民族": ["汉族"] * 20 + ["丙"] * 4,
        },
    )
    _, contract = draft(path, catalog)
    used = {name: spec.get("element", name) for name, spec in contract["fields"].items()}
    assert not {"uscc", "phone", "ethnic_code"} & set(used.values())


def test_units_are_not_mixed(tmp_path: Path, catalog: Catalog) -> None:
    """The house's fine is in 10,000 yuan: a fine without a unit, or in yuan, is another thing."""
    for header, field in (
        ("罚款金额（万元）", "fine_10k_cny"),
        ("罚款金额", "fine_amount"),
        ("罚款金额（元）", "fine_amount_cny"),
    ):
        _, contract = draft(table(tmp_path, {"案件名称": [f"案{i}" for i in N], header: [i + 0.5 for i in N]}), catalog)
        assert field in contract["fields"], header


def test_scientific_credit_codes_are_kept_apart_but_the_element_stays(tmp_path: Path, catalog: Catalog) -> None:
    codes = ["9.11E+17" if i % 4 == 0 else GOOD_USCC[i % 4] for i in N]
    _, contract = draft(table(tmp_path, {"企业名称": [f"企业{i}" for i in N], "统一社会信用代码": codes}), catalog)
    assert "uscc" in contract["fields"]
    assert contract["rules"][0]["max_pct"] >= 50


def test_resident_ids_raise_the_grade_wherever_they_stand(tmp_path: Path, catalog: Catalog) -> None:
    ids = [resident_id(f"1101021980010{i % 9 + 1}{i:03d}"[:17]) for i in N]
    path = table(
        tmp_path,
        {
            "营业执照注册号": [v if i % 3 == 0 else f"1101{i:011d}" for i, v in enumerate(ids)],
            "名称": [f"店{i}" for i in N],
        },
    )
    proposal, contract = draft(path, catalog)
    (name,) = [n for n, f in contract["fields"].items() if f["from"] == "营业执照注册号"]
    assert contract["elements"][name]["grade"] == 3
    assert contract["elements"][name]["identifier"] == "direct"
    assert contract["catalogue"]["opening"] == "none"
    assert not any(v in repr(proposal) for v in ids)


def test_what_the_scanner_of_deliveries_finds_is_graded_so(tmp_path: Path, catalog: Catalog) -> None:
    """The gate would stop a delivery whose contract grades this lower."""
    told = ["高血压二级", "糖尿病", "冠心病史"] * 5
    made = {
        "编号": range(15),
        "既往说明": told,
        "牌照": [f"京A{n}C9{n % 7}" for n in range(10, 25)],
        "楼层": ["三层"] * 15,
    }
    _, contract = draft(table(tmp_path, made), catalog)
    element = contract["elements"][next(n for n, f in contract["fields"].items() if f["from"] == "既往说明")]
    assert (element["grade"], element["category"]) == (3, "医疗健康")
    grades = {f["from"]: contract["elements"].get(n, {}).get("grade") for n, f in contract["fields"].items()}
    assert (grades["牌照"], grades["楼层"]) == (2, 1)
    assert contract["catalogue"]["opening"] == "none"


def test_traditional_headers_say_what_simplified_ones_do(tmp_path: Path, catalog: Catalog) -> None:
    """A person's name under 負責人 is as personal as under 负责人."""
    made = {
        "編號": [f"A{n}" for n in range(12)], "負責人": ["王小明", "陳美麗", "張志強"] * 4,
        "手機": [f"138{n:08d}" for n in range(12)], "金額(萬元)": [f"{n}.5" for n in range(12)],
    }  # fmt: skip
    proposal, contract = draft(table(tmp_path, made), catalog)
    assert {f["from"]: n for n, f in contract["fields"].items()} == {
        "編號": "number", "負責人": "person_name", "手機": "phone", "金額(萬元)": "amount_10k_cny",
    }  # fmt: skip
    assert contract["load"]["key"] == ["number"]
    assert "陳美麗" not in str(proposal.preview)


def test_two_columns_of_resident_ids_have_one_pseudonym(tmp_path: Path, catalog: Catalog) -> None:
    ids = [resident_id(f"110102198001{i % 28 + 1:02d}{i:03d}") for i in N]
    _, contract = draft(table(tmp_path, {"身份证号": ids, "监护人身份证号": ids[::-1]}), catalog)
    assert "resident_id" in contract["fields"]
    assert not any(f.get("element") == "resident_id" for f in contract["fields"].values())
    assert next(iter(contract["elements"].values()))["grade"] == 3


def test_code_lists_by_name_and_by_short_name(tmp_path: Path, catalog: Catalog) -> None:
    path = table(
        tmp_path,
        {
            "机构": [f"院{i}" for i in N],
            "所在区": [("西城", "东城", "密云")[i % 3] for i in N],
            "性别": ["男" if i % 2 else "女" for i in N],
            "是否备案": ["是" if i % 2 else "否" for i in N],
        },
    )
    _, contract = draft(path, catalog)
    assert "sex_code" in contract["fields"]
    assert contract["elements"]["is_filing_code"]["codes"] == "yes_no"
    (district,) = [f for f in contract["fields"].values() if f["from"] == "所在区"]
    assert district["codes"]["西城"] == "110102"


def test_dates_in_several_styles(tmp_path: Path, catalog: Catalog) -> None:
    days = [f"2023/1/{i + 1}" if i % 2 else f"2023年1月{i + 1}日" for i in N]
    _, contract = draft(table(tmp_path, {"机构": [f"院{i}" for i in N], "成立日期": days}), catalog)
    (field,) = [f for f in contract["fields"].values() if f["from"] == "成立日期"]
    assert set(field["formats"]) == {"%Y/%m/%d", "%Y年%m月%d日"}


def test_points_parts_of_dates_and_percent(tmp_path: Path, catalog: Catalog) -> None:
    path = table(
        tmp_path,
        {
            "站点": [f"站{i}" for i in N],
            "经度": [116.36 + i / 1000 for i in N],
            "纬度": [39.91 + i / 1000 for i in N],
            "年": [2023 for _ in N],
            "月": [i % 12 + 1 for i in N],
            "日": [i + 1 for i in N],
            "占比": [f"{i}.5%" for i in N],
        },
    )
    proposal, contract = draft(path, catalog)
    assert contract["fields"]["geom_cgcs2000"] == {"x": "经度", "y": "纬度", "crs": "GCJ02"}
    assert contract["fields"]["record_date"]["template"] == "{年}-{月}-{日}"
    assert contract["fields"]["share_pct"]["parse"] == "percent"
    assert any("坐标系" in note for note in proposal.notes)


def test_swapped_coordinates_are_put_right(tmp_path: Path, catalog: Catalog) -> None:
    path = table(
        tmp_path, {"站点": [f"站{i}" for i in N], "x": [39.9 + i / 1000 for i in N], "y": [116.3 + i / 1000 for i in N]}
    )
    _, contract = draft(path, catalog)
    assert (contract["fields"]["geom_cgcs2000"]["x"], contract["fields"]["geom_cgcs2000"]["y"]) == ("y", "x")


def test_years_side_by_side_become_rows(tmp_path: Path, catalog: Catalog) -> None:
    rows = [["主要指标", "", "", "", ""], ["指标名称", "计量单位", "2016年", "2017年", "2018年"]]
    rows += [[f"指标{i}", "亿元", i + 0.1, i + 0.2, i + 0.3] for i in range(20)]  # type: ignore[list-item]
    _, contract = draft(workbook(tmp_path / "指标.xlsx", rows), catalog)
    assert contract["format"]["unpivot"]["columns"] == "^([0-9]{4})年$"
    assert {"period_year", "indicator_value"} <= set(contract["fields"])


def test_registered_capital_becomes_text_amount_and_currency(tmp_path: Path, catalog: Catalog) -> None:
    path = table(tmp_path, {"机构": [f"院{i}" for i in N], "注册资本": [f"{i + 1}(万元人民币)" for i in N]})
    _, contract = draft(path, catalog)
    assert contract["fields"]["registered_capital_10k"]["parse"] == "capital_amount_10k"
    assert contract["fields"]["registered_capital_text"] == {"from": "注册资本"}


def test_sure_key_loads_by_key_else_the_whole_table_is_replaced(tmp_path: Path, catalog: Catalog) -> None:
    columns = {"许可证编号": [f"XK{i:04d}" for i in N], "更新时间": [f"2024-01-{i + 1:02d} 08:00:00" for i in N]}
    _, contract = draft(table(tmp_path, columns), catalog)
    (key,) = contract["load"]["key"]
    assert contract["load"] == {"mode": "upsert", "key": [key], "newest_by": "updated_at"}
    assert contract["fields"][key]["required"] is True
    _, contract = draft(table(tmp_path, {"机构": [f"院{i % 5}" for i in N], "床位数": list(N)}), catalog)
    assert contract["load"] == {"mode": "snapshot"}
    assert any(r["rule"] == "row_count_change" for r in contract["rules"])


def test_every_column_is_a_field_or_ignored(tmp_path: Path, catalog: Catalog) -> None:
    rows = [["序号", "机构", "", "备注", "备注"], *[[i + 1, f"院{i}", "x", "", f"注{i}"] for i in N]]
    proposal, contract = draft(write(tmp_path / "a.csv", rows), catalog)
    sources = {f["from"] for f in contract["fields"].values()} | set(contract["ignore"])
    assert sources == {"序号", "机构", "列3", "备注", "备注#2"}
    assert len(set(contract["fields"])) == 3
    assert [row[0] for row in proposal.preview] == ["序号", "机构", "列3", "备注", "备注#2"]
    assert all(len(row) == len(PREVIEW_HEADINGS) for row in proposal.preview)


def test_a_known_layout_is_recognised_and_copied(tmp_path: Path, catalog: Catalog) -> None:
    path = table(
        tmp_path,
        {
            "企业或单位名称": [f"企业{i}" for i in N],
            "纳税人识别号": [GOOD_USCC[i % 4] for i in N],
            "经营地点": ["北京市西城区" for _ in N],
            "欠税金额": [i + 0.5 for i in N],
            "税种": ["增值税" for _ in N],
        },
    )
    proposal, contract = draft(path, catalog)
    own = {"entity_name", "taxpayer_number", "uscc", "org_code", "entity_address", "arrears_cny", "tax_kind"}
    assert set(contract["fields"]) == own
    assert any("tax__arrears" in note for note in proposal.notes)


def test_hostile_headers_cannot_break_the_contract(tmp_path: Path, house: Path) -> None:
    catalog = load_catalog(house)
    headers = ["a: b", "- x", "#注", "{no}", "no", "'q'", "yes: [", "&a *b !c", "<<", "%TAG", "null", "名" * 80]
    path = write(tmp_path / "x: [y]\n.csv", [headers, *[[f"v{i}{n}" for n, _ in enumerate(headers)] for i in N]])
    proposal, contract = draft(path, catalog)
    assert {f["from"] for f in contract["fields"].values()} == set(headers)
    write_contract(house, proposal)
    assert proposal.feed_id in load_catalog(house).feeds


def test_catalogue_code_is_the_next_free_one(tmp_path: Path, house: Path) -> None:
    codes = []
    for n in range(2):
        catalog = load_catalog(house)
        proposal = propose(
            sniff(table(tmp_path, {"机构": [f"院{i}" for i in N], "数": list(N)}, f"机构{n}.csv")),
            department="tax",
            catalog=catalog,
        )
        write_contract(house, proposal)
        codes.append(yaml.safe_load(proposal.contract_yaml)["catalogue"]["code"])
    assert len(set(codes)) == 2
    assert all(c.startswith("1/02-") for c in codes)


def test_writing_is_atomic_and_refuses_to_overwrite(tmp_path: Path, house: Path) -> None:
    catalog = load_catalog(house)
    proposal, _ = draft(table(tmp_path, {"机构": [f"院{i}" for i in N]}), catalog, object="homes", title="养老机构")
    there = set((house / "feeds" / "civil_affairs").glob("*"))
    path = write_contract(house, proposal)
    assert path == house / "feeds" / "civil_affairs" / "homes.yaml"
    assert load_catalog(house).feed("civil_affairs__homes").title == "养老机构"
    with pytest.raises(ContractExists) as caught:
        write_contract(house, proposal)
    assert "--force" in caught.value.hint
    write_contract(house, proposal, force=True)
    broken = proposal.model_copy(
        update={"contract_yaml": proposal.contract_yaml.replace("provider: civil_affairs", "provider: nobody")}
    )
    with pytest.raises(ContractError):
        write_contract(house, broken, force=True)
    assert path.read_text(encoding="utf-8") == proposal.contract_yaml
    new = broken.model_copy(update={"object": "other", "feed_id": "civil_affairs__other"})
    with pytest.raises(ContractError):
        write_contract(house, new)
    assert set(path.parent.iterdir()) - there == {path}


def test_wrong_names_are_refused(tmp_path: Path, catalog: Catalog) -> None:
    sample = sniff(table(tmp_path, {"机构": [f"院{i}" for i in N]}))
    with pytest.raises(UnknownName):
        propose(sample, department="nobody", catalog=catalog)
    with pytest.raises(ContractError):
        propose(sample, department="tax", catalog=catalog, object="../x")


def test_an_object_name_that_is_taken_gets_a_number(tmp_path: Path, house: Path) -> None:
    path = table(tmp_path, {"机构": [f"院{i}" for i in N]})
    first = propose(sniff(path), department="tax", catalog=load_catalog(house))
    write_contract(house, first)
    assert propose(sniff(path), department="tax", catalog=load_catalog(house)).object == f"{first.object}_2"


@pytest.mark.parametrize(
    ("header", "unit", "kind", "name"),
    [
        ("企业名称", "", "string", "enterprise_name"),
        ("企業名稱", "", "string", "enterprise_name"),
        ("所属时期", "", "string", "reference_period"),
        ("从业人员", "", "integer", "employees"),
        ("处罚决定日期", "", "date", "penalty_decision_date"),
        ("更新时间", "", "timestamp", "updated_at"),
        ("罚款金额（万元）", "万元", "decimal", "fine_amount_10k_cny"),
        ("建筑面积（平方米）", "平方米", "decimal", "building_area_m2"),
        ("areaCode", "", "string", "area_code"),
        ("PM2.5", "", "decimal", "pm2_5"),
        ("2019", "", "integer", "n_2019"),
        ("列3", "", "string", "column_3"),
        ("魑魅", "", "string", "chimei"),
        ("——", "", "string", "field"),
        ("验收日期", "", "string", "acceptance_date_text"),
    ],
)
def test_field_names(header: str, unit: str, kind: str, name: str) -> None:
    assert field_name(header, unit=unit, kind=kind) == name
    assert field_name(header, unit=unit, kind=kind, taken={name}) == f"{name}_2"


def test_object_and_title_from_file_names() -> None:
    assert object_name("市交通委-汽车租赁企业信用评价结果数据.csv") == "car_rental_enterprise_credit_evaluation"
    assert title_of("市交通委-汽车租赁企业信用评价结果数据.csv") == "汽车租赁企业信用评价结果数据"
    assert object_name("税收行政处罚信息.csv") == "tax_penalty"
    assert title_of("雨量.csv.gz") == title_of("雨量.gpx") == title_of("雨量") == "雨量"
    assert object_name("(1).csv") == "feed_sample"
    assert identifier("Ünïcode") == "n_code"
