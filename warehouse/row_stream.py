"""A query's rows on their way to the writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from warehouse.dbt_types import StoreError
from warehouse.duck import streamable

if TYPE_CHECKING:
    from warehouse.dbt_store import StoreRequest

BATCH_ROWS = 100_000


class Rows:
    """A query's rows as a stream that counts, keeps not_null and remembers the first error.

    The writer wraps an error of its input in its own; leaving the context raises the one that came first, after the
    query has come to its end.
    """

    def __init__(self, cur: duckdb.DuckDBPyConnection, query: str, request: StoreRequest) -> None:
        self._cur, self._source = cur, cur.execute(streamable(cur, query)).to_arrow_reader(BATCH_ROWS)
        self.count = 0
        self.error: BaseException | None = None
        self._request = request
        self.reader = pa.RecordBatchReader.from_batches(self._source.schema, self._pass(self._source))

    def _pass(self, source: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            for batch in source:
                for name in self._request.not_null:
                    if batch.column(name).null_count:
                        raise StoreError(
                            "the contract says not_null, and rows have no value",
                            hint="filter or fill them in the model, or drop the constraint",
                            model=self._request.model,
                            column=name,
                        )
                self.count += batch.num_rows
                yield batch
        except GeneratorExit:
            raise
        except BaseException as e:
            self.error = e
            raise

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        first = self.error  # stopping the query may make another
        if error is not None:
            self._end()
        if error is not None and first is not None and first is not error:
            raise first from error

    def _end(self) -> None:
        """Stop the query and read what is left of it.

        DuckDB closes a result that is dropped half read with Python's lock in its hand, and waits for its threads;
        one that is in a function of ours (``entity_match``) waits for that lock. Reading gives the lock up.
        """
        self._cur.interrupt()
        with suppress(duckdb.Error, pa.ArrowException, OSError):
            for _ in self._source:
                pass
