"""Generates the whole district: every feed's files into the drop folder, and what is true about them.

Files of one feed sort by name in the order they were sent. Same arguments, same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from demo import air, base_map, deliveries, economy, live, rain, sensing
from demo.deliveries import Office
from demo.entities import Contact
from demo.faults import Truth
from demo.places import Places
from demo.population_office import PopulationOffice
from demo.truth import FeedTotals, TruthFolder
from demo.world import World, make_world
from demo.writers import Drop

Progress = Callable[[str], None]


class DemoSummary(BaseModel):
    """What was generated.

    Attributes:
        out, truth: the two folders.
        feeds: feed id to its files, rows and what loading must give.
        files: files written, repeats included.
        faults: injected faults (lines of ``truth/faults.csv``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path
    truth: Path
    residents: int
    entities: int
    seed: int
    as_of: date
    files: int
    faults: int
    feeds: dict[str, FeedTotals]


@dataclass(frozen=True)
class _Part:
    label: str
    deliver: Callable[[Office], None]


PARTS = (
    _Part("企业登记、行政处罚、欠税与上市公司", deliveries.entities),
    _Part("底图、部件、点位与网格", base_map.deliver),
    _Part("街道界线", deliveries.divisions),
    _Part("空气质量", air.deliver),
    _Part("雨量站", rain.deliver),
    _Part("城市感知设备与网关", sensing.deliver),
    _Part("城市感知实时报文", live.deliver),
    _Part("12345 工单与留言", deliveries.hotline),
    _Part("统计指标与价格指数", deliveries.statistics),
    _Part("经济运行进度与住户调查", economy.deliver),
)


def generate(
    out: Path,
    truth: Path | None = None,
    *,
    residents: int = 20_000,
    seed: int = 1,
    as_of: date = date(2026, 6, 30),
    faults: float = 0.02,
    days: int = 1,
    on_progress: Progress | None = None,
) -> DemoSummary:
    """Write the files of every feed below ``out`` and the truth about them into ``truth``.

    Args:
        out: drop folder; a file lands in the folder of its feed's ``source.path``.
        truth: default ``<out>/../truth``; emptied of an earlier district's truth.
        residents: people in the district, floating population included; other registers scale along.
        seed: same seed (and other arguments), byte-identical files.
        as_of: last day of the data; nothing is dated later, except faults.
        faults: share of the records that carry an injected fault, 0 to 0.5; as many say something untrue of a person.
        days: daily deliveries of the registers of persons up to ``as_of``, 0 to 366; the base files are of before.
        on_progress: called with a line of text as the work goes on.

    Raises:
        ValueError: when an argument is out of its range.
    """
    if not 0 <= days <= 366:
        raise ValueError("days lies between 0 and 366")
    world = make_world(seed=seed, as_of=as_of, residents=residents, faults=faults)
    note: Progress = on_progress or (lambda _: None)
    drop = Drop(out)
    ledger = Truth(rate=faults)
    with TruthFolder(truth or Path(out).parent / "truth") as folder:
        contacts = _residents(world, drop, ledger, folder, days, note)
        office = Office(world, drop, ledger, folder, contacts)
        for part in PARTS:
            note(part.label)
            part.deliver(office)
        summary = DemoSummary(
            out=Path(out),
            truth=folder.path,
            residents=residents,
            entities=folder.entity_count,
            seed=seed,
            as_of=as_of,
            files=len(ledger.files),
            faults=len(ledger.entries),
            feeds=folder.totals(ledger),
        )
        folder.finish(ledger, summary.model_dump(mode="json", exclude={"out", "truth"}))
    drop.close()
    return summary


def _residents(
    world: World, drop: Drop, ledger: Truth, folder: TruthFolder, days: int, note: Progress
) -> list[Contact]:
    """Streams the district community by community through the population and address registers."""
    places = Places(world)
    with PopulationOffice(world, drop, ledger, folder, days) as office:
        street = ""
        for community in world.communities:
            if community.street.name != street:
                street = community.street.name
                note(f"居民 · {street}")
            office.take(places.doors(community))
    return office.contacts
