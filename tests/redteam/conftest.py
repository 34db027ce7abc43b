"""One small lake with planted persons, brought up by the whole product: `lakehouse run` over ordinary deliveries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import LakehouseError
from catalog.registry import Catalog
from catalog.settings import Settings
from tests.redteam import canaries
from tests.redteam.canaries import CALLER, EVERYBODY, PERSONS, VISITOR, found_in, resident_id

COMMUNITIES = ("110102001004", "110102001007", "110102001011")
ORDINARY = 60


@dataclass(frozen=True)
class Lake:
    """The lake, and what `lakehouse run` printed while it came up."""

    settings: Settings
    catalog: Catalog
    printed: str
    summary: dict[str, Any]

    def ask(self, sql: str, **more: Any) -> str:
        """Everything a statement gives away: rows, column names, types, or the error; never a canary."""
        from warehouse.query import run_sql

        try:
            with run_sql(self.settings, sql, catalog=self.catalog, **more) as result:
                text = "\n".join(str(v) for row in result.rows() for v in row)
                text += "\n".join(f"{c.name} {c.type}" for c in result.columns)
        except LakehouseError as e:
            text = f"refused: {e} {json.dumps(e.as_dict(), ensure_ascii=False)}"
        told = [v for v in found_in(text) if v not in sql]  # names of columns repeat the question
        assert told == [], "the attempt succeeded"
        return text

    def matches(self, table: str, condition: str) -> int:
        """Rows that meet a condition on a raw value; 0 when the question is refused, or the column is not there."""
        text = self.ask(f"select count(*) from {table} where {condition}")
        return 0 if text.startswith("refused") else int(text.split("count", 1)[0])


def _csv(path: Path, header: str, rows: list[list[str]], encoding: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([header, *(",".join(r) for r in rows)]) + "\n"
    path.write_bytes(text.encode(encoding))


def household_rows() -> list[list[str]]:
    """Canaries and ordinary residents; the last canary's birth date cannot be read."""
    rows = []
    for i, c in enumerate(PERSONS):
        born = f"{c.birth:%Y}年{c.birth:%m}月{c.birth:%d}日生" if i == len(PERSONS) - 1 else f"{c.birth:%Y/%m/%d}"
        rows.append([c.resident_id, c.name, "女", "汉族", born, c.household, "户主", "本科", "未婚", c.address])
        rows[-1] += [COMMUNITIES[0], c.phone, "2026-06-01 08:00:00"]
    for n in range(ORDINARY):
        born = date(1970, 1, 1) + timedelta(days=37 * n)
        sex = "男" if n % 2 else "女"
        person = [
            resident_id("110102", born, 100 + n),
            f"王小{'甲乙丙丁戊己庚辛壬癸'[n % 10]}",
            sex,
            "汉族",
            f"{born:%Y/%m/%d}",
        ]
        person += [f"HB{n // 3:06d}", "户主" if n % 3 == 0 else "子", "初中", "未婚", f"西城区府右街{n + 1}号"]
        rows.append([*person, COMMUNITIES[n % 3], f"1381234{n:04d}", "2026-06-01 08:00:00"])
    return rows


HOUSEHOLD_HEADER = (
    "身份证号,姓名,性别,民族,出生日期,户号,与户主关系,文化程度,婚姻状况,户籍地址,社区编码,联系电话,更新时间"
)


def deliver(drop: Path) -> None:
    """The files of every department that sends persons."""
    _csv(drop / "public_security/household/full.csv", HOUSEHOLD_HEADER, household_rows(), "gb18030")
    _visitors(drop / "public_security/floating_population")
    _calls(drop)
    _records_of_firms(drop)


