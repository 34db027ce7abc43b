"""Real files that had no contract: ``feed new``, then ``ingest``, with the counts that docs/real-files.md explains.

The page has every file; here those under half a megabyte are loaded, the others are staged by `test_new_feed_loads` and
counted by ``python tests/ingestion/test_real_sweep.py DATA``, which prints the whole page's table.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from catalog.registry import load_catalog
from catalog.settings import Settings
from ingestion.contract_files import write_contract
from ingestion.load import ingest
from ingestion.new_feed import propose
from ingestion.results import LoadResult
from ingestion.sniff import sniff
from ingestion.sniffing.model import Sample
from tests.ingestion.test_new_feed_loads import place

assert place
NOW = datetime(2026, 8, 1, tzinfo=UTC)
SMALL = 500_000


class Line(NamedTuple):
    """A line of the page: rows the manifest counts, lines down to the header, and what the load counted."""

    file: str
    manifest: int | None
    above: int
    found: int
    loaded: int
    quarantined: int
    skipped: int
    why: str


def page(root: Path) -> list[Line]:
    lines = []
    for line in (root / "docs" / "real-files.md").read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if re.match(r"\| \w+/", line):
            numbers = [int(c) for c in cells[3:8]]
            lines.append(Line(cells[0], int(cells[2]) if cells[2].isdigit() else None, *numbers, cells[8]))
    return lines


def load(place: Settings, path: Path) -> tuple[Sample, LoadResult]:
    """A contract for the file as ``feed new --yes`` writes it, the file loaded with it; the contract is removed."""
    catalog = load_catalog(place.catalog_dir)
    sample = sniff(path, catalog=catalog)
    proposal = propose(sample, department="big_data", catalog=catalog)
    contract = write_contract(place.catalog_dir, proposal)
    try:
        return sample, ingest(place, load_catalog(place.catalog_dir), proposal.feed_id, file=path, now=NOW)[-1]
    finally:
        contract.unlink()


@pytest.mark.slow
def test_small_files_load_as_the_page_explains(root: Path, place: Settings, shared_data: Path) -> None:
    done = 0
    for told in page(root):
        path = shared_data / told.file
        if path.stat().st_size > SMALL:
            continue
        _, r = load(place, path)
        counted = (r.rows_found, r.rows_loaded, r.rows_quarantined, r.rows_skipped)
        assert counted == (told.found, told.loaded, told.quarantined, told.skipped), (told.file, r.message)
        done += 1
    assert done >= 35


def test_the_page_explains_every_file_to_the_last_row(root: Path, shared_data: Path) -> None:
    lines = page(root)
    assert {line.file for line in lines} == {
        str(p.relative_to(shared_data)) for p in shared_data.glob("*/*") if p.suffix != ".md"
    }
    for line in lines:
        assert line.found == line.loaded + line.quarantined + line.skipped, line
        blank = re.search(r"(\d+) blank lines", line.why)
        if line.manifest is not None and "manifest counts lines" not in line.why:
            assert line.manifest == line.above + line.found + int(blank.group(1) if blank else 0), line


def table(data: Path, place: Settings) -> Iterator[str]:
    """The lines of the page's table."""
    manifest = dict(
        re.findall(r"^\| (\S+/[^|]+?) \| [\d,]+ \| (\d+|-) \|", (data / "MANIFEST.md").read_text("utf-8"), re.MULTILINE)
    )
    for path in sorted(p for p in data.glob("*/*") if p.suffix != ".md"):
        name = str(path.relative_to(data))
        sample, r = load(place, path)
        told = manifest.get(name, "-")
        above = sample.header_row if sample.format in ("csv", "excel") else 0
        why = [f"{k} {n}" for k, n in {**r.reasons, **r.skipped}.items()]
        if told.isdigit() and sample.format == "csv" and (blank := int(told) - above - r.rows_found):
            why.append(f"{blank} blank lines")
        elif told.isdigit() and sample.format != "csv":
            why.append("the manifest counts lines")
        counts = f"{above} | {r.rows_found} | {r.rows_loaded} | {r.rows_quarantined} | {r.rows_skipped}"
        yield f"| {name} | {sample.kind} | {told} | {counts} | {'; '.join(why)} |"


if __name__ == "__main__":
    import shutil

    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(Path(__file__).parents[2] / "catalog", Path(folder) / "catalog")
        made = Settings(
            home=Path(folder) / "var", lake=f"{folder}/var/lake", catalog_dir=Path(folder) / "catalog"
        )  # fmt: skip
        made.make_dirs()
        for text in table(Path(sys.argv[1]), made):
            sys.stdout.write(text + "\n")
