"""The matcher of the commands, over the address library, which is built first when feeds are newer than it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog.settings import Settings

if TYPE_CHECKING:
    from quality.addresses.match import Matcher

FEEDS = (
    "planning__address_points",
    "planning__residential_compounds",
    "planning__divisions",
    "education__enrolment_areas",
    "statistics__area_codes",
)
MODELS = ("spatiotemporal__addresses", "spatiotemporal__address_areas", "spatiotemporal__address_aliases")


def fresh_matcher(settings: Settings, *, answer_from: float | None, note: Callable[[str], None]) -> Matcher:
    """A matcher over all that the feeds hold.

    Args:
        answer_from: least confidence of an answer, see ``warehouse.addresses.library.load_matcher``.
        note: told that the library is being built, which takes some ten seconds.

    Raises:
        UnknownName: neither library nor feeds hold an address.
        BuildFailed: a model or its gate failed.
        Busy: another build is running.
    """
    from warehouse.addresses.library import load_matcher

    if is_stale(settings):
        from warehouse.dbt_build import BuildFailed, build

        note("the address library is older than its feeds: building it …")
        result = build(settings, select=[f"+{model}" for model in MODELS])
        if not result.ok:
            raise BuildFailed(
                "the address library could not be built",
                hint="see `lakehouse build " + " ".join(f"-s +{m}" for m in MODELS) + "`",
            )
    return load_matcher(settings, answer_from=answer_from)


def is_stale(settings: Settings) -> bool:
    """Whether a feed of the library was loaded after the library was built."""
    from warehouse.addresses.library import AREAS, STANDARDS

    loaded = [t for feed in FEEDS if (t := _written_at(settings.feed_path(feed)))]
    built = [_written_at(settings.table_path(*table)) for table in (STANDARDS, AREAS)]
    never = datetime.min.replace(tzinfo=UTC)
    return bool(loaded) and max(loaded) > min(t or never for t in built)


def _written_at(path: str) -> datetime | None:
    """When a table was last written; None for one that is not there."""
    from deltalake import DeltaTable

    from warehouse.delta import exists

    if not exists(path):
        return None
    return datetime.fromtimestamp(DeltaTable(path).history(1)[0]["timestamp"] / 1000, UTC)
