"""A leaked copy names its recipient whatever was done to it, and nobody else, ever."""

from __future__ import annotations

import csv
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import InputError
from catalog.model import Carrier, Element
from quality.keys import KeyFault
from quality.watermark import (
    FALSE_ACCUSATION,
    Candidate,
    Match,
    WatermarkKey,
    capacity,
    detect,
    load_key,
    mark_sql,
    register,
    unfit,
    unregister,
)

KEY = WatermarkKey(bytes(range(32)))
CARRIERS = {"capital": Carrier(digits=2), "hours": Carrier(digits=1), "scope": Carrier(punctuation=True)}
NAMES = {"capital": ("capital", "注册资本（万元）"), "hours": ("hours", "时长"), "scope": ("scope", "经营范围")}
TYPES = {"capital": "DECIMAL(18,4)", "hours": "DOUBLE", "scope": "VARCHAR"}
RECIPIENTS = ("civil_affairs", "health", "education", "statistics")
Rows = list[dict[str, Any]]


def candidates(*recipients: str) -> list[Candidate]:
    return [Candidate("enterprises", r, CARRIERS, NAMES) for r in recipients or RECIPIENTS]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE rows AS SELECT i AS number, (i * 7919 % 100000 / 37.0)::DECIMAL(18,4) AS capital, "
        "round(i * 0.37 - 40, 1)::DOUBLE AS hours, "
        "'技术开发（' || i || '）；销售(' || i % 7 || ')、咨询;办公' AS scope FROM range(600) t(i)"
    )
    yield con
    con.close()


def copy_for(con: duckdb.DuckDBPyConnection, recipient: str) -> Rows:
    register(con, KEY.of("enterprises", recipient))
    found = con.execute(mark_sql("rows", CARRIERS, TYPES)).to_arrow_table().to_pylist()
    unregister(con)
    return found


