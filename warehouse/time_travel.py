"""Which version of a table stood at an instant, and whether it can still be read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from urllib.parse import unquote

from deltalake import DeltaTable

from catalog.errors import QueryRefused
from warehouse.tables import TableRef


def version_at(ref: TableRef, at: datetime) -> int:
    """The version of a table that was the newest at ``at`` (UTC).

    Raises:
        QueryRefused: the table did not exist then, its log was cut since (an erasure), or files of that version were
            removed at the end of the retention.
    """
    table = DeltaTable(ref.path)
    instant = at.timestamp() * 1000
    commits = [(int(c["version"]), int(c["timestamp"])) for c in table.history()]
    then = [version for version, millis in commits if millis <= instant]
    if not then:
        first = min(millis for _, millis in commits) / 1000
        since = datetime.fromtimestamp(first, UTC).isoformat(timespec="seconds")
        raise QueryRefused(
            f"{ref.sql_name} cannot be read as of {at.isoformat(timespec='seconds')}: it is known since {since}",
            hint="ask for a later day; a history with valid_from and valid_to is kept where load.history is true",
            table=ref.sql_name,
        )
    version = max(then)
    if version < table.version() and "://" not in ref.path:
        files = (unquote(u.removeprefix("file://")) for u in DeltaTable(ref.path, version=version).file_uris())
        if not all(map(os.path.exists, files)):
            raise QueryRefused(
                f"the files of {ref.sql_name} as of {at.isoformat(timespec='seconds')} were removed",
                hint="old versions are kept for seven days; ask for a later day",
                table=ref.sql_name,
            )
    return version
