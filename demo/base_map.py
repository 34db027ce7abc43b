"""The base map's offices: surveyed features, city components, cameras, points of interest, compounds, grid cells.

Shapes are invented and lie in the synthetic streets. Buildings stand on the doors of the address register, so that the
layers agree with the addresses; a few cross themselves, are empty, overlap, or stand at 0,0, as in real deliveries.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo import geometry
from demo.deliveries import FOLDERS, Office
from demo.faults import DUPLICATE, Fault, Row, put, rewrite, swap
from demo.geometry import community_polygons, street_polygons, to_bd09, to_gcj02
from demo.places import Doors, Places
from demo.world import World, word_list
from demo.writers import csv_file, geojson_file, json_file

MAX_BUILDINGS = 30_000
METRE_LON, METRE_LAT = 1 / 85_400.0, 1 / 111_000.0
"""Degrees of a metre in Xicheng, near enough for shapes."""
FEATURE_HEADER = (
    "要素编码", "图层", "名称", "类别", "层数", "高度米", "宽度米", "精度米", "启用日期", "注销日期", "测绘日期",
    "geometry",
)  # fmt: skip
NUMBERS = frozenset({"层数", "高度米", "宽度米", "精度米"})
COMPONENT_HEADER = ("部件编码", "部件类别", "状态", "权属单位", "启用日期", "拆除日期", "普查日期", "X", "Y")
CAMERA_HEADER = ("点位编码", "点位名称", "类型", "启用日期", "停用日期", "经度", "纬度")
POI_HEADER = ("编码", "名称", "分类", "地址", "经度", "纬度", "采集日期")
COMPOUND_HEADER = ("name", "address", "x", "y", "roomnum", "gcj02lng", "gcj02lat", "wgs84lng", "wgs84lat")
COMMUNITY_HEADER = ("street_code9", "street_name_nbs", "street_short_local", "community_name")
GRID_HEADER = ("网格编码", "网格名称", "社区编码", "geometry")

COMPONENT_FAULTS: tuple[Fault, ...] = (
    put("wrong_code", "部件类别", "井盖儿"),
    swap("swapped_coordinates", "X", "Y"),
    put("impossible_date", "普查日期", "2026-02-30"),
    DUPLICATE,
    rewrite("zero_coordinates", "Y", lambda _: "0"),
)
POI_FAULTS: tuple[Fault, ...] = (
    put("wrong_code", "分类", "未分类"),
    rewrite("missing_required", "名称", lambda _: ""),
    swap("swapped_coordinates", "经度", "纬度"),
)
CAMERA_FAULTS: tuple[Fault, ...] = (
    rewrite("missing_coordinate", "经度", lambda _: ""),
    swap("swapped_coordinates", "经度", "纬度"),
    put("removed_before_installed", "停用日期", "2001-01-01", "warned", needs="停用日期"),
)


def _crossed(text: str) -> str:
    """A ring whose third and fourth corners have changed places: it crosses itself."""
    shape = json.loads(text)
    ring = shape["coordinates"][0]
    ring[2], ring[3] = ring[3], ring[2]
    return json.dumps(shape, separators=(",", ":"))


BUILDING_FAULTS: tuple[Fault, ...] = (
    rewrite("self_crossing", "geometry", _crossed, "loaded"),
    put("empty_geometry", "geometry", "null"),
    put("wrong_code", "图层", "构筑物"),
    put("impossible_date", "测绘日期", "2026-06-31"),
)


def deliver(office: Office) -> None:
    """All files of the base map."""
    places = Places(office.world)
    doors = [places.doors(c) for c in office.world.communities]
    _features(office, doors)
    _components(office)
    _cameras(office)
    _points_of_interest(office, doors)
    _compounds(office, doors)
    _communities(office)
    _grid_cells(office)


def _features(office: Office, doors: list[Doors]) -> None:
    """One GeoJSON file a layer, and later buildings that replace some of the first delivery's."""
    world, feed = office.world, "planning__base_map"
    buildings = building_rows(world, doors)
    layers = (
        (f"{office.before}_buildings", buildings, BUILDING_FAULTS),
        (f"{office.before}_green_water", [*green_rows(world), *water_rows(world)], ()),
        (f"{office.before}_roads", road_rows(world), ()),
        (f"{office.day}_buildings", _demolished(world, buildings), ()),
    )
    for name, rows, faults in layers:
        path, sent, _, _ = office.break_some(feed, f"{name}.geojson", FEATURE_HEADER, rows, faults, key=("要素编码",))
        json_file(office.drop, path, _collection(FEATURE_HEADER, sent))


