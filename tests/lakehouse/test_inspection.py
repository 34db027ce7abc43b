"""The inspector's guide says what the controls say, and every command in it exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest

from catalog.errors import ContractError
from catalog.registry import Catalog, load_catalog
from lakehouse.inspection import inspector_guide, load_evidence


@pytest.fixture(scope="module")
def guide(root: Path) -> str:
    return (root / "docs" / "inspector.md").read_text(encoding="utf-8")


def test_guide_and_controls_agree(guide: str, catalog: Catalog) -> None:
    assert guide == inspector_guide(catalog), "run lakehouse catalog compile"
    for control in catalog.grading.all_controls:
        line = next(x for x in guide.splitlines() if f"<br>`{control.id}` |" in x)
        assert control.text in line
        for path in (*(control.enforced_by or ()), *control.tested_by):
            assert f"`{path}`" in line
    assert not re.search(r"\{[a-z]+\}", guide)


def test_every_stage_stands_in_the_guide(guide: str, catalog: Catalog) -> None:
    for label in catalog.grading.stages.values():
        assert f"### {label}\n" in guide


def test_what_no_code_enforces_is_said_to_be_the_operators(guide: str, catalog: Catalog) -> None:
    duties = guide.split("## 由部署方承担的")[1]
    for control in catalog.grading.all_controls:
        assert (f"（`{control.id}`" in duties) == (control.enforced_by is None)


def test_the_guide_says_what_could_not_be_read(guide: str) -> None:
    for words in ("没有读到的部分", "附录 C", "附录 D", "第 5 章", "第 6 章", "不声明符合"):
        assert words in guide


def test_every_command_of_the_guide_exists(catalog: Catalog, root: Path) -> None:
    import typer

    from lakehouse.cli import app

    spec = importlib.util.spec_from_file_location("docs_check", root / "docs" / "check.py")
    assert spec
    assert spec.loader
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    command = typer.main.get_command(app)
    shown = [e.show for e in load_evidence(catalog).values() if e.show]
    assert len(shown) > 25
    for text in shown:
        words = shlex.split(text)
        assert words[0] == "lakehouse"
        assert not check._command_fault(command, words[1:]), text


def test_evidence_for_a_control_that_is_not_there(tmp_path: Path, root: Path) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(root / "catalog", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    with (folder / "inspection" / "evidence.yaml").open("a", encoding="utf-8") as f:
        f.write("use.nothing: {ask: 没有这项控制}\n")
    with pytest.raises(ContractError, match=r"use\.nothing"):
        load_evidence(load_catalog(folder))
