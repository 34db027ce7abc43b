"""Whatever lines a file holds: found = accepted + quarantined + skipped, and good rows keep their numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 8, 1, tzinfo=UTC)
LINES = st.lists(
    st.one_of(
        st.integers(0, 10**6).map(lambda n: f"S{n},1"),
        st.sampled_from(
            [
                "A,多",
                "B",
                "C,1,2",
                ",",
                "　,\t",
                '"D,1',
                '"E","2"',
                '"F\nG",3',
                'H"I,4',
                '"J"K,5',
                "L\0,6",
                "M,",
                ",7",
                '"',
                "",
            ]
        ),
        st.text(alphabet='ab",\n\r é中', max_size=12),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, root: Any) -> Any:
    import shutil

    from catalog.registry import load_catalog
    from catalog.settings import Settings

    folder = tmp_path_factory.mktemp("accounting")
    without = shutil.ignore_patterns("feeds", "products", "*.py", "__pycache__")
    shutil.copytree(root / "catalog", folder / "catalog", ignore=without)
    contract = folder / "catalog" / "feeds" / "t" / "f.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text(
        """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: files, path: t/f/*}
format: {type: csv, encoding: auto, footer: "^合计"}
load: {mode: append, key: [sensor_id]}
fields:
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量, required: true}
""",
        encoding="utf-8",
    )
    made = Settings(home=folder / "var", lake=str(folder / "var" / "lake"))
    made.make_dirs()
    return made, load_catalog(folder / "catalog"), folder


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=LINES, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans(), encoding=st.sampled_from(["utf-8", "gb18030"])
)
def test_every_record_is_somewhere(house: Any, lines: list[str], end: str, last: bool, encoding: str) -> None:
    stage_and_check(house, lines, end, last, encoding)


def stage_and_check(house: Any, lines: list[str], end: str, last: bool, encoding: str) -> None:
    from ingestion.stage import stage
    from quality.rules import compile_rules

    made, catalog, folder = house
    text = end.join(["编号,雨量", *lines]) + (end if last else "")
    path = folder / "a.csv"
    path.write_bytes(text.encode(encoding, "replace"))
    feed = catalog.feed("t__f")
    rules = compile_rules(catalog, feed, as_of=NOW)
    with stage(made, catalog, feed, path, receipt="r", loaded_at=NOW, rules=rules) as staged:
        assert staged.rows_found == staged.rows_accepted + staged.rows_quarantined + staged.rows_skipped
        numbers = [n for (n,) in staged.con.execute("SELECT _row_number FROM staged").fetchall()]
        assert sorted(numbers) == list(range(1, staged.rows_found + 1))
        raws = staged.con.execute("SELECT count(*) FROM staged WHERE _state = 1 AND _raw IS NULL").fetchone()
        assert raws == (0,)


def test_well_formed_files_are_read_as_pythons_csv_reads_them(house: Any) -> None:
    import csv
    import io
    import random

    from ingestion.formats import Wanted, open_file
    from ingestion.formats.csv import BrokenQuotes

    _, catalog, folder = house
    dice = random.Random(3)
    alphabet = 'ab",\n\r 中é'
    rows = [["".join(dice.choices(alphabet, k=dice.randrange(6))) for _ in range(2)] for _ in range(300)]
    rows = [[a.strip("\r\n ") or "x", b.strip("\r\n ")] for a, b in rows]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["编号", "雨量"], *rows])
    path = folder / "b.csv"
    path.write_bytes(out.getvalue().encode())
    feed = catalog.feed("t__f")
    for recover in (False, True):
        opened = open_file(path, feed.format, Wanted.of(feed), recover=recover)
        try:
            read = [(r["c0"], r["c1"]) for b in opened.batches for r in b.to_pylist() if r["_problem"] is None]
        except BrokenQuotes:
            assert not recover
            continue
        assert read == [tuple(r) for r in rows]