def _visitors(folder: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    head = "街道 社区 姓名 证件号码 性别 出生日期 户籍所在地 来京日期 现住址 联系电话 登记日期"
    sheet.append(head.split())
    person = [VISITOR.name, VISITOR.resident_id, "女", f"{VISITOR.birth:%Y-%m-%d}", "河北省", "2020-01-01"]
    sheet.append(["西长安街街道", "府右街南社区", *person, VISITOR.address, VISITOR.phone, "2026-06-01"])
    folder.mkdir(parents=True)
    book.save(folder / "register.xlsx")


def _calls(drop: Path) -> None:
    header = "工单编号,来电时间,来电人,来电号码,街道,社区,发生地址,一级分类,二级分类,三级分类,标题,主要内容,七有五性,承办单位,派单时间,"
    header += "首次联系时间,办结时间,处理时限(小时),是否解决,是否满意,是否剔除,更新时间"
    orders = []
    for n, c in enumerate((CALLER, *PERSONS[:2])):
        text = f"本人{c.name}，证件{c.resident_id}，电话{c.phone}，住{c.address}，反映停水"
        order = [f"WO2026{n:05d}", "2026-06-01 09:00:00", c.name, c.phone, "西长安街街道", "府右街南社区", "府右街"]
        order += [
            "市政",
            "供水",
            "停水",
            f"{c.address}反映停水",
            text,
            "",
            "区水务局",
            "2026-06-01 09:30:00",
            "2026-06-01 10:00:00",
        ]
        orders.append([*order, "2026-06-02 09:00:00", "24", "是", "满意", "否", "2026-06-02 10:00:00"])
    late = [
        "WO202699999",
        "2026-06-03 09:00:00",
        CALLER.name,
        CALLER.phone,
        "西长安街街道",
        "",
        "",
        "市政",
        "",
        "",
        "",
        CALLER.address,
    ]
    orders.append([*late, "", "", "", "2026-06-01 10:00:00", "", "24", "", "", "否", "2026-06-03 10:00:00"])
    _csv(drop / "hotline/work_orders/orders.csv", header, orders, "utf-8-sig")


def _records_of_firms(drop: Path) -> None:
    """A fine and a list of arrears, where a person's number stands in place of a firm's."""
    header = "行政相对人名称,法定代表人,法定代表人证件类型,法定代表人证件号码,行政处罚决定书文号,违法行为类型,违法事实,处罚依据,处罚类别,处罚内容,"
    header += "罚款金额（万元）,处罚决定日期,处罚有效期,处罚机关,备注"
    fine = [
        "北京某某商贸有限公司",
        "王某",
        "身份证",
        PERSONS[0].resident_id,
        "京西市监罚〔2026〕1号",
        "无照经营",
        "未办理登记",
    ]
    fine += ["《无证无照经营查处办法》", "罚款", "罚款一千元", "0.1", "2026-05-01", "", "西城区市场监督管理局", ""]
    _csv(drop / "market_supervision/penalties/penalties.csv", header, [fine], "gb18030")
    header = "企业或单位名称,纳税人识别号,经营地点,欠税金额,税种"
    _csv(
        drop / "tax/arrears/arrears.csv",
        header,
        [["某某小吃店", PERSONS[1].resident_id, "府右街", "12.5", "增值税"]],
        "gb18030",
    )


def environment(home: Path) -> dict[str, str]:
    """The environment of a child that runs the product on this lake."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "LANG", "HOME", "TMPDIR")}
    return {
        **kept,
        "LAKEHOUSE_HOME": str(home),
        "PYTHONUTF8": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def command(home: Path, *arguments: str, root: Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """`lakehouse …` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lakehouse.cli", *arguments],
        cwd=root, env=environment(home), capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory, root: Path, catalog: Catalog) -> Lake:
    """Loaded, built and released through the Airflow DAGs; treat it as read-only."""
    home = tmp_path_factory.mktemp("redteam") / "var"
    settings = Settings(home=home, lake=str(home / "lake"))
    settings.make_dirs()
    deliver(settings.drop)
    done = command(home, "run", "--json", root=root)
    printed = done.stdout + done.stderr
    assert found_in(printed, canaries.ALL) == [], "the run printed personal values"
    summary = json.loads(done.stdout)
    loaded = {f["feed"]: f["rows_loaded"] for f in summary["feeds"]}
    assert loaded["public_security__household"] == len(PERSONS) + ORDINARY - 1, printed
    assert loaded["hotline__work_orders"] == 3, printed
    assert len({c.name for c in EVERYBODY}) == 6
    return Lake(settings, catalog, printed, summary)


