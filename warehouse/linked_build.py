"""Links the records of persons that changed and builds what reads them, in the least time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

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

    The first time, and with ``link_all``, nothing is built meanwhile: comparing all records takes all memory and cores.

    Args:
        now: time of the run (UTC).
        link_all: compare all records anew. full_refresh: build all tables from nothing.

    Raises:
        LakehouseError: of `link_persons` and `build`.
    """
    from warehouse.linking.run import link_persons
    from warehouse.linking.store import last_run

    def link() -> None:
        link_persons(settings, catalog, now=now, full=link_all, progress=progress)

    beside = not link_all and last_run(settings) is not None
    if not beside:
        warm_up(settings)
        link()
    return build(
        settings, select=select, full_refresh=full_refresh, on_event=on_event, linking=link if beside else None
    )
