"""Links the records of persons that changed and builds what reads them, in the least time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.dbt_build import BuildEvent, BuildResult, build, warm_up


def link_and_build(
    settings: Settings,
    catalog: Catalog,
    *,
    now: datetime,
    link_all: bool = False,
    full_refresh: bool = False,
    select: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
    on_event: Callable[[BuildEvent], None] | None = None,
) -> BuildResult:
    """Link, and build ``select`` or everything; what reads no persons is built meanwhile.

    Nothing is built while all records are compared: that takes all memory and cores.

    Args:
        now: time of the run (UTC).
        link_all: compare all records anew. full_refresh: build all tables from nothing.

    Raises:
        LakehouseError: of `link_persons` and `build`.
    """
    from warehouse.linking.beside import linking_beside
    from warehouse.linking.run import is_due_in_full, link_persons

    if not link_all:
        with linking_beside(settings, now=now) as link:  # it gets ready while it is looked whether a day is due
            if not is_due_in_full(settings, catalog):
                linking = partial(link, progress or (lambda _: None))
                return build(settings, select=select, full_refresh=full_refresh, on_event=on_event, linking=linking)
    warm_up(settings)
    link_persons(settings, catalog, now=now, full=link_all, progress=progress)
    return build(settings, select=select, full_refresh=full_refresh, on_event=on_event)
