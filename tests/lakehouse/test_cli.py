"""What every command owes its user: JSON that parses, exit codes that mean something, errors that help."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lakehouse.cli import app

Cli = Callable[..., Any]


def _leaves(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for part, sub in command.commands.items():
            yield from _leaves(sub, (*name, part))
    else:
        yield name, command


COMMANDS = dict(_leaves(typer.main.get_command(app)))


def test_the_commands_the_issue_names_are_there() -> None:
    named = "run|demo generate|ingest|build|check|publish|sql|feed list|feed show|feed new|feed quarantine|feed replay"
    named += "|status|doctor"
    for line in named.split("|"):
        assert tuple(line.split()) in COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS), ids=" ".join)
def test_every_command_has_json_and_help(name: tuple[str, ...]) -> None:
    command = COMMANDS[name]
    options = {o for p in command.params for o in p.opts}
    if name != ("up",):
        assert "--json" in options
    assert command.help


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, lakehouse.cli, typer; typer.main.get_command(lakehouse.cli.app);"
        "heavy = {'duckdb','pyarrow','pandas','deltalake','dbt','airflow','great_expectations','pydantic','sqlglot'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_feed_list_names_every_contract(cli: Cli) -> None:
    done = cli("feed", "list", "--json")
    assert done.code == 0
    feeds = {f["feed"]: f for f in done.json}
    assert feeds["public_security__household"]["grade"] == 3
    assert "户籍人口登记" in cli("feed", "list").out


def test_feed_show_lists_fields_and_rules(cli: Cli) -> None:
    shown = cli("feed", "show", "public_security__household", "--json").json
    assert {f["name"] for f in shown["fields"]} >= {"resident_id", "birth_date"}
    assert any(r["severity"] == "stop" for r in shown["rules"])
    assert "公民身份号码" in cli("feed", "show", "public_security__household").out


def test_an_unknown_feed_is_exit_2_with_near_names(cli: Cli) -> None:
    done = cli("feed", "show", "tax__arears")
    assert done.code == 2
    assert "tax__arrears" in done.err
    told = cli("feed", "show", "tax__arears", "--json")
    assert told.code == 2
    assert told.json["error"] == "LH101"


def test_a_refused_query_is_exit_6_and_says_why(cli: Cli) -> None:
    done = cli("sql", "select * from read_text('/etc/hostname')", "--json")
    assert done.code == 6
    assert done.json["error"] == "LH500"
    assert done.json["hint"]


def test_select_one(cli: Cli) -> None:
    assert cli("sql", "select 1 as one", "--json").json == [{"one": 1}]
    assert cli("sql", "select 1 as one", "--format", "csv").out.split() == ["one", "1"]


@pytest.mark.slow
def test_ingesting_a_file_accounts_for_every_row(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "arrears.csv"
    file.write_text(
        "企业或单位名称,纳税人识别号,经营地点,欠税金额,税种\n"
        "北京甲有限公司,911101027000000019,西城区甲街1号,100.5,房产税\n"
        "北京乙有限公司,9.11E+17,西城区乙街2号,7,营业税\n"
        "北京丙有限公司,911101027000000035,西城区丙街3号,十元,营业税\n",
        encoding="gb18030",
    )
    done = cli("ingest", "tax__arrears", "--file", file, "--json")
    assert done.code == 0, done.err
    result = done.json
    assert list(result)[:7] == [
        "feed", "receipt", "rows_found", "rows_loaded", "rows_quarantined", "rows_skipped", "verdict",
    ]  # fmt: skip
    assert (result["rows_found"], result["rows_loaded"], result["rows_quarantined"], result["rows_skipped"]) == (
        3,
        1,
        2,
        0,
    )
    rows = cli("feed", "quarantine", "tax__arrears", "--json").json
    assert {r["row_number"] for r in rows} == {2, 3}
    again = cli("ingest", "tax__arrears", "--file", file, "--json").json
    assert (again["verdict"], again["rows_found"], again["rows_skipped"]) == ("duplicate", 3, 3)
    told = cli("sql", "select entity_name, arrears_cny from feed.tax__arrears", "--json").json
    assert told == [{"entity_name": "北京甲有限公司", "arrears_cny": 100.5}]
    state = {s["feed"]: s for s in cli("status", "--json").json}
    assert state["tax__arrears"]["state"] == "ok"
    assert state["statistics__cpi"]["state"] == "never"
    held = {s["feed"]: s for s in cli("vault", "status", "--json").json}
    assert (held["tax__arrears"]["rows"], held["tax__arrears"]["state"]) == (1, "ok")
    assert cli("vault", "erase", "tax__arrears").code == 2
    monkeypatch.setenv("LAKEHOUSE_PASSPHRASE", "seven green lanterns")
    look = ("vault", "show", "tax__arrears", "--key", "_row_number=1", "--purpose", "核查身份", "--as", "nobody")
    assert cli(*look, "--json").json["error"] == "LH521"


def test_a_file_that_cannot_be_read_is_exit_3(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_bytes("甲,乙\n1,2\n".encode("gb18030"))
    done = cli("ingest", "tax__arrears", "--file", file, "--json")
    assert done.code == 3
    assert (done.json["verdict"], done.json["rows_found"]) == ("stopped", 0)
    assert done.json["error"]["error"].startswith("LH2")
    assert done.json["error"]["hint"]


@pytest.mark.slow
def test_demo_files_and_their_truth(cli: Cli, home: Path) -> None:
    done = cli("demo", "generate", "--residents", "300", "--json")
    assert done.code == 0
    assert (home / "truth" / "summary.json").exists()
    assert json.loads((home / "truth" / "summary.json").read_text(encoding="utf-8"))
    assert list((home / "drop").rglob("*.csv"))


@pytest.mark.slow
def test_doctor_finds_everything_here(cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert done.code == 0, done.out


@pytest.mark.slow
def test_feed_new_then_ingest(cli: Cli, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    catalog = tmp_path / "catalog"
    shutil.copytree(root / "catalog", catalog, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    monkeypatch.setenv("LAKEHOUSE_CATALOG", str(catalog))
    file = tmp_path / "养老机构.csv"
    file.write_text(
        "机构名称,统一社会信用代码,床位数,成立日期\n西城甲养老院,12110102MB0000000X,120,2001年5月1日\n",
        encoding="gb18030",
    )
    done = cli("feed", "new", file, "--department", "civil_affairs", "--yes", "--json")
    assert done.code == 0, done.err
    feed_id = done.json["feed"]
    assert feed_id.startswith("civil_affairs__")
    result = cli("ingest", feed_id, "--file", file, "--json").json
    assert result["rows_found"] == result["rows_loaded"] + result["rows_quarantined"] + result["rows_skipped"] == 1


def test_scanning_a_file_finds_ids_by_their_values_and_shows_none(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "credit.csv"
    ids = ["11010519491231002X", "440524188001010014"] * 5
    file.write_text("统一社会信用代码,金额\n" + "".join(f"{i},{n}\n" for n, i in enumerate(ids)), encoding="utf-8")
    found = cli("grade", "scan", file, "--json")
    (finding,) = [f for f in found.json if f["kind"] == "resident_id"]
    assert (finding["column"], finding["hits"], finding["share"], finding["grade"]) == ("统一社会信用代码", 10, 1.0, 3)
    assert set(finding) == {"column", "kind", "hits", "share", "grade", "examples_masked"}
    assert not any(i in found.out for i in ids)
    assert cli("grade", "scan", "feed.nothing").code == 2


def test_the_audit_log_is_verified_and_its_head_printed(cli: Cli, home: Path) -> None:
    assert cli("audit", "verify", "--json").json == {"events": 0, "faults": [], "ok": True}
    assert cli("sql", "show tables").code == 0
    kept = cli("audit", "head").out.strip()
    assert cli("audit", "verify", "--expect-head", kept).code == 0
    log = home / "audit" / "log.jsonl"
    log.write_text(log.read_text(encoding="utf-8").replace("true", "false"), encoding="utf-8")
    assert cli("audit", "verify").code == 1
