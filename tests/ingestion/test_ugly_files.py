"""``feed new --yes`` on files it has never seen: the contract it writes is the one a person would, and loads them whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.new_feed import Proposal, propose
from ingestion.sniff import sniff
from ingestion.stage import stage
from quality.rules import compile_rules
from tests.ingestion.ugly_files import CASES, Case

NOW = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Settings:
    home = tmp_path_factory.mktemp("ugly")
    made = Settings(home=home / "var", lake=str(home / "var" / "lake"), catalog_dir=root / "catalog")
    made.make_dirs()
    return made


def feed_of(proposal: Proposal) -> Feed:
    named = {"id": proposal.feed_id, "department": proposal.department, "object": proposal.object}
    return Feed.model_validate({**named, **yaml.safe_load(proposal.contract_yaml)})


def sources(spec: Any) -> Iterator[str]:
    yield from spec.from_
    yield from filter(None, (spec.x, spec.y))


def differences(case: Case, catalog: Catalog, feed: Feed) -> list[str]:
    """Where the contract is not what the case asks for."""
    out = []
    fields = {f.name: f for f in catalog.fields(feed)}
    for source, wanted in case.types.items():
        made = [fields[name] for name, spec in feed.fields.items() if source in sources(spec)]
        kinds = {"code" if f.code_list else f.type for f in made}
        if not made or (wanted != "any" and wanted not in kinds):
            out.append(f"{source}: {kinds or 'no field'}, not {wanted}")
        if max((f.grade for f in made), default=0) < case.grades.get(source, 1):
            out.append(f"{source}: graded below {case.grades[source]}")
    key = [s for k in feed.load.key for s in feed.fields[k].from_]
    if key != list(case.key):
        out.append(f"key {key}, not {list(case.key)}")
    return out


@pytest.mark.parametrize("name", CASES)
def test_the_proposed_contract_is_right_and_every_row_is_accounted_for(
    place: Settings, catalog: Catalog, tmp_path: Path, name: str
) -> None:
    case = CASES[name](tmp_path)
    sample = sniff(case.path, catalog=catalog)
    feed = feed_of(propose(sample, department="big_data", catalog=catalog))
    assert sample.kind == case.kind
    assert differences(case, catalog, feed) == []
    rules = compile_rules(catalog, feed)
    with stage(place, catalog, feed, case.path, receipt=name, loaded_at=NOW, rules=rules) as r:
        assert r.rows_found == r.rows_accepted + r.rows_quarantined + r.rows_skipped
        counted = (r.rows_accepted, r.rows_quarantined, r.rows_skipped)
        assert counted == (case.rows, case.quarantined, case.skipped), (r.reasons, r.skipped)