def _collection(header: Sequence[str], rows: list[Row]) -> dict[str, Any]:
    """Records as a GeoJSON document; the last cell is the geometry, empty cells are absent values."""

    def value(name: str, text: str) -> Any:
        return None if text == "" else float(text) if name in NUMBERS else text

    return {
        "type": "FeatureCollection",
        "synthetic": True,
        "features": [
            {
                "type": "Feature",
                "properties": {n: value(n, v) for n, v in zip(header[:-1], row[:-1], strict=True)},
                "geometry": json.loads(row[-1]),
            }
            for row in rows
        ],
    }


def _shape(kind: str, coordinates: Any) -> str:
    return json.dumps({"type": kind, "coordinates": coordinates}, separators=(",", ":"))


def _rectangles(xy: NDArray[Any], east_m: NDArray[Any], north_m: NDArray[Any], turn: NDArray[Any]) -> NDArray[Any]:
    """Closed rings around points: count × 5 × 2 degrees, rounded to a centimetre."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) / 2
    east = corners[None, :, 0] * east_m[:, None]
    north = corners[None, :, 1] * north_m[:, None]
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    lon = xy[:, None, 0] + (east * cos - north * sin) * METRE_LON
    lat = xy[:, None, 1] + (east * sin + north * cos) * METRE_LAT
    return np.round(np.stack([lon, lat], axis=-1), 7)


def building_rows(world: World, doors: list[Doors]) -> list[Row]:
    """A building a door, but none within 32 m of another one; row grain: one building."""
    xy = np.concatenate([np.stack([d.lon, d.lat], axis=1) for d in doors])
    names = [f"{d.lane[i]}{d.number[i]}" for d in doors for i in range(len(d.lane))]
    streets = np.repeat([d.community.street.code for d in doors], [len(d.lane) for d in doors])
    # one building a block of 44 m, its middle within 7 m of the block's: corners 15 m off never meet another building's
    block = np.array([44 * METRE_LON, 44 * METRE_LAT])
    middles = (np.floor(xy / block) + 0.5) * block
    _, chosen = np.unique(np.floor(xy / block).astype(np.int64), axis=0, return_index=True)
    chosen = np.sort(chosen)[:MAX_BUILDINGS]
    xy = middles + (xy - middles).clip((-7 * METRE_LON, -7 * METRE_LAT), (7 * METRE_LON, 7 * METRE_LAT))
    rng = world.rng("buildings")
    n = len(chosen)
    floors = rng.choice([1, 2, 5, 6, 12, 18, 24], n, p=[0.3, 0.08, 0.12, 0.3, 0.1, 0.07, 0.03])
    rings = _rectangles(xy[chosen], rng.uniform(8, 22, n), rng.uniform(8, 20, n), rng.normal(0.03, 0.05, n))
    kinds = np.where(floors == 1, "平房", np.where(floors <= 6, "多层", "高层"))
    years = rng.integers(1955, 2020, n)
    surveyed = world.as_of - timedelta(days=200)
    return [
        [
            f"B{streets[k]}{i:06d}", "building", names[k], str(kinds[i]), str(floors[i]), f"{floors[i] * 3.1:.1f}", "",
            "0.5", f"{years[i]}-07-01", "", surveyed.isoformat(), _shape("Polygon", [rings[i].tolist()]),
        ]
        for i, k in enumerate(chosen.tolist())
    ]  # fmt: skip


def _demolished(world: World, rows: list[Row]) -> list[Row]:
    """A few buildings a month later: pulled down, or measured again half a metre off."""
    day = (world.as_of - timedelta(days=30)).isoformat()
    out = []
    for i, row in enumerate(rows):
        if i % 97 == 11:
            out.append([*row[:9], (world.as_of - timedelta(days=60)).isoformat(), day, row[11]])
        elif i % 211 == 17:
            out.append([*row[:5], row[5], *row[6:10], day, row[11]])
    return out


def road_rows(world: World) -> list[Row]:
    """A line for each lane with a name of its street; row grain: one road in one street."""
    import shapely

    rng = world.rng("roads")
    out: list[Row] = []
    for street in world.streets:
        area = street_polygons()[street.code]
        names = word_list("streets.yaml")["streets"][int(street.code)]["lanes"]
        sites = geometry.spread(street.code, len(names))
        for name, (x, y) in zip(names, sites.tolist(), strict=True):
            big = str(name).endswith(("大街", "路"))
            angle = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.05)
            half = float(rng.uniform(300, 700) if big else rng.uniform(80, 220))
            ends = [
                (x + s * half * np.cos(angle) * METRE_LON, y + s * half * np.sin(angle) * METRE_LAT) for s in (-1, 1)
            ]
            line = shapely.LineString([ends[0], (x, y), ends[1]]).intersection(area)
            part = max(getattr(line, "geoms", [line]), key=lambda g: g.length)
            coordinates = [[round(a, 7), round(b, 7)] for a, b in part.coords]
            out.append([
                f"R{street.code}{len(out):05d}", "road", str(name), "主次干路" if big else "胡同里巷", "", "",
                f"{rng.uniform(18, 40) if big else rng.uniform(3, 7):.1f}", "0.5", "1990-01-01", "",
                (world.as_of - timedelta(days=300)).isoformat(), _shape("LineString", coordinates),
            ])  # fmt: skip
    return out


def green_rows(world: World) -> list[Row]:
    """Four parks or gardens a street; row grain: one green space."""
    rng = world.rng("green")
    out: list[Row] = []
    for street in world.streets:
        for n, (x, y) in enumerate(geometry.spread(street.code, 14)[10:].tolist()):
            ring = _blob(rng, x, y, float(rng.uniform(25, 110)), street_polygons()[street.code])
            kind = ("公园", "游园", "街旁绿地", "小微绿地")[n]
            out.append([
                f"G{street.code}{n:03d}", "green", f"{street.name.removesuffix('街道')}{kind}", kind, "", "", "", "1.0",
                "2015-05-01", "", (world.as_of - timedelta(days=100)).isoformat(), _shape("Polygon", [ring]),
            ])  # fmt: skip
    return out


LAKES = (
    ("西海", 116.3725, 39.9475, 150), ("后海", 116.3800, 39.9425, 210), ("前海", 116.3885, 39.9375, 170),
    ("陶然亭湖", 116.3765, 39.8725, 160),
)  # fmt: skip


def water_rows(world: World) -> list[Row]:
    """Lakes roughly where the district's are, their shores invented; row grain: one water body."""
    from shapely import union_all

    rng = world.rng("water")
    district = union_all(list(street_polygons().values()))
    day = (world.as_of - timedelta(days=100)).isoformat()
    return [
        [
            f"W110102{n:04d}", "water", name, "湖泊", "", "", "", "1.0", "1900-01-01", "", day,
            _shape("Polygon", [_blob(rng, x, y, radius, district)]),
        ]
        for n, (name, x, y, radius) in enumerate(LAKES)
    ]  # fmt: skip


