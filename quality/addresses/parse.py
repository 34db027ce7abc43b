"""Takes a Beijing address apart into the elements of GB/T 23705 and GB/T 39609.

An address is an area (province, city, district, street, community), a basic restriction (lane or compound) and a
local point (house number, building, unit, floor, room). The grammar is rules, no learned model: nothing of what it
was tried on travels with it. Real lists of addresses (``薜家胡同单号1-37，双号8-66号``) go through
``quality.addresses.areas``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from quality.addresses.text import STEMS, normalise

PROVINCES = (
    "天津|河北|山西|内蒙古|辽宁|吉林|黑龙江|上海|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|广西|海南|重庆|"
    "四川|贵州|云南|西藏|陕西|甘肃|青海|宁夏|新疆|香港|澳门|台湾"
)
BEIJING_DISTRICTS = (
    "东城区|西城区|崇文区|宣武区|朝阳区|丰台区|石景山区|海淀区|门头沟区|房山区|通州区|顺义区|昌平区|大兴区|怀柔区|"
    "平谷区|密云区|密云县|延庆区|延庆县"
)
HERE = ("西城区", "宣武区")
"""The district, and the one that was joined to it on 2010-07-01 (110104 → 110102)."""

_OTHER = re.compile(
    rf"^(?:中国)?(?P<prov>(?:{PROVINCES})(?:省|市|维吾尔自治区|壮族自治区|回族自治区|自治区|特别行政区)?)"
    r"(?P<city>[一-龥]{2,6}?(?:市|地区|自治州|盟)(?!口|胡同))?(?P<district>[一-龥]{1,6}?(?:区|县|旗|市))?"
)
_CITY = re.compile(r"^(?P<city>(?!北京)[一-龥]{2,3}市)(?P<district>[一-龥]{1,4}?(?:区|县|市|镇))")
_BEIJING = re.compile(rf"^(?:中国)?(?P<city>北京市?)?(?:市辖区)?(?P<district>{BEIJING_DISTRICTS}|西城|宣武(?!门))?")
_STREET = re.compile(r"^(?P<street>[一-龥]{2,6}?)(?:街道|地区)(?:办事处)?(?![0-9甲乙丙丁])")
_COMMUNITY = re.compile(r"^(?P<community>[一-龥0-9、]{2,14}?)社区(?:居委会|居民委员会)?")
_NAME = re.compile(r"[^0-9A-Za-z(),、:#-]+?(?=(?:[" + STEMS + r"]|新|旧|学|临|地下)?[0-9A-Za-z]|[(),、:#-]|$)")
_BRACKET = re.compile(r"\(([^()]*)\)?")
_TOKEN = re.compile(
    r"(?P<stem>["
    + STEMS
    + r"]|新|旧|附|临|学)?(?P<number>[A-Za-z]?\d{1,5}(?:之\d+)?|[A-Za-z](?![A-Za-z]))(?P<more>(?:[-、/]\d{1,5})*)"
    r"(?P<kind>号院内?|号大院|大院|院|号宿舍楼|号住宅楼|号公寓|号塔楼|塔楼|号楼|#楼|号旁门|号平房|号门|号|楼|栋|幢|座|单元|门|层|排|室|户|房|#|巷)?"
)
_YARD = ("号院", "号院内", "号大院", "大院", "院")
_BUILDING = ("号楼", "#楼", "楼", "栋", "幢", "座", "号宿舍楼", "号住宅楼", "号公寓", "号塔楼", "塔楼", "排", "#")
_DOOR = ("号", "号旁门", "号平房")
_ROAD_END = (
    "街",
    "路",
    "胡同",
    "巷",
    "条",
    "道",
    "夹道",
    "沿",
    "桥",
    "门",
    "口",
    "岔",
    "斜街",
    "东",
    "西",
    "南",
    "北",
    "间",
    "营",
)


class Elements(BaseModel):
    """The elements of one address; empty where the address does not say.

    Attributes:
        province, city, district: as written; a text that names none is taken to lie in the district.
        street, community: names without 街道, 社区.
        name: lane or compound, short forms not written out.
        stem: 甲, 乙 … before the house number.
        number: house number; ``number_to`` its end where a range is given.
        kind: ``door`` (号), ``yard`` (号院) or ``building`` where the first number is that of a building.
        building, unit, floor, room: what follows, without counters.
        alias: what stands in brackets after the number, mostly the name of a compound.
        rest: what no rule took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    province: str = ""
    city: str = ""
    district: str = ""
    street: str = ""
    community: str = ""
    name: str = ""
    stem: str = ""
    number: int | None = None
    number_to: int | None = None
    kind: str = ""
    building: str = ""
    unit: str = ""
    floor: str = ""
    room: str = ""
    alias: str = ""
    rest: str = ""

    @property
    def is_here(self) -> bool:
        """False where the address names another district, city or province."""
        return self.province == "" and self.district in ("", "西城", "宣武", *HERE)


@lru_cache(maxsize=4096)
def parse(text: str | None) -> Elements:
    """The elements of one address.

    Args:
        text: one address as people write it; anything, empty included. Lists of numbers belong to ``areas.pieces``.

    Returns:
        Elements; empty ones where nothing was recognised. Never raises on account of the text.
    """
    text = normalise(text)
    found: dict[str, str | int | None] = {}
    position = take_area(text, found)
    match = _NAME.match(text, position)
    if match:
        found["name"], position = match.group(), match.end()
    position = _local(text, position, found)
    rest = text[position:].strip(",、:()-#")
    if rest and not found.get("alias") and not re.search(r"\d", rest) and len(rest) <= 12:
        found["alias"], rest = rest, ""
    return Elements.model_validate({**found, "rest": rest[:40]})


