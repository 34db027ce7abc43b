"""The offices that send the remaining files: registry, planning, hotline, statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np

from demo import entities as registry
from demo import entity_lives, entity_registers, filings, geometry, macro, messages
from demo import hotline as calls
from demo.entities import Contact
from demo.faults import Fault, FileTruth, Place, Row, Truth
from demo.truth import TruthFolder
from demo.world import World
from demo.writers import Drop, csv_file, geojson_file, json_file, shapefile_zip, yearbook_workbook

FOLDERS = {
    "public_security__household": "public_security/household",
    "public_security__floating_population": "public_security/floating_population",
    "market_supervision__enterprises": "market_supervision/enterprises",
    "market_supervision__penalties": "market_supervision/penalties",
    "market_supervision__listed_companies": "market_supervision/listed_companies",
    "planning__divisions": "planning/divisions",
    "planning__address_points": "planning/address_points",
    "planning__base_map": "planning/base_map",
    "planning__communities": "planning/communities",
    "planning__residential_compounds": "planning/residential_compounds",
    "planning__poi": "planning/poi",
    "urban_management__grid_cells": "urban_management/grid_cells",
    "urban_management__components": "urban_management/components",
    "public_security__cameras": "public_security/cameras",
    "ecology__air_hourly": "ecology/air_hourly",
    "water__rain_gauges": "water/rain_gauges",
    "city_sensing__sensors": "city_sensing/sensors",
    "city_sensing__gateway": "city_sensing/gateway",
    "city_sensing__readings": "city_sensing/readings",
    "hotline__work_orders": "hotline/work_orders",
    "hotline__messages": "hotline/messages",
    "statistics__indicators": "statistics/indicators",
    "statistics__cpi": "statistics/cpi",
    "statistics__progress": "statistics/progress",
    "statistics__household_survey": "statistics/household_survey",
    "tax__arrears": "tax/arrears",
    **{feed: feed.replace("__", "/") for feed in entity_registers.FILES},
}


@dataclass(frozen=True)
class Office:
    """What an office works with; ``contacts`` are residents other registers refer to."""

    world: World
    drop: Drop
    truth: Truth
    folder: TruthFolder
    contacts: list[Contact]

    @property
    def day(self) -> str:
        return f"{self.world.as_of:%Y%m%d}"

    @property
    def before(self) -> str:
        return f"{self.world.as_of - timedelta(days=1):%Y%m%d}"

    def break_some(
        self, feed: str, name: str, header: Sequence[str], rows: list[Row], faults: Sequence[Fault],
        *, key: Sequence[str] = (), append: bool = False, snapshot: bool = False, place: Place | None = None,
    ) -> tuple[str, list[Row], set[int], FileTruth]:  # fmt: skip
        """Open ``name`` in the feed's folder and inject faults; path, records, touched, ledger."""
        path = f"{FOLDERS[feed]}/{name}"
        file = self.truth.open(feed, path)
        number = sum(f.feed == feed for f in self.truth.files)  # of this feed: another feed's files change nothing here
        rng = self.world.rng(f"faults/{feed}", number)
        sent, touched = self.truth.inject(
            file, header, rows, faults, rng, key=key, append=append, snapshot=snapshot, place=place
        )
        return path, sent, touched, file