def _blob(rng: np.random.Generator, x: float, y: float, radius_m: float, within: Any) -> list[list[float]]:
    """A rounded ring about a point, cut to ``within``."""
    import shapely

    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = radius_m * (1 + 0.18 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.1 * np.sin(3 * turn + rng.uniform(0, 6)))
    shape = shapely.Polygon(np.stack([x + radius * np.cos(turn) * METRE_LON, y + radius * np.sin(turn) * METRE_LAT], 1))
    cut = shape.intersection(within)
    part = max(getattr(cut, "geoms", [cut]), key=lambda g: g.area)
    return [[round(a, 7), round(b, 7)] for a, b in part.exterior.coords]


def _sites(world: World, name: str, per_community: float) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Points around each community's centre, inside its street, WGS84."""
    for street in world.streets:
        own = [c for c in world.communities if c.street == street]
        centres = geometry.spread(street.code, len(own))
        for community, centre in zip(own, centres, strict=True):
            rng = world.rng(name, community.index)
            yield community, geometry.scatter(rng, street.code, centre, max(1, round(per_community)))


KINDS = (
    ("井盖", "排水集团"), ("路灯", "城市照明中心"), ("果皮箱", "环卫中心"), ("消火栓", "消防救援支队"),
    ("候车亭", "公交集团"), ("护栏", "交通设施管理处"),
)  # fmt: skip


