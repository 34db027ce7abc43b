"""The city's sensors: their register, and a gateway's daily file of levels, tilts, gas and noise.

The storm is that of the rain gauges: low-lying points fill with it and drain slowly, a few manhole covers lift.
A device measures one quantity. Some devices fall silent for hours, one drifts out of its range.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from demo import rain
from demo.deliveries import Office
from demo.faults import DUPLICATE, Fault, RawRow, Row, put, rewrite, swap
from demo.geometry import spread
from demo.world import Street, World
from demo.writers import csv_file

SENSORS_HEADER = (
    "设备编号", "设备名称", "设备类型", "计量单位", "量程下限", "量程上限", "采样间隔秒",
    "安装日期", "检定日期", "停用日期", "所属街道", "经度", "纬度",
)  # fmt: skip
SENSORS_FAULTS: tuple[Fault, ...] = (
    put("wrong_code", "设备类型", "温湿度仪"),
    put("impossible_date", "检定日期", "2026-02-30"),
    swap("swapped_coordinates", "经度", "纬度"),
    rewrite("missing_required", "设备名称", lambda _: ""),
    swap("swapped_range", "量程下限", "量程上限"),
    put("calibrated_before_installed", "检定日期", "1999-01-01", "warned", needs="检定日期"),
)
GATEWAY_HEADER = ("device", "ts", "seq", "value", "bat")
GATEWAY_FAULTS: tuple[Fault, ...] = (
    put("not_a_number", "value", "ERR"),
    put("missing_required", "value", "NaN"),
    put("impossible_date", "ts", "2026-06-31T08:00:00+08:00"),
    DUPLICATE,
    put("over_range", "bat", "187"),
)
OFFSET = timedelta(hours=8)


@dataclass(frozen=True)
class Kind:
    """A kind of device: how it is registered and how many a street has."""

    code: str
    prefix: str
    title: str
    label: str
    unit: str
    low: str
    high: str
    seconds: int
    per_street: int


KINDS = (
    Kind("rain_gauge", "RG", "雨量计", "雨量站", "mm", "0", "50", 300, 1),
    Kind("water_level", "WL", "积水点水位计", "积水点", "mm", "0", "2000", 300, 2),
    Kind("manhole_tilt", "MH", "井盖状态监测仪", "井盖", "°", "0", "180", 900, 4),
    Kind("manhole_methane", "MG", "井下可燃气体监测仪", "燃气阀井", "%LEL", "0", "100", 900, 1),
    Kind("noise", "NS", "噪声监测仪", "噪声点", "dB(A)", "20", "130", 900, 1),
)


@dataclass(frozen=True)
class Device:
    """One sensor of the register; ``gauge``: column of its street's rain gauge."""

    id: str
    name: str
    kind: Kind
    street: Street
    gauge: int
    longitude: str
    latitude: str


def devices(world: World) -> list[Device]:
    """All devices by kind and street; rain gauges stand where their own feed says they stand."""
    out = []
    gauges = rain.gauge_sites(world)
    for k, kind in enumerate(KINDS):
        for g, street in enumerate(world.streets):
            if kind.prefix == "RG":
                out.append(Device(gauges[g][0], gauges[g][1], kind, street, g, gauges[g][2], gauges[g][3]))
                continue
            sites = spread(street.code, 10)[k * 2 - 2 : k * 2 - 2 + kind.per_street]
            short = street.name.removesuffix("街道")
            for n, (x, y) in enumerate(sites.tolist()):
                number = g * kind.per_street + n + 1
                name = f"{short}{kind.label}{n + 1}" if kind.per_street > 1 else f"{short}{kind.label}"
                out.append(Device(f"XC-{kind.prefix}-{number:03d}", name, kind, street, g, f"{x:.6f}", f"{y:.6f}"))
    return out


def sensor_rows(world: World, made: list[Device]) -> list[Row]:
    """The register; row grain: one device."""
    rng = world.rng("sensors")
    rows = []
    for d in made:
        installed = world.as_of - timedelta(days=int(rng.integers(400, 2600)))
        calibrated = world.as_of - timedelta(days=int(rng.integers(20, 380)))
        rows.append(
            [
                d.id, d.name, d.kind.title, d.kind.unit, d.kind.low, d.kind.high, str(d.kind.seconds),
                installed.isoformat(), calibrated.isoformat(), "", d.street.name, d.longitude, d.latitude,
            ]
        )  # fmt: skip
    return rows


def recalibrated(world: World, rows: list[Row], touched: set[int]) -> list[Row]:
    """A later extract: every tenth device calibrated last week, one taken out of service."""
    day = world.as_of - timedelta(days=7)
    out = [[*r[:8], day.isoformat(), *r[9:]] for i, r in enumerate(rows) if i % 10 == 3 and i not in touched]
    out[-1][9] = (world.as_of - timedelta(days=1)).isoformat()
    return out


