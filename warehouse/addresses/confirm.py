"""Confirmed matches: what a person says an address means is kept, and the next build learns it as an alias."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from catalog.errors import UnknownName
from catalog.settings import Settings
from quality.addresses.parse import parse

TABLE = "address_confirmations"


class Confirmation(BaseModel):
    """A row of ``platform.address_confirmations``: a writing down to the building, and the address it means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias_name: str
    number_stem: str
    number: int | None
    building: str
    address_code: str
    confirmed_by: str
    confirmed_at: datetime


def confirm(settings: Settings, text: str, address_id: str, *, by: str, now: datetime) -> Confirmation:
    """Keep that ``text`` means the standard address ``address_id``. Unit and room are not kept.

    Args:
        by: who says so; recorded, not shown to readers of the library.

    Raises:
        UnknownName: no such standard address, or a text without the name of a lane or compound.
    """
    from warehouse.addresses.library import load_book
    from warehouse.delta import append_rows
    from warehouse.tables import table_lock

    if all(s.address_id != address_id for s in load_book(settings).standards):
        raise UnknownName(
            "no such standard address",
            hint='look it up: lakehouse sql "select address_code, standard_address from spatiotemporal.addresses"',
            address=address_id,
        )
    e = parse(text)
    if not e.name:
        raise UnknownName("the text names no lane or compound", hint="confirm a fuller writing of the address")
    row = Confirmation(
        alias_name=e.name,
        number_stem=e.stem,
        number=e.number,
        building=e.building,
        address_code=address_id,
        confirmed_by=by,
        confirmed_at=now,
    )
    with table_lock(settings, f"platform.{TABLE}"):
        append_rows(settings.platform_path(TABLE), pa.Table.from_pylist([row.model_dump()], schema=schema()))
    return row


def schema() -> pa.Schema:
    """Columns of the table."""
    text = pa.string()
    return pa.schema(
        [
            ("alias_name", text),
            ("number_stem", text),
            ("number", pa.int64()),
            ("building", text),
            ("address_code", text),
            ("confirmed_by", text),
            ("confirmed_at", pa.timestamp("us", tz="UTC")),
        ]
    )
