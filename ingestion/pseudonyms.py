"""Pseudonyms of direct identifiers, made beside the parsing of a file, where a core is free for them.

The key stays out of DuckDB: hashed columns enter it as data, never a key or a function of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from catalog.model import ResolvedField
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.identifiers import upgrade_resident_id
from quality.pseudonym import KEY_FILE, NATIVE_ROWS, PseudonymKey, is_of_resident, load_key
from warehouse.delta import exists, row_count


def key_of(settings: Settings, catalog: Catalog) -> PseudonymKey:
    """The key of this lakehouse; a new one is made only while no feed table holds pseudonyms.

    Raises:
        KeyRefused: the key is missing though pseudonyms exist, damaged, or open to others.
    """
    return load_key(settings.keys, create=(settings.keys / KEY_FILE).exists() or not _has_pseudonyms(settings, catalog))


def hashed_places(fields: Iterable[ResolvedField], places: Mapping[str, list[int]]) -> dict[str, int]:
    """Field name to source column, for fields whose pseudonym can be made of that one column.

    Args:
        places: normalised source name to column indexes.
    """
    from ingestion.formats.header import normalise

    out = {}
    for field in fields:
        if field.element.pseudonym and field.spec.from_ and not field.spec.parse:
            found = [places[normalise(n)] for n in field.spec.from_ if normalise(n) in places]
            if len(found) == 1:
                out[field.name] = found[0][0]
    return out


def add_hashes(
    batches: Iterator[pa.RecordBatch], columns: Iterable[tuple[int, str]], key: PseudonymKey
) -> Iterator[pa.RecordBatch]:
    """Every batch with one more column for each source column (index, name of the pseudonym), called ``_h0`` …"""
    wanted = list(columns)
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        texts = [_normalised(batch.column(f"c{place}"), name) for place, name in wanted]
        made = key.columns(texts, many=rows >= NATIVE_ROWS)
        schema = batch.schema
        for i in range(len(made)):
            schema = schema.append(pa.field(f"_h{i}", pa.string()))
        yield pa.RecordBatch.from_arrays([*batch.columns, *made], schema=schema)


def pseudonyms(texts: pa.Array, name: str, key: PseudonymKey) -> pa.Array:
    """The pseudonyms called ``name`` of trimmed texts; agrees with ``quality.pseudonym.pseudonym_sql``."""
    return key.column(_normalised(texts, name))


def _normalised(texts: pa.Array, name: str) -> pa.Array:
    """What is hashed; agrees with ``quality.pseudonym.normalised_sql``."""
    if not is_of_resident(name):
        return texts
    lengths = pc.binary_length(texts)
    texts = pc.utf8_upper(texts)
    if pc.any(pc.equal(lengths, 15)).as_py():
        texts = pa.array([None if t is None else upgrade_resident_id(t) for t in texts.to_pylist()], pa.string())
    return texts


def _has_pseudonyms(settings: Settings, catalog: Catalog) -> bool:
    keyed = (f.id for f in catalog.feeds.values() if any(r.element.pseudonym for r in catalog.fields(f)))
    return any(exists(p) and row_count(p) for p in map(settings.feed_path, keyed))