def entities(office: Office) -> None:
    """Registry (base and a day's changes), penalties, arrears, listed companies; ``truth/entities.csv``."""
    world = office.world
    made = entity_lives.lived(world, registry.make_entities(world, office.contacts))
    organisations = entity_lives.make_organisations(world, office.contacts, len(made) + 1)
    records = entity_registers.Records(world.faults)
    office.folder.entities([*made, *organisations])
    rows = [registry.enterprise_row(e) for e in made]
    new = world.rng("new_entities").random(len(rows)) < 0.01
    base = [r for r, late in zip(rows, new, strict=True) if not late]
    feed, header = "market_supervision__enterprises", registry.ENTERPRISE_HEADER
    faults, key = registry.enterprise_faults(office.contacts), ("统一社会信用代码",)
    path, sent, touched, _ = office.break_some(feed, f"qyxx_{office.before}.csv", header, base, faults, key=key)
    csv_file(office.drop, path, header, sent, eol="\n")
    changes = registry.enterprise_changes(world, base, touched)
    changes += [r for r, late in zip(rows, new, strict=True) if late]
    path, sent, _, _ = office.break_some(feed, f"qyxx_{office.day}.csv", header, changes, faults, key=key)
    csv_file(office.drop, path, header, sent, eol="\n")
    _penalties(office, made, records)
    _registers(office, made, organisations, records)
    office.folder.entity_records(records.rows)
    feed, header = "tax__arrears", filings.ARREARS_HEADER
    rows = filings.arrears_rows(world, made, office.contacts)
    path, sent, _, _ = office.break_some(
        feed, f"qsgg_{office.day}.csv", header, rows, filings.ARREARS_FAULTS, snapshot=True
    )
    csv_file(office.drop, path, header, sent, encoding="gb18030")
    feed, header = "market_supervision__listed_companies", filings.LISTED_HEADER
    rows = filings.listed_rows(world, max(40, len(made) // 5))
    path, sent, _, _ = office.break_some(
        feed, f"ssgsml_{office.day}.csv", header, rows, filings.LISTED_FAULTS, key=("主键",), snapshot=True
    )
    csv_file(office.drop, path, header, sent, encoding="utf-8-sig", eol="\n")


def _registers(
    office: Office,
    made: Sequence[registry.Entity],
    organisations: Sequence[registry.Entity],
    records: entity_registers.Records,
) -> None:
    """The other registers of entities, one file each."""
    world, people, everybody = office.world, office.contacts, [*made, *organisations]
    rows = {
        entity_registers.CHANGES: entity_registers.change_rows(world, made, people),
        entity_registers.PERSONS: entity_registers.person_rows(world, made, people),
        entity_registers.SHAREHOLDERS: entity_registers.shareholder_rows(entity_lives.holdings(world, made, people)),
        entity_registers.ABNORMAL: entity_registers.abnormal_rows(
            world, made, entity_registers.strangers(world), records
        ),
        entity_registers.LICENCES: entity_registers.licence_rows(world, everybody, records),
        entity_registers.TAX: entity_registers.tax_rows(world, everybody, records),
        entity_registers.EMPLOYERS: entity_registers.employer_rows(world, everybody, records),
        entity_registers.SOCIAL: entity_registers.social_rows(organisations),
        entity_registers.INSTITUTIONS: entity_registers.institution_rows(organisations),
    }
    for feed, (stem, encoding) in entity_registers.FILES.items():
        header = entity_registers.HEADERS[feed]
        path, sent, _, _ = office.break_some(
            feed,
            f"{stem}_{office.day}.csv",
            header,
            rows[feed],
            entity_registers.FAULTS[feed],
            key=entity_registers.KEYS[feed],
            snapshot=True,
        )
        csv_file(office.drop, path, header, sent, encoding=encoding)


def _penalties(office: Office, made: Sequence[registry.Entity], records: entity_registers.Records) -> None:
    """Two deliveries; the second repeats the last decisions of the first."""
    feed, header = "market_supervision__penalties", filings.PENALTY_HEADER
    rows = filings.penalty_rows(office.world, made, records)
    cut = len(rows) * 4 // 5
    for name, part in ((office.before, rows[:cut]), (office.day, rows[cut - 5 :])):
        path, sent, _, _ = office.break_some(
            feed,
            f"frxzcf_{name}.csv",
            header,
            part,
            filings.PENALTY_FAULTS,
            key=("行政处罚决定书文号", "行政相对人名称"),
            append=True,
        )
        csv_file(office.drop, path, header, sent, encoding="gb18030")


def divisions(office: Office) -> None:
    """The 15 streets twice: GeoJSON in WGS84, and a zipped Shapefile in CGCS2000 with Chinese names."""
    feed = "planning__divisions"
    rings = geometry.rings()
    names = {s.code: s.name for s in office.world.streets}
    path = f"{FOLDERS[feed]}/xicheng_streets.geojson"
    features = [
        ({"name": names[code], "adcode": code, "level": "street", "synthetic": True}, ring)
        for code, ring in sorted(rings.items())
    ]
    geojson_file(office.drop, path, features)
    office.truth.inject(office.truth.open(feed, path), ("code",), [[c] for c in rings], (), np.random.default_rng(0),
                        key=("code",))  # fmt: skip
    path = f"{FOLDERS[feed]}/xicheng_streets_shp.zip"
    shapefile_zip(
        office.drop,
        path,
        "xicheng_streets",
        (("街道名称", "C", 30, 0), ("街道代码", "C", 12, 0), ("面积公顷", "N", 12, 2)),
        [(names[code], code, geometry.area_ha(ring)) for code, ring in sorted(rings.items())],
        [ring for _, ring in sorted(rings.items())],
        office.world.as_of,
    )
    office.truth.inject(office.truth.open(feed, path), ("code",), [[c] for c in rings], (), np.random.default_rng(0),
                        key=("code",))  # fmt: skip


def hotline(office: Office) -> None:
    """Work orders as known on the last evening but one, then the last day's events; messages likewise."""
    world, key = office.world, ("工单编号",)
    feed, header = "hotline__work_orders", calls.HEADER
    orders = calls.make_orders(world, office.contacts)
    evening = datetime.combine(world.as_of - timedelta(days=1), time(22))
    base = calls.order_rows(world, orders, office.contacts, known_at=evening)
    path, sent, _, _ = office.break_some(feed, f"gd_{office.before}.csv", header, base, calls.FAULTS, key=key)
    csv_file(office.drop, path, header, sent, encoding="utf-8-sig")
    later = calls.order_rows(world, orders, office.contacts, known_at=evening + timedelta(days=1), since=evening)
    path, sent, _, _ = office.break_some(feed, f"gd_{office.day}.csv", header, later, calls.FAULTS, key=key)
    csv_file(office.drop, path, header, sent, encoding="utf-8-sig")
    feed, header, key = "hotline__messages", messages.HEADER, ("留言编号",)
    base, fresh = messages.message_rows(world, office.contacts)
    for name, rows in ((office.before, base), (office.day, fresh)):
        path, sent, _, _ = office.break_some(feed, f"messages_{name}.csv", header, rows, messages.FAULTS, key=key)
        csv_file(office.drop, path, header, sent, eol="\n")


def statistics(office: Office) -> None:
    """The yearbook sheet and its revision; monthly price indices and the latest months again.

    Rows of the sheet are counted in values, as it is unpivoted.
    """
    world, feed = office.world, "statistics__indicators"
    rows = macro.indicator_rows(world)
    deliveries = (
        (f"indicators_{world.as_of.year - 1}.xlsx", rows, "主要经济社会指标"),
        (f"indicators_{world.as_of.year - 1}_修订.xlsx", macro.revision_rows(world, rows), "主要经济社会指标（修订）"),
    )
    for name, part, title in deliveries:
        place = macro.in_sheet(part)
        path, sent, _, file = office.break_some(
            feed, name, macro.LONG_HEADER, part, macro.INDICATOR_FAULTS, key=("指标", "年份"), place=place
        )
        header, wide = macro.widen(sent)
        office.truth.footer(file, len(wide) + 1)
        yearbook_workbook(
            office.drop, path, title=f"西城区{title}", header=header, rows=wide, day=world.as_of,
            note="注：除已公布数字外均为虚构的演示数据。",
        )  # fmt: skip
    feed, rows = "statistics__cpi", macro.cpi_rows(world)
    for name, part in ((office.before[:6], rows[1:]), (office.day, rows[:3])):
        path, sent, _, _ = office.break_some(
            feed, f"cpi_{name}.json", macro.CPI_HEADER, part, macro.CPI_FAULTS, key=("report_month",)
        )
        json_file(office.drop, path, {"result": {"data": [macro.cpi_record(r) for r in sent]}})
