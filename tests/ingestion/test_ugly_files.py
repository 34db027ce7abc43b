"""``feed new --yes`` on files it has never seen: the contract it writes is the one a person would, and loads them whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from catalog.errors import LakehouseError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.new_feed import Proposal, propose
from ingestion.sniff import sniff
from ingestion.stage import stage
from quality.rules import compile_rules
from tests.ingestion.ugly import CASES, Case

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


@pytest.mark.slow
def test_damage_of_any_kind_is_told_and_never_an_error_of_ours(
    place: Settings, catalog: Catalog, tmp_path: Path
) -> None:
    """Bytes changed, cut out, doubled: the file loads with every record accounted for, or is refused in our words."""
    dice = Random(20260801)
    told = {"refused": 0, "loaded": 0}
    for name in ("packed_zip_with_a_gbk_name_and_a_letter", "workbook_of_months", "header_of_two_rows_merged",
                 "shapefile_without_cpg", "json_in_an_envelope", "ndjson_with_varying_keys", "fixed_width",
                 "xml_of_rows", "dbf_gbk", "parquet", "utf16", "open_quote"):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        case = CASES[name](folder)
        whole = case.path.read_bytes()
        for _ in range(4):
            case.path.write_bytes(damaged(whole, dice))
            try:
                feed = feed_of(propose(sniff(case.path, catalog=catalog), department="big_data", catalog=catalog))
                rules = compile_rules(catalog, feed)
                with stage(place, catalog, feed, case.path, receipt="d", loaded_at=NOW, rules=rules) as r:
                    assert r.rows_found == r.rows_accepted + r.rows_quarantined + r.rows_skipped
                told["loaded"] += 1
            except LakehouseError:
                told["refused"] += 1
    assert min(told.values()) >= 5, told


def damaged(content: bytes, dice: Random) -> bytes:
    out = bytearray(content)
    for _ in range(dice.choice((1, 3, 12))):
        at = dice.randrange(len(out))
        match dice.randrange(4):
            case 0:
                out[at] = dice.randrange(256)
            case 1:
                del out[at : at + dice.randrange(1, 30)]
            case 2:
                out[at:at] = dice.randbytes(dice.randrange(1, 6))
            case _:
                out[at:at] = out[max(0, at - 100) : at]
    return bytes(out)
