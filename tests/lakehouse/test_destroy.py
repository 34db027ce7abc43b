"""``lakehouse destroy``: the number never on the command line, and what goes wrong said clearly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def test_the_number_comes_from_a_private_file_only(cli: Cli, home: Path, tmp_path: Path) -> None:
    from quality.pseudonym import load_key

    home.mkdir()
    load_key(home / "keys")
    file = tmp_path / "id.txt"
    file.write_text("11010519491231002X\n", encoding="utf-8")
    file.chmod(0o644)
    call = ("destroy", "person", "--reason", "本人申请", "--by", "li.ming", "--json")
    refused = cli(*call, "--resident-id-file", file)
    assert (refused.code, refused.json["hint"]) == (3, "chmod 600 it")
    file.chmod(0o600)
    unknown = cli(*call, "--resident-id-file", file)
    assert unknown.code == 2
    assert "no trace" in unknown.json["message"]
    assert "19491231" not in unknown.out + unknown.err
    file.write_text("110105194912310021\n", encoding="utf-8")
    assert "not a valid resident ID" in cli(*call, "--resident-id-file", file).json["message"]
    assert cli(*call, "--resident-key", "abc").code == 2
    assert cli(*call).code == 2