def write_csv(rows: Rows, file: Path, *, encoding: str = "utf-8-sig", delimiter: str = ",") -> Path:
    with file.open("w", encoding=encoding, newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return file


def write_xlsx(rows: Rows, file: Path) -> Path:
    import xlsxwriter

    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("数据")
        names = list(rows[0])
        sheet.write_row(0, 0, [NAMES.get(n, (n, n))[-1] for n in names])
        for i, row in enumerate(rows, start=1):
            sheet.write_row(i, 0, [float(v) if n == "capital" else v for n, v in row.items()])
        book.add_worksheet("数据字典").write_row(0, 0, ["列名"])
    return file


def write_parquet(rows: Rows, file: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def half(rows: Rows) -> Rows:
    return random.Random(5).sample(rows, len(rows) // 2)


def only(column: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{"number": r["number"], column: r[column]} for r in rows]


def renamed(rows: Rows) -> Rows:
    return [{f"列{i}": v for i, v in enumerate(r.values())} for r in rows]


ALTERED: dict[str, Callable[[Rows], Rows]] = {
    "as it was": lambda rows: rows,
    "sorted by another column": lambda rows: sorted(rows, key=lambda r: -r["hours"]),
    "half the rows lost": half,
    "three quarters of the rows lost": lambda rows: half(half(rows)),
    "only capital left": only("capital"),
    "only hours left": only("hours"),
    "only scope left": only("scope"),
    "half the rows and one carrier": lambda rows: only("capital")(half(rows)),
    "columns in another order": lambda rows: [dict(sorted(r.items(), reverse=True)) for r in rows],
    "columns renamed": renamed,
    "columns renamed, half the rows": lambda rows: renamed(half(rows)),
    "rows repeated": lambda rows: rows + rows[:200],
    "strange rows mixed in": lambda rows: (
        rows + [{**r, "capital": i / 7, "hours": 0.3, "scope": "x"} for i, r in enumerate(rows[:300])]
    ),
    "one number column rounded": lambda rows: [{**r, "capital": round(r["capital"])} for r in rows],
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_copy_names_its_recipient_and_nobody_else(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, how: str
) -> None:
    leaked = write_csv(ALTERED[how](copy_for(con, "health")), tmp_path / "copy.csv")
    matches = detect(leaked, candidates(), KEY)
    assert [m.recipient for m in matches if m.is_named] == ["health"]
    assert matches[0].recipient == "health"


@pytest.mark.parametrize("form", ["xlsx", "parquet", "gb18030", "utf-16 tabs", "csv to xlsx to csv"])
def test_every_format_names_it(con: duckdb.DuckDBPyConnection, tmp_path: Path, form: str) -> None:
    rows = half(copy_for(con, "education"))
    if form == "xlsx":
        file = write_xlsx(rows, tmp_path / "x.xlsx")
    elif form == "parquet":
        file = write_parquet(rows, tmp_path / "x.parquet")
    elif form == "gb18030":
        file = write_csv(rows, tmp_path / "x.csv", encoding="gb18030")
    elif form == "utf-16 tabs":
        file = write_csv(rows, tmp_path / "x.txt", encoding="utf-16", delimiter="\t")
    else:
        import python_calamine

        first = write_csv(rows, tmp_path / "first.csv")
        with first.open(encoding="utf-8-sig", newline="") as f:
            read = [{**r, "hours": float(r["hours"])} for r in csv.DictReader(f)]
        book = python_calamine.CalamineWorkbook.from_path(str(write_xlsx(read, tmp_path / "x.xlsx")))
        head, *body = book.get_sheet_by_name("数据").to_python()
        file = write_csv([dict(zip(map(str, head), r, strict=True)) for r in body], tmp_path / "x.csv")
    assert [m.recipient for m in detect(file, candidates(), KEY) if m.is_named] == ["education"]


def test_two_copies_differ_in_carriers_only_and_within_tolerance(con: duckdb.DuckDBPyConnection) -> None:
    original = con.execute("FROM rows").to_arrow_table().to_pylist()
    first, second = copy_for(con, "health"), copy_for(con, "education")
    assert [r["number"] for r in first] == [r["number"] for r in original]
    assert first != second
    for was, a, b in zip(original, first, second, strict=True):
        for marked in (a, b):
            assert abs(float(marked["capital"]) - float(was["capital"])) <= 0.015 + 1e-9
            assert abs(marked["hours"] - was["hours"]) <= 0.1 + 1e-9
            assert (marked["hours"] < 0) == (was["hours"] < 0)
            widths = str.maketrans("（）；", "();")
            assert marked["scope"].translate(widths) == was["scope"].translate(widths)
    assert copy_for(con, "health") == first


def test_zero_empty_bounds_and_endless_are_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE OR REPLACE TABLE rows AS SELECT unnest([0, NULL, 'inf', 'nan', 100, -0.01, 99.99, 1e300]::DOUBLE[]) AS v"
    )
    register(con, KEY.of("p", "r"))
    marked = con.execute(mark_sql("rows", {"v": Carrier(digits=2, min=0, max=100)}, {"v": "DOUBLE"})).fetchall()
    assert [str(v) for (v,) in marked[:6]] == ["0.0", "None", "inf", "nan", "100.0", "-0.01"]
    assert marked[6][0] in (99.98, 99.99)
    assert marked[7][0] == 1e300


def test_an_unmarked_file_names_nobody(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = con.execute("FROM rows").to_arrow_table().to_pylist()
    assert not any(m.is_named for m in detect(write_csv(rows, tmp_path / "x.csv"), candidates(), KEY))
    assert not any(m.is_named for m in detect(write_csv(renamed(rows), tmp_path / "y.csv"), candidates(), KEY))


@pytest.mark.slow
def test_nobody_innocent_is_accused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """500 strangers and a copy of none of them: not one comes near the bound."""
    leaked = write_csv(copy_for(con, "health")[:150], tmp_path / "copy.csv")
    strangers = detect(leaked, candidates(*(f"stranger-{i}" for i in range(500))), KEY)
    assert not any(m.is_named for m in strangers)
    assert max(m.z for m in strangers) < 5


@pytest.mark.slow
def test_random_recipients_are_each_found_among_all(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    everybody = [f"department-{i}" for i in range(30)]
    for recipient in random.Random(1).sample(everybody, 6):
        leaked = write_parquet(half(copy_for(con, recipient)), tmp_path / "x.parquet")
        named = [m.recipient for m in detect(leaked, candidates(*everybody), KEY) if m.is_named]
        assert named == [recipient]


def test_two_copies_mixed_at_random_name_both(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    pairs = zip(copy_for(con, "health"), copy_for(con, "education"), strict=True)
    coin = random.Random(3)
    mixed = [{k: coin.choice((a[k], b[k])) for k in a} for a, b in pairs]
    matches = detect(write_csv(mixed, tmp_path / "x.csv"), candidates(), KEY)
    assert {m.recipient for m in matches if m.is_named} == {"health", "education"}


def test_a_normalised_copy_is_unsure_not_wrong(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """What the mark does not survive, said plainly: every carrier made coarser."""
    rows = [
        {
            **r,
            "capital": round(r["capital"]),
            "hours": round(r["hours"]),
            "scope": r["scope"].translate(str.maketrans("（）；", "();")),
        }
        for r in copy_for(con, "health")
    ]
    assert not any(m.is_named for m in detect(write_csv(rows, tmp_path / "x.csv"), candidates(), KEY))


def test_few_values_are_unsure(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    leaked = write_csv(only("capital")(copy_for(con, "health")[:12]), tmp_path / "x.csv")
    best = detect(leaked, candidates(), KEY)[0]
    assert (best.recipient, best.is_named) == ("health", False)
    assert best.chance > FALSE_ACCUSATION


def test_capacity_counts_distinct_values(con: duckdb.DuckDBPyConnection) -> None:
    assert capacity(con, "rows", {}) == 0
    con.execute("CREATE TABLE same AS SELECT 5.25 AS v FROM range(1000)")
    assert capacity(con, "same", {"v": Carrier(digits=2)}) == 1
    con.execute("CREATE TABLE forms AS SELECT 'a(b);c' AS v")
    assert capacity(con, "forms", {"v": Carrier(punctuation=True)}) == 2


ELEMENT = Element(label="x", grade=1)
UNFIT = [
    ("amount", Carrier(digits=2), "DOUBLE", ELEMENT, True, "key"),
    ("street_code", Carrier(punctuation=True), "VARCHAR", None, False, "code"),
    ("street", Carrier(punctuation=True), "VARCHAR", Element(label="x", grade=1, codes="streets"), False, "code"),
    ("name", Carrier(punctuation=True), "VARCHAR", Element(label="x", grade=3, identifier="direct"), False, "persons"),
    ("scope", Carrier(punctuation=True), "DOUBLE", None, False, "only a text"),
    ("geom_cgcs2000", Carrier(digits=7), "BLOB", None, False, "carries nothing"),
    ("built_date", Carrier(digits=0), "DATE", None, False, "carries nothing"),
    ("persons", Carrier(digits=1), "BIGINT", None, False, "no decimals"),
    ("amount", Carrier(digits=3), "DECIMAL(18,2)", None, False, "2 decimals"),
    ("amount", Carrier(digits=2), "DECIMAL(18,2)", None, False, None),
    ("persons", Carrier(digits=0), "BIGINT", None, False, None),
    ("scope", Carrier(punctuation=True), "VARCHAR", ELEMENT, False, None),
]


@pytest.mark.parametrize(("column", "carrier", "kind", "element", "is_key", "reason"), UNFIT)
def test_what_may_not_carry(
    column: str, carrier: Carrier, kind: str, element: Element | None, is_key: bool, reason: str | None
) -> None:
    found = unfit(column, carrier, kind, element, is_key=is_key)
    assert found is None if reason is None else reason in str(found)


def test_the_key_is_made_once_and_never_shown(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(KeyFault, match="missing"):
        load_key(tmp_path, create=False)
    key = load_key(tmp_path)
    secret = key.of("p", "r")
    assert load_key(tmp_path, create=False).of("p", "r") == secret
    assert secret != key.of("p", "s") != key.of("q", "r")
    register(con, secret)
    plan = str(con.execute("EXPLAIN " + mark_sql("rows", CARRIERS, TYPES)).fetchall())
    for text in (repr(key), mark_sql("rows", CARRIERS, TYPES), plan):
        assert secret.hex() not in text
        assert str(secret) not in text
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize(
    ("name", "content"), [("x.csv", b"\xff\xff\x81\x00"), ("x.xlsx", b"no"), ("x.parquet", b"no"), ("x.pdf", b"")]
)
def test_what_cannot_be_read_says_so(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        detect(tmp_path / name, candidates(), KEY)
    assert caught.value.hint
    with pytest.raises(InputError, match="no such file"):
        detect(tmp_path / "none.csv", candidates(), KEY)


def test_an_empty_file_is_unsure(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    matches = detect(tmp_path / "x.csv", candidates(), KEY)
    assert matches == [Match("enterprises", m.recipient, 0.0, 0, 0, 1.0) for m in matches]


def test_a_carrier_is_of_one_kind() -> None:
    with pytest.raises(ValueError, match="either"):
        Carrier()
    with pytest.raises(ValueError, match="either"):
        Carrier(digits=1, punctuation=True)
