"""Who a name belongs to: each level, what stays apart, and what real lists say."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.entities.matcher import EntityMatcher, KnownName

A, B, C, D = "91110102MA00000001", "91110102MA00000002", "91110102MA00000003", "91110102MA00000004"
KNOWN = [
    KnownName(A, "北京市华安信达科技发展有限公司"),
    KnownName(A, "北京旧名商贸有限公司", "former"),
    KnownName(B, "中恒（北京）软件有限公司"),
    KnownName(C, "北京第三建筑工程集团公司"),
    KnownName(D, "北京甲乙会计师事务所（特殊普通合伙）"),
    KnownName("91110102MA00000005", "北京双胞商贸有限公司"),
    KnownName("91110102MA00000006", "北京双胞商贸有限公司"),
    KnownName("91110102MA00000007", "北京瑞祥餐饮有限公司"),
    KnownName("91110102MA00000008", "北京瑞祥餐饮有限公司西单分公司"),
]

CASES = [
    ("北京市华安信达科技发展有限公司", A, "exact", "as registered"),
    ("北京市華安信達科技發展有限公司", A, "exact", "traditional characters"),
    ("北京旧名商贸有限公司", A, "former", "a former name"),
    ("北京华安信达科技发展有限责任公司", A, "canonical", "市 and 有限责任"),
    ("华安信达科技发展有限公司", A, "core", "no place"),
    ("北京华安信达科技发展", A, "core", "no form"),
    ("华安信达科技发展", A, "core", "neither"),
    ("北京第三建筑工程集团有限公司", C, "core", "converted into a limited company"),
    ("北京第三建筑工程集团股份有限公司", None, "", "a company limited by shares is founded beside its founder"),
    ("北京第二建筑工程集团公司", None, "", "another number is another firm"),
    ("北京中恒软件有限公司", None, "", "the place before and behind the own word: two firms"),
    ("北京双胞商贸有限公司", None, "", "two organisations of one name"),
    ("北京瑞祥餐饮有限公司西单分公司", "91110102MA00000008", "exact", "a branch is itself"),
    ("北京瑞祥餐饮有限公司东单分公司", None, "", "another branch is not its parent"),
    ("北京瑞祥", None, "", "an own word alone may be anybody's"),
    ("北京市华安信答科技发展有限公司", None, "", "another own word, though it sounds alike"),
    ("于红河", None, "", "a person"),
    ("", None, "", "nothing"),
]


@pytest.mark.parametrize(("name", "uscc", "method", "reason"), CASES)
def test_levels(name: str, uscc: str | None, method: str, reason: str) -> None:
    (found,) = EntityMatcher(KNOWN).match([name])
    assert (found.uscc if found else None, found.method if found else "") == (uscc, method), reason


def test_the_registered_name_is_given() -> None:
    (found,) = EntityMatcher(KNOWN).match(["北京旧名商贸有限公司"])
    assert found is not None
    assert (found.entity_name, found.confidence) == ("北京市华安信达科技发展有限公司", 0.97)


def test_a_lower_threshold_gives_guesses_and_says_so() -> None:
    (found,) = EntityMatcher(KNOWN, threshold=0.8).match(["北京市华安信答科技发展有限公司"])
    assert found is not None
    assert (found.uscc, found.method, found.confidence) == (A, "similar", 0.85)


def test_slips_in_a_trade_are_slips_unless_the_other_trade_exists() -> None:
    known = [
        KnownName(str(i), f"北京{w}科技发展有限公司")
        for i, w in enumerate(("甲丙申", "永顺康", "信达安", "博众嘉", "和隆", "宏"))
    ]
    known += [
        KnownName(f"x{i}", f"北京{w}科技发达有限公司")
        for i, w in enumerate(("丰汇", "金鼎", "诚中", "京联", "天宇", "远方"))
    ]
    matcher = EntityMatcher(known)
    assert matcher.match(["北京信达安科计发展有限公司"])[0] is not None
    assert matcher.match(["北京信达安科技发达有限公司"]) == [None]


def test_without_a_legal_form_the_end_says_what_it_is() -> None:
    topics = ("茶文化", "书法家", "摄影家", "女企业家", "餐饮行业", "旅游行业")
    matcher = EntityMatcher([KnownName(str(i), f"北京市西城区{topic}协会") for i, topic in enumerate(topics)])
    assert matcher.match(["北京市西城区茶文化商会"]) == [None]
    assert matcher.match(["西城区茶文化协会"])[0] is not None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from("北京华安信达科技商贸有限公司（）集团一二东分店"), min_size=1, max_size=14), max_size=8
    )
)
def test_a_name_of_the_library_is_never_given_to_another(names: list[str]) -> None:
    """Exact means exact: a name one organisation has is that organisation's, whatever else is in the library."""
    matcher = EntityMatcher([KnownName(str(i), n) for i, n in enumerate(names)])
    for i, found in enumerate(matcher.match(names)):
        if found is not None and found.uscc != str(i):
            assert found.method != "exact" or names[int(found.uscc)] == names[i]


# --- real lists -----------------------------------------------------------------------------------------------------

LISTS = (
    ("市交通委-汽车租赁企业信用评价结果数据.csv", "utf-8-sig", 0, 4),
    ("市市场监督管理局-上市公司名录.csv", "utf-8-sig", 0, 4),
    ("市政府重点工程项目.csv", "gb18030", 0, 1),
    ("税收行政处罚信息.csv", "gb18030", 1, 0),
    ("企业欠税公告信息.csv", "gb18030", 0, 1),
    ("重大税收违法案件信息.csv", "gb18030", 1, 2),
)


@pytest.mark.slow
def test_names_of_real_lists_go_to_the_organisation_whose_code_stands_beside_them(shared_data: Path) -> None:
    """Registrations of 1980-98 against later lists: at least 98 in 100 matches are right, by the organisation code."""
    from quality.identifiers import taxpayer_kind

    def rows(path: Path, encoding: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(path.read_bytes().decode(encoding, "replace"))))[1:]

    register = rows(shared_data / "legal" / "beijing_enterprises_reg1980_1998.csv", "utf-8-sig")
    matcher = EntityMatcher([KnownName(r[1], r[0]) for r in register])
    there = {r[1][8:17] for r in register}
    parts = {"uscc": slice(8, 17), "org_code_15": slice(6, 15), "org_code": slice(0, 9)}
    truth: set[tuple[str, str]] = set()
    for name, encoding, at, code_at in LISTS:
        for row in rows(shared_data / "opendata_bj" / name, encoding):
            if len(row) > max(at, code_at) and (part := parts.get(taxpayer_kind(row[code_at].strip()))):
                truth.add((row[at].strip(), row[code_at].strip()[part]))
    pairs = sorted(truth)
    found = matcher.match([name for name, _ in pairs])
    given_ = [(match, org) for match, (_, org) in zip(found, pairs, strict=True) if match]
    right = sum(match.uscc[8:17] == org for match, org in given_)
    assert len(given_) > 800
    assert right / len(given_) >= 0.98
    assert right / sum(org in there for _, org in pairs) > 0.88


@pytest.mark.slow
def test_different_firms_of_a_real_list_stay_apart(shared_data: Path) -> None:
    """Half of 100,000 names against the other half: each match but an exact one joins two firms, or nearly always."""
    text = (shared_data / "opendata_bj" / "经营异常企业信息.csv").read_bytes().decode("gb18030")
    names = sorted(set(text.split()[1:]))
    matcher = EntityMatcher([KnownName(n, n) for n in names[::2]])
    found = [m for m in matcher.match(names[1::2]) if m]
    assert len(names) > 99_000
    assert len(found) < 10