class Door(NamedTuple):
    """Where at a lane: stem, number and building of `Elements`."""

    stem: str
    number: int | None
    building: str


def read_door(name: str, local: str) -> tuple[str, Door]:
    """Name and door of ``parse(name + local)``.

    A library has many doors with few ways to write what follows the lane (12号院3号楼): each plain one is read once.
    """
    door = plain_local(local)
    if door is not None and is_plain_lane(name):
        return name, door
    found = parse(name + local)
    return found.name, Door(found.stem, found.number, found.building)


# A name of characters only ends before the first digit, or before 甲 to 丁 and a digit; what follows is read without
# looking back. Other stems would not keep 某某地区 from being read as an area; other words (社区) might be one.
_PLAIN_LANE = re.compile(r"[一-龥]{2,40}")
_PLAIN_LOCAL = re.compile(r"[甲乙丙丁]?[0-9][0-9甲乙丙丁号院楼]{0,40}")


@lru_cache(maxsize=65536)
def is_plain_lane(name: str) -> bool:
    """Whether ``name`` is the name of any address that begins with it and goes on with a `plain_local`."""
    return _PLAIN_LANE.fullmatch(name) is not None and parse(f"{name}1号").name == name


@lru_cache(maxsize=65536)
def plain_local(local: str) -> Door | None:
    """The door of what follows a plain lane; None where that is not to be told without the lane."""
    if not _PLAIN_LOCAL.fullmatch(local):
        return None
    found = parse(f"某胡同{local}")
    return Door(found.stem, found.number, found.building)


def take_area(text: str, found: dict[str, str | int | None]) -> int:
    """Put province, city, district, street and community into ``found``; where the rest begins."""
    match = _OTHER.match(text) or _CITY.match(text)
    if match and (match.lastgroup != "prov" or len(match.group()) > 2):
        groups = match.groupdict()
        found["province"] = groups.get("prov") or groups.get("city") or ""
        found["city"], found["district"] = groups.get("city") or "", groups.get("district") or ""
        return match.end()
    match = _BEIJING.match(text)
    position = 0
    if match:
        found["city"], found["district"] = match.group("city") or "", match.group("district") or ""
        position = match.end()
    for pattern, key in ((_STREET, "street"), (_COMMUNITY, "community")):
        match = pattern.match(text[position:])
        if match:
            found[key] = match.group(key)
            position += match.end()
    return position


def _local(text: str, position: int, found: dict[str, str | int | None]) -> int:
    """Number, building, unit, floor, room from ``position`` on; where no rule takes anything any more."""
    while position < len(text):
        bracket = _BRACKET.match(text, position)
        if bracket:
            if not re.search(r"\d", bracket.group(1)):
                found.setdefault("alias", bracket.group(1))
            position = bracket.end()
            continue
        if text[position] in ",、:-#内":
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if not match:
            break
        _put(match, found)
        position = match.end()
    return position


def _put(match: re.Match[str], found: dict[str, str | int | None]) -> None:
    """File one counted number: 12号院, 新2号楼, 4单元, 502室."""
    stem, number, kind = match.group("stem") or "", match.group("number"), match.group("kind") or ""
    label = (stem if stem in ("新", "旧", "学", "临", "附", *STEMS) else "") + number
    first = "number" not in found and "building" not in found
    if kind in _BUILDING or (first and kind == "排"):
        found.setdefault("building", label)
        found.setdefault("kind", "building")
    elif kind in ("单元", "门", "号门") and not first:
        found.setdefault("unit", label)
    elif kind == "层":
        found.setdefault("floor", label)
    elif kind in ("室", "户", "房"):
        found.setdefault("room", label)
    elif first and number[0].isdigit():
        found["stem"], found["number"] = stem, int(re.match(r"\d+", number).group())  # type: ignore[union-attr]
        found["kind"] = "yard" if kind in _YARD else "door"
        _range(match.group("more"), found)
    else:
        for slot in ("building", "unit", "room") if kind not in _DOOR else ("room",):
            if slot not in found:
                found[slot] = label
                break
        if match.group("more").startswith("-"):
            for part in match.group("more")[1:].split("-"):
                for slot in ("building", "unit", "room"):
                    if slot not in found and part.isdigit():
                        found[slot] = part
                        break


def _range(more: str, found: dict[str, str | int | None]) -> None:
    """A second number after the first: the end of a range, or building, unit and room (12-3-502)."""
    parts = [p for p in more[1:].split("-") if p.isdigit()] if more.startswith("-") else []
    if len(parts) == 1 and int(parts[0]) > int(found["number"] or 0):
        found["number_to"] = int(parts[0])
    else:
        for slot, part in zip(
            ("building", "unit", "room") if len(parts) > 2 else ("unit", "room"), parts, strict=False
        ):
            found[slot] = part


def split(text: str | None) -> tuple[str, str]:
    """Name of the lane or compound, and all that follows it, of an address: 安德路, 12号院3号楼."""
    text = normalise(text)
    position = take_area(text, {})
    match = _NAME.match(text, position)
    return (match.group(), text[match.end() :]) if match else ("", text[position:])