def _components(office: Office) -> None:
    """City components in BD-09, GB18030; a month later some are gone."""
    world, feed = office.world, "urban_management__components"
    surveyed = (world.as_of - timedelta(days=90)).isoformat()
    rows: list[Row] = []
    for community, xy in _sites(world, "components", max(4.0, world.residents / len(world.communities) * 0.05)):
        rng = world.rng("components/kind", community.index)
        lon, lat = to_bd09(xy[:, 0], xy[:, 1])
        for i, k in enumerate(rng.choice(len(KINDS), len(lon), p=[0.4, 0.25, 0.2, 0.06, 0.04, 0.05]).tolist()):
            installed = world.as_of - timedelta(days=int(rng.integers(200, 6000)))
            rows.append([
                f"{community.code}{len(rows):07d}", KINDS[k][0], "完好" if rng.random() > 0.03 else "破损", KINDS[k][1],
                installed.isoformat(), "", surveyed, f"{lon[i]:.7f}", f"{lat[i]:.7f}",
            ])  # fmt: skip
    key = ("部件编码",)
    path, sent, touched, _ = office.break_some(
        feed, f"bujian_{office.before}.csv", COMPONENT_HEADER, rows, COMPONENT_FAULTS, key=key
    )
    csv_file(office.drop, path, COMPONENT_HEADER, sent, encoding="gb18030")
    gone, seen = (world.as_of - timedelta(days=20)).isoformat(), (world.as_of - timedelta(days=10)).isoformat()
    later = [
        [*r[:2], "拆除", *r[3:5], gone, seen, *r[7:]] for i, r in enumerate(rows) if i % 61 == 7 and i not in touched
    ]
    path, sent, _, _ = office.break_some(feed, f"bujian_{office.day}.csv", COMPONENT_HEADER, later, (), key=key)
    csv_file(office.drop, path, COMPONENT_HEADER, sent, encoding="gb18030")


def _cameras(office: Office) -> None:
    world, feed = office.world, "public_security__cameras"
    rows: list[Row] = []
    for community, xy in _sites(world, "cameras", 2):
        rng = world.rng("cameras/kind", community.index)
        lon, lat = to_gcj02(xy[:, 0], xy[:, 1])
        for i in range(len(lon)):
            installed = world.as_of - timedelta(days=int(rng.integers(100, 3500)))
            removed = (world.as_of - timedelta(days=30)).isoformat() if rng.random() < 0.05 else ""
            rows.append([
                f"XC{community.code}{i:03d}", f"{community.name.removesuffix('社区')}{i + 1}号点位",
                "球机" if rng.random() < 0.4 else "枪机", installed.isoformat(), removed,
                f"{lon[i]:.6f}", f"{lat[i]:.6f}",
            ])  # fmt: skip
    path, sent, _, _ = office.break_some(
        feed, f"cameras_{office.day}.csv", CAMERA_HEADER, rows, CAMERA_FAULTS, key=("点位编码",)
    )
    csv_file(office.drop, path, CAMERA_HEADER, sent, encoding="utf-8-sig")


POI_KINDS = (
    ("学校", ("第一小学", "实验小学", "中学")), ("医院诊所", ("社区卫生服务站", "诊所")), ("政务服务", ("政务服务站",)),
    ("文化场馆", ("文化活动中心", "图书室")), ("商店超市", ("便民超市", "菜站")), ("餐饮", ("小吃店", "餐厅")),
    ("银行网点", ("储蓄所",)), ("养老服务", ("养老服务驿站",)),
)  # fmt: skip


def _points_of_interest(office: Office, doors: list[Doors]) -> None:
    """Points of interest at doors, GCJ-02; some are within a metre or two of one of the same name."""
    world, feed = office.world, "planning__poi"
    rows: list[Row] = []
    for d in doors:
        rng = world.rng("poi", d.community.index)
        for i in rng.choice(len(d.lane), min(6, len(d.lane)), replace=False).tolist():
            kind, ends = POI_KINDS[int(rng.integers(len(POI_KINDS)))]
            name = f"{d.community.name.removesuffix('社区')}{ends[int(rng.integers(len(ends)))]}"
            lon, lat = (float(v[0]) for v in to_gcj02(d.lon[i : i + 1], d.lat[i : i + 1]))
            day = (world.as_of - timedelta(days=int(rng.integers(40, 700)))).isoformat()
            rows.append([f"P{len(rows):07d}", name, kind, d.short(i), f"{lon:.6f}", f"{lat:.6f}", day])
            if rng.random() < 0.02:  # the same place collected twice
                rows.append([f"P{len(rows):07d}", name, kind, d.short(i), f"{lon + 0.000009:.6f}", f"{lat:.6f}", day])
    path, sent, _, _ = office.break_some(feed, f"poi_{office.day}.csv", POI_HEADER, rows, POI_FAULTS, key=("编码",))
    csv_file(office.drop, path, POI_HEADER, sent, encoding="utf-8", eol="\n")


