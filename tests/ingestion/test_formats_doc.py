"""The snippets of docs/formats.md are contracts' format sections, and its table names every type there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import yaml

from catalog.model import Format
from ingestion.formats.kinds import MAX_MEMBERS


def test_every_snippet_is_valid_and_every_type_is_told(root: Path) -> None:
    text = (root / "docs" / "formats.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    formats = [Format.model_validate(yaml.safe_load(s)["format"]) for s in snippets]
    told = set(re.findall(r"^\| `([a-z]+)` \|", text, re.M)) - {"type"}
    assert told == set(get_args(Format.model_fields["type"].annotation))
    assert {f.type for f in formats} == told - {"ndjson"}
    assert f"{MAX_MEMBERS:,} members" in text
    assert f"({Format(type='csv').max_ratio}) times" in text