def day_rows(world: World) -> list[tuple[date, list[Row]]]:
    """For each day the gateway's readings, device by device; rain gauges report by themselves."""
    rng = world.rng("gateway")
    first = rain.first_day(world).replace(tzinfo=None)
    depth = rain.depths(world)
    days: list[list[Row]] = [[] for _ in range(rain.DAYS)]
    for n, device in enumerate(d for d in devices(world) if d.kind.prefix != "RG"):
        step = device.kind.seconds // 300
        values = _values(rng, device, depth[:, device.gauge], n)[::step]
        texts = [f"{v:.1f}" for v in values.tolist()]
        silent = _silent(rng, len(texts))
        sequence, battery = int(rng.integers(1_000, 60_000)), 60 + 38 * float(rng.random())
        per_day = len(texts) // rain.DAYS
        for k, text in enumerate(texts):
            if not silent[k]:
                stamp = _stamp(first + timedelta(seconds=k * device.kind.seconds))
                row = RawRow([device.id, stamp, str(sequence + k), text, f"{battery - k * 0.004:.1f}"])
                days[k // per_day].append(row)
    return [((first + timedelta(days=i)).date(), rows) for i, rows in enumerate(days)]


def _stamp(at: datetime) -> str:
    return f"{at.isoformat()}+08:00"


def _silent(rng: np.random.Generator, count: int) -> NDArray[np.bool_]:
    """Readings that never arrive: single ones, and for one device in eight an outage of hours."""
    lost = rng.random(count) < 0.004
    if rng.random() < 0.125:
        start = int(rng.integers(count * 3 // 4))
        lost[start : start + count // 16] = True
    return lost


def _values(rng: np.random.Generator, device: Device, depth: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """What a device measures, every five minutes."""
    slots = len(depth)
    hour = np.arange(slots) / 12 % 24
    if device.kind.prefix == "WL":
        return _ponding(depth, float(rng.uniform(0.5, 2.4)), rng)
    if device.kind.prefix == "MH":
        tilt = np.abs(rng.normal(0.8, 0.4, slots))
        if number % 17 == 0:  # lifted by the storm, put back some hours later
            start = int(np.argmax(depth)) + int(rng.integers(4, 16))
            tilt[start : start + int(rng.integers(18, 60))] += float(rng.uniform(35, 80))
        return tilt
    if device.kind.prefix == "MG":
        gas = np.abs(rng.normal(1.2, 0.7, slots))
        if number % 5 == 0:
            start = int(rng.integers(slots // 4, slots // 2))
            bump = np.exp(-(((np.arange(slots) - start) / 30.0) ** 2)) * float(rng.uniform(18, 62))
            gas = gas + bump
        return gas
    busy = 6.5 * np.exp(-((hour - 8.5) ** 2) / 14) + 6.0 * np.exp(-((hour - 18.5) ** 2) / 16)
    level = 48 + 4 * float(rng.random()) + busy + rng.normal(0, 1.6, slots) + 0.9 * np.minimum(depth, 8)
    if number % 4 == 0:
        level = level + np.where((hour >= 22) | (hour < 2), 9.0, 0.0)  # a building site at night
    return np.asarray(level)


def _ponding(depth: NDArray[np.float64], share: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Water standing at a low point in mm: what runs in above the drain's capacity, less what drains."""
    level, out = 0.0, np.empty(len(depth))
    for k, fallen in enumerate(depth.tolist()):
        level = max(0.0, level * 0.96 + share * 3.5 * max(fallen - 2.4, 0.0) - 1.5)
        out[k] = level
    return out + np.abs(rng.normal(0, 0.6, len(depth)))


def deliver(office: Office) -> None:
    """The register twice, and one gateway file a day; each begins with the last minutes of the day before."""
    world = office.world
    made = devices(world)
    rows = sensor_rows(world, made)
    feed, key = "city_sensing__sensors", ("设备编号",)
    path, sent, touched, _ = office.break_some(
        feed, f"sensors_{office.before}.csv", SENSORS_HEADER, rows, SENSORS_FAULTS, key=key
    )
    csv_file(office.drop, path, SENSORS_HEADER, sent, encoding="utf-8-sig")
    changes = recalibrated(world, rows, touched)
    path, sent, _, _ = office.break_some(feed, f"sensors_{office.day}.csv", SENSORS_HEADER, changes, (), key=key)
    csv_file(office.drop, path, SENSORS_HEADER, sent, encoding="utf-8-sig")
    before: list[Row] = []
    for day, part in day_rows(world):
        path, sent, _, _ = office.break_some(
            "city_sensing__gateway", f"gateway_{day:%Y%m%d}.csv", GATEWAY_HEADER, [*before, *part], GATEWAY_FAULTS,
            key=("device", "ts", "seq"), append=True,
        )  # fmt: skip
        csv_file(office.drop, path, GATEWAY_HEADER, sent, eol="\n")
        before = part[-12:]