def _compounds(office: Office, doors: list[Doors]) -> None:
    """Residential compounds as a housing site lists them: households as text, x and y the wrong way round."""
    found: dict[tuple[str, str], list[tuple[Any, int]]] = defaultdict(list)
    for d in doors:
        for i, number in enumerate(d.number):
            if number.endswith("号楼") and "号院" not in number:
                found[d.community.street.name, d.lane[i]].append(((d.lon[i], d.lat[i]), 30 + 7 * (i % 9)))
    rows: list[Row] = []
    for (street, name), buildings in sorted(found.items()):
        lon, lat = np.mean([b[0] for b in buildings], axis=0)
        gx, gy = (float(v[0]) for v in to_gcj02(np.array([lon]), np.array([lat])))
        households = f"{sum(b[1] for b in buildings)}户" if len(rows) % 6 else "暂无数据"
        rows.append([
            name, f"［西城-{street.removesuffix('街道')}］{name}1号楼", f"{gy:.6f}", f"{gx:.6f}", households,
            f"{gx:.6f}", f"{gy:.6f}", f"{lon:.7f}", f"{lat:.7f}",
        ])  # fmt: skip
    feed, header = "planning__residential_compounds", COMPOUND_HEADER
    path, sent, _, _ = office.break_some(
        feed, f"compounds_{office.day}.json", header, rows, (), key=("name", "address")
    )
    records = [{k: float(v) if "84" in k or "02" in k else v for k, v in zip(header, r, strict=True)} for r in sent]
    json_file(office.drop, path, records)


def _communities(office: Office) -> None:
    """The list of communities, and their polygons beside those of the streets."""
    world, feed = office.world, "planning__communities"
    short = {"广安门内街道": "广内街道", "广安门外街道": "广外街道"}
    rows: list[Row] = [
        [c.street.code, c.street.name, short.get(c.street.name, c.street.name), c.name] for c in world.communities
    ]
    key = ("street_code9", "community_name")
    path, sent, _, _ = office.break_some(
        feed, f"communities_{office.day}.csv", COMMUNITY_HEADER, rows, (), key=key, snapshot=True
    )
    csv_file(office.drop, path, COMMUNITY_HEADER, sent, eol="\n")
    shapes, feed = community_polygons(world), "planning__divisions"
    path = f"{FOLDERS[feed]}/xicheng_communities.geojson"
    names = {c.code: c.name for c in world.communities}
    features = [
        ({"name": names[code], "adcode": code, "level": "community", "synthetic": True}, _ring(shape))
        for code, shape in sorted(shapes.items())
    ]
    geojson_file(office.drop, path, features)
    codes = [[c] for c in sorted(shapes)]
    office.truth.inject(office.truth.open(feed, path), ("code",), codes, (), np.random.default_rng(0), key=("code",))


def _ring(shape: Any) -> list[tuple[float, float]]:
    return [(round(x, 7), round(y, 7)) for x, y in shape.exterior.coords]


def _grid_cells(office: Office) -> None:
    """Two or three urban-management cells a community, its polygon shared among them."""
    world, feed = office.world, "urban_management__grid_cells"
    shapes = community_polygons(world)
    rows: list[Row] = []
    for community in world.communities:
        parts = _shares(shapes[community.code], 3 if community.index % 3 == 0 else 2)
        for n, part in enumerate(parts, start=1):
            rows.append([
                f"{community.code}{n:02d}", f"{community.name.removesuffix('社区')}第{n}网格", community.code,
                _shape("Polygon", [[list(p) for p in _ring(part)]]),
            ])  # fmt: skip
    path, sent, _, _ = office.break_some(feed, f"grid_{office.day}.geojson", GRID_HEADER, rows, (), key=("网格编码",))
    json_file(office.drop, path, _collection(GRID_HEADER, sent))


def _shares(area: Any, count: int) -> list[Any]:
    """A polygon cut into ``count`` strips along its longer side."""
    from shapely import box, set_precision

    west, south, east, north = area.bounds
    wide = (east - west) / METRE_LON > (north - south) / METRE_LAT
    cuts = np.round(np.linspace(west, east, count + 1) if wide else np.linspace(south, north, count + 1), 7)
    cuts[0], cuts[-1] = cuts[0] - 1e-4, cuts[-1] + 1e-4
    out = []
    for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        strip = box(low, south, high, north) if wide else box(west, low, east, high)
        cut = set_precision(area.intersection(strip), 1e-7)
        out += [g for g in getattr(cut, "geoms", [cut]) if g.geom_type == "Polygon" and not g.is_empty]
    return out
