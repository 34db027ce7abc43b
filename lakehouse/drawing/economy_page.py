"""The report of the macro-economy: one HTML page that opens without a network, charts inline, every text escaped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from catalog.errors import InputError, UnknownName
from lakehouse.drawing.charts import draw_composites, draw_series, strip
from lakehouse.drawing.style import inline_svg, picture
from lakehouse.economy import Series, library, mart, read_series

if TYPE_CHECKING:
    from catalog.settings import Settings

ASSETS = Path(__file__).resolve().parent / "assets"
CSS = Path(__file__).resolve().parents[2] / "quality" / "assets" / "scorecard.css"
WANTED = (
    ("gdp", "value"),
    ("tertiary_value_added", "yoy"),
    ("retail_sales_ytd", "discrete"),
    ("industrial_output_ytd", "discrete"),
    ("budget_revenue_ytd", "discrete"),
    ("electricity_ytd", "discrete"),
    ("income_per_head", "value"),
    ("income_per_head_survey", "value"),
    ("cpi_national_yoy100", "value"),
    ("ppi_yoy100", "value"),
)
"""Charts of the page, in order; what the lake does not have is left out."""
MONTHS = 24
KINDS = {
    "copied_period": "整期抄录重复", "copied_value": "数值与上期相同", "copied_across": "两项数值相同",
    "parts": "合计或部分不符", "sources_disagree": "来源不一", "unit": "单位不能换算", "gap": "缺期",
    "jump": "异常跳动", "growth_disagrees": "公布增速与数值不符",
}  # fmt: skip
SHOWN_A_KIND = 6


def write_page(settings: Settings, path: Path, *, now: datetime) -> Path:
    """Write the report to ``path``; atomic.

    Raises:
        InputError: the library holds nothing yet.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    counts = library(settings, "indicators", "SELECT count(*) AS n FROM t WHERE observations_count > 0")
    if not counts or not counts[0]["n"]:
        raise InputError("the macro-economy library holds nothing yet", hint="lakehouse run, or ingest and build")
    env = Environment(
        loader=FileSystemLoader(str(ASSETS)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = env.get_template("economy.j2").render(
        css=CSS.read_text(encoding="utf-8"),
        made_at=now.astimezone(ZoneInfo("Asia/Shanghai")),
        indicators=counts[0]["n"],
        charts=_charts(settings),
        findings=_findings(settings),
        revisions=_revisions(settings),
        **_lights(settings),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path


def _charts(settings: Settings) -> list[dict[str, Any]]:
    made = []
    for code, shown in WANTED:
        try:
            series = read_series(settings, code, shown=shown)
        except (UnknownName, InputError):
            continue  # not delivered, or too short: the page shows what there is
        made.append({"title": series.title, "last": _last(series), "svg": _svg(series)})
    return made


def _last(series: Series) -> str:
    return f"{series.periods[-1]}：{series.values[-1]:,.6g}"


def _svg(series: Series) -> str:
    with picture(5.4, 2.7) as (figure, axes):
        draw_series(axes, series, title=False)
        return inline_svg(figure, f"{series.title}，{series.periods[0]} 至 {series.periods[-1]}，{_last(series)}")


def _lights(settings: Settings) -> dict[str, Any]:
    rows = mart(settings, "lights", "SELECT * FROM t ORDER BY period_start")
    months = sorted({r["period"] for r in rows})[-MONTHS:]
    points: dict[str, list[Any]] = {}
    for r in mart(settings, "composite_indices", "SELECT * FROM t ORDER BY composite_code DESC, period_start"):
        points.setdefault(r["composite_name"], []).append((r["period_start"], r["index_value"]))
    composite = ""
    if points:
        with picture(9.6, 3.0) as (figure, axes):
            draw_composites(axes, points)
            composite = inline_svg(figure, "先行与一致合成指数")
    overall = [r for r in rows if r["indicator_name"] == "综合景气"]
    return {
        "months": months,
        "lights": strip([r for r in rows if r["period"] in set(months)], months),
        "overall": overall[-1] if overall else None,
        "composite": composite,
    }


def _findings(settings: Settings) -> list[dict[str, Any]]:
    rows = library(
        settings, "checks", "SELECT kind, severity, period, message FROM t ORDER BY severity, kind, period DESC"
    )
    grouped: dict[str, list[dict[str, Any]]] = {}
    for r in rows:
        grouped.setdefault(r["kind"], []).append(r)
    return [
        {"title": KINDS[k], "severity": found[0]["severity"], "count": len(found), "rows": found[:SHOWN_A_KIND]}
        for k, found in grouped.items()
    ]


def _revisions(settings: Settings) -> list[dict[str, Any]]:
    return library(
        settings, "series",
        "SELECT indicator_name, period, known_from, value, unit, revised_pct FROM t WHERE revision_number > 1 "
        "ORDER BY known_from DESC, indicator_name, period LIMIT 12",
    )  # fmt: skip
