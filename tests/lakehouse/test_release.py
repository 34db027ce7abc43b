"""Asking, approving and naming a leak from the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Cli = Callable[..., Any]
PRODUCT = """title: 样例
owner: statistics
table: {table}
purpose: 检验
legal_basis: 检验依据
recipients: [civil_affairs, health]
columns:
  record_number: {{grade: {grade}}}
  arrears_cny: {{}}
order_by: [record_number]
formats: [csv]
max_grade: {grade}
watermark:
  arrears_cny: {{digits: 2}}
"""


@pytest.fixture
def sample(home: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A catalogue of its own with one product and a table to release."""
    folder = tmp_path / "catalog"
    shutil.copytree(root / "catalog", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "products"))
    (folder / "products").mkdir()
    monkeypatch.setenv("LAKEHOUSE_CATALOG", str(folder))
    table = pa.table({"record_number": range(200), "arrears_cny": [100 + i * 1.37 for i in range(200)]})
    write_deltalake(str(home / "lake" / "library" / "population" / "people"), table)

    def declare(grade: int, people: str = "") -> None:
        (folder / "products" / "sample.yaml").write_text(PRODUCT.format(table="population.people", grade=grade))
        (folder / "dictionary" / "people.yaml").write_text(people)

    return declare


@pytest.mark.slow
def test_a_release_of_grade_three_is_asked_for_and_approved(
    cli: Cli, sample: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = []
    for who, role in (("asker", "request"), ("signer", "approve")):
        monkeypatch.setenv("LAKEHOUSE_PASSPHRASE", f"{who} walks along the moat")
        key = cli("release", "enrol", who, "--json").json["public_key"]
        lines.append(f"{who}: {{name: x, department: health, roles: [{role}], public_key: '{key}'}}")
    sample(3, "\n".join(lines))
    refused = cli("publish", "sample", "--json")
    assert (refused.code, refused.json["error"]) == (8, "LH521")
    assert "release request sample" in refused.json["hint"]
    monkeypatch.setenv("LAKEHOUSE_PASSPHRASE", "asker walks along the moat")
    asked = cli("release", "request", "sample", "--as", "asker", "--days", "30", "--json").json
    assert (asked["state"], asked["missing"]) == ("open", 1)
    assert cli("release", "approve", asked["id"], "--as", "signer", "--json").json["error"] == "LH521"
    monkeypatch.setenv("LAKEHOUSE_PASSPHRASE", "signer walks along the moat")
    assert cli("release", "approve", asked["id"], "--as", "signer", "--json").json["state"] == "approved"
    assert cli("publish", "sample", "--json").json[0]["status"] == "released"
    assert [r["state"] for r in cli("release", "list", "--json").json] == ["approved"]
    assert asked["id"] in cli("release", "list").out
    rejected = cli("release", "reject", asked["id"], "--as", "signer", "--comment", "协议终止", "--json").json
    assert rejected["state"] == "revoked"
    assert cli("publish", "sample", "--json").code == 8


def test_a_leaked_copy_is_named_from_the_command_line(cli: Cli, sample: Callable[..., None], tmp_path: Path) -> None:
    sample(1)
    folder = Path(cli("publish", "sample", "--json").json[0]["folder"])
    leaked = tmp_path / "found.csv"
    duckdb.sql(
        f"COPY (SELECT arrears_cny AS x FROM '{folder / 'health' / 'sample.csv'}' USING SAMPLE 100 ROWS) TO '{leaked}'"
    )
    done = cli("watermark", "detect", leaked, "--json")
    assert done.code == 0
    assert done.json["named"] == [{"product": "sample", "recipient": "health"}]
    assert "health" in cli("watermark", "detect", leaked, "--product", "sample").out
    leaked.write_text("x\n" + "\n".join(str(i * 0.7) for i in range(200)))
    unsure = cli("watermark", "detect", leaked, "--json")
    assert (unsure.code, unsure.json["verdict"], unsure.json["named"]) == (1, "unsure", [])
