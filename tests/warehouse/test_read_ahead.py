"""Batches are gathered to row groups without a row lost, and handed on early where they are wide."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from warehouse.read_ahead import ReadAhead, in_groups


def batches(*sizes: int, width: int = 1) -> Iterator[pa.RecordBatch]:
    start = 0
    for size in sizes:
        texts = pa.array(["x" * width] * size, pa.string())
        yield pa.RecordBatch.from_arrays([pa.array(range(start, start + size), pa.int64()), texts], ["i", "text"])
        start += size


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((), []),
        ((0,), []),
        ((4,), [4]),
        ((10,), [10]),
        ((4, 0, 4, 4), [10, 2]),
        ((25,), [10, 10, 5]),
        ((10, 10), [10, 10]),
        ((9, 12, 9), [10, 10, 10]),
    ],
)
def test_groups_are_full_but_the_last(sizes: tuple[int, ...], expected: list[int]) -> None:
    groups = list(in_groups(batches(*sizes), rows=10))
    assert [g.num_rows for g in groups] == expected
    assert [i for g in groups for i in g.column(0).to_pylist()] == list(range(sum(sizes)))


def test_wide_rows_make_smaller_groups() -> None:
    groups = list(in_groups(batches(*[5] * 8, width=1000), rows=1000, most_bytes=9_000))
    assert [g.num_rows for g in groups] == [10, 10, 10, 10]


def test_an_error_comes_out_after_the_rows_before_it() -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(3)
        raise ValueError("broken")

    ahead = ReadAhead(in_groups(broken(), rows=2), depth=1)
    assert next(ahead).num_rows == 2
    with pytest.raises(ValueError, match="broken"):
        list(ahead)
    ahead.stop()