@pytest.fixture
def cli(lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``cli("feed", "quarantine", …)`` on the lake: everything printed, which never holds a canary."""
    from lakehouse.cli import main

    for name, value in lake.settings.as_env().items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str | Path) -> str:
        monkeypatch.setattr("sys.argv", ["lakehouse", *map(str, arguments)])
        capsys.readouterr()
        with suppress(SystemExit):
            main()
        printed = capsys.readouterr()
        text = printed.out + printed.err
        assert found_in(text) == [], "the attempt succeeded"
        return text

    return call


NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
WORDS = {p: f"{p} walks along the moat" for p in ("asker", "first", "second")}


@dataclass(frozen=True)
class Branch:
    """A copy of the lake's libraries that may be written to, with persons who can sign."""

    settings: Settings
    catalog: Catalog

    def product(self, **over: Any) -> Catalog:
        """The catalogue with one more product, ``stolen``, over the residents."""
        from catalog.model import Product

        spec = {
            "id": "stolen", "title": "样例", "owner": "statistics", "table": "population.residents", "purpose": "检验",
            "legal_basis": "检验依据", "recipients": ["health"], "columns": {"birth_date": {}}, "formats": ["csv"], **over,
        }  # fmt: skip
        return self.catalog.model_copy(update={"products": {"stolen": Product.model_validate(spec)}})

    def refuse(self, catalog: Catalog, now: datetime = NOW) -> str:
        """The error with which the product does not leave; nothing of it lies anywhere."""
        from warehouse.publish import publish

        with pytest.raises(LakehouseError) as caught:
            publish(self.settings, catalog, "stolen", now=now)
        left = [p for p in (self.settings.releases / "stolen").rglob("*") if p.is_file()]
        assert left == []
        assert found_in(str(caught.value)) == []
        return str(caught.value)

    def release(self, catalog: Catalog, now: datetime = NOW) -> Path:
        """The folder of a release that may leave; it holds no canary."""
        from warehouse.publish import publish

        release = publish(self.settings, catalog, "stolen", now=now)[0]
        assert release.folder is not None
        assert canaries.search(release.folder) == {}
        return release.folder

    def ask(self, catalog: Catalog, **over: Any) -> Any:
        from warehouse import approvals

        values = {"person": "asker", "passphrase": WORDS["asker"], "now": NOW, **over}
        return approvals.request(self.settings, catalog, "stolen", **values)

    def agree(self, catalog: Catalog, request: Any, person: str, **over: Any) -> Any:
        from warehouse import approvals

        values = {"person": person, "passphrase": WORDS[person], "now": NOW, **over}
        return approvals.approve(self.settings, catalog, request.id, **values)


@pytest.fixture(scope="session")
def people() -> str:
    """``people.yaml`` of somebody who asks and two who approve."""
    from warehouse.approvals import public_key

    keys = {person: public_key(person, words) for person, words in WORDS.items()}
    entry = "{p}: {{name: {p}, department: health, roles: [{r}], public_key: '{k}'}}"
    return "\n".join(
        entry.format(p=p, k=k, r="request, approve" if p == "asker" else "approve") for p, k in keys.items()
    )


@pytest.fixture
def branch(lake: Lake, people: str, tmp_path: Path, root: Path) -> Branch:
    """See Branch."""
    home, folder = tmp_path / "var", tmp_path / "catalog"
    for part in ("lake/library", "keys", "audit"):
        shutil.copytree(lake.settings.home / part, home / part)
    shutil.copytree(root / "catalog" / "audit", folder / "audit")
    (folder / "dictionary").mkdir()
    (folder / "dictionary" / "people.yaml").write_text(people, encoding="utf-8")
    settings = Settings(home=home, lake=str(home / "lake"), catalog_dir=folder)
    settings.make_dirs()
    return Branch(settings, lake.catalog)
