"""A geometry that leaves a rectangle of longitude and latitude (CGCS2000), or lies nowhere: a geocode far outside."""

from __future__ import annotations

from pydantic import model_validator

from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, sql_expectation


class Params(RuleParams):
    """Edges in degrees; a geometry must lie inside with all its points, and have some."""

    west: float
    south: float
    east: float
    north: float

    @model_validator(mode="after")
    def _order(self) -> Params:
        if not (-180 <= self.west < self.east <= 180 and -90 <= self.south < self.north <= 90):
            raise ValueError("west < east and south < north, in degrees")
        return self


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    shape = f"ST_GeomFromWKB({column.sql})"
    failing = (
        f"coalesce(ST_XMin({shape}) < {params.west} OR ST_XMax({shape}) > {params.east}"
        f" OR ST_YMin({shape}) < {params.south} OR ST_YMax({shape}) > {params.north} OR ST_IsEmpty({shape}), false)"
    )
    message = (
        f"{column.label}：无坐标或超出范围（经度 {params.west}～{params.east}，纬度 {params.south}～{params.north}），"
        "可能是坐标系不符、经纬度颠倒或地址匹配错误"
    )
    return [Check("within_bounds", (column,), failing, message, sql_expectation(failing), ("spatial",))]


def _polygon(*corners: tuple[float, float]) -> bytes:
    import struct

    ring = struct.pack("<I", len(corners)) + b"".join(struct.pack("<dd", *at) for at in corners) if corners else b""
    return struct.pack("<BII", 1, 3, 1 if corners else 0) + ring


def _point(x: float, y: float) -> bytes:
    import struct

    return struct.pack("<BIdd", 1, 1, x, y)


RULE = RowRule(
    name="within_bounds",
    title="坐标范围",
    dimension="accuracy",
    types=("geometry",),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(Column("geom_cgcs2000", "位置", "geometry", duckdb_type="BLOB"),),
            field="geom_cgcs2000",
            params={"west": 115.4, "south": 39.4, "east": 117.6, "north": 41.1},
            fixtures=(
                Fixture({"geom_cgcs2000": _point(116.36, 39.91)}, (), "in Xicheng"),
                Fixture({"geom_cgcs2000": None}, (), "no place"),
                Fixture({"geom_cgcs2000": _point(39.91, 116.36)}, ("within_bounds",), "longitude and latitude swapped"),
                Fixture({"geom_cgcs2000": _point(121.47, 31.23)}, ("within_bounds",), "Shanghai"),
                Fixture({"geom_cgcs2000": _polygon()}, ("within_bounds",), "a polygon without corners"),
                Fixture({"geom_cgcs2000": _polygon(*[(0, 0)] * 4)}, ("within_bounds",), "all corners at 0, 0"),
                Fixture(
                    {"geom_cgcs2000": _polygon((116.3, 39.9), (116.4, 39.9), (39.9, 116.4), (116.3, 39.9))},
                    ("within_bounds",),
                    "one corner swapped",
                ),
            ),
        ),
    ),
)
