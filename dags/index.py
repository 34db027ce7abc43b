"""The compiled DAG index: what Airflow has to know of the catalog, as one JSON file.

DAG files are parsed every few seconds, so they read this file and nothing else: no YAML,
no contract models, no Delta, dbt or Great Expectations. ``dags/compiled/index.json`` is
compiled from the packaged catalog (``lakehouse catalog compile``) and CI fails when it is
stale; a lakehouse with a catalog of its own compiles to ``<home>/build/dag_index.json``.

This module is imported at parse time: the standard library only, at module level.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.model import Feed
    from catalog.registry import Catalog
    from catalog.settings import Settings

PACKAGED = Path(__file__).resolve().parent / "compiled" / "index.json"
GENERATED = "Generated from catalog/ by `lakehouse catalog compile`; never edit this file."
TIMEZONE = "Asia/Shanghai"
"""Contracts state times of day in Beijing time."""

DEFAULT_ARRIVAL = "06:00"

LAYERS: tuple[dict[str, Any], ...] = (
    {
        "id": "libraries",
        "title": "基础库",
        "steps": [
            {"task": "staging", "select": ["tag:staging"]},
            {"task": "persons", "run": "link_persons"},
            {"task": "libraries", "select": ["tag:library"]},
        ],
        "asset": "lake://layer/library",
    },
    {
        "id": "marts",
        "title": "主题库",
        "steps": [{"task": "marts", "select": ["tag:mart"]}],
        "asset": "lake://layer/mart",
    },
)
"""Build DAGs in order; the first is triggered by feeds, each other by the one before it. A step builds what ``select``
names with dbt, or does what dbt cannot: ``run`` is then a function of ``dags.tasks``."""


def compile_index(catalog: Catalog) -> str:
    """The index of ``catalog`` as JSON text; the same catalog always gives the same text."""
    index = {
        "generated": GENERATED,
        "timezone": TIMEZONE,
        "feeds": [_feed_entry(catalog, feed) for _, feed in sorted(catalog.feeds.items())],
        "layers": list(LAYERS),
        "products": [
            {
                "id": product.id,
                "title": product.title,
                "table": product.table,
                "owner": _owner(catalog, product.owner),
                "asset": f"lake://extract/{product.id}",
            }
            for _, product in sorted(catalog.products.items())
        ],
    }
    return json.dumps(index, ensure_ascii=False, indent=1) + "\n"


def write_index(settings: Settings, catalog: Catalog) -> Path:
    """Compile ``catalog`` for the Airflow of this lakehouse; the file's path. Atomic."""
    path = home_index(settings.home)
    text = compile_index(catalog)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    return path


def home_index(home: Path) -> Path:
    return home / "build" / "dag_index.json"


def load_index(env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The index DAG files use: that of ``LAKEHOUSE_HOME`` when there is one, else the packaged one."""
    env = os.environ if env is None else env
    own = home_index(Path(env.get("LAKEHOUSE_HOME") or "var").absolute())
    path = own if own.exists() else PACKAGED
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def feed_dag_id(feed_id: str) -> str:
    return f"feed.{feed_id}"


def feed_asset(feed_id: str) -> str:
    """URI of the asset "accepted rows were added to this feed's table"."""
    return f"lake://feed/{feed_id}"


def cron(update: str, arrive_by: str | None) -> str | None:
    """The cron line (Beijing time) at which a delivery is due, from its update cycle and SLA.

    Args:
        update: ``catalogue.update`` of the contract.
        arrive_by: ``HH:MM`` by which it must be here; 06:00 when the contract names none.

    Returns:
        None for ``irregular``: such a feed starts only when a file arrives.
    """
    hour, minute = (int(part) for part in (arrive_by or DEFAULT_ARRIVAL).split(":"))
    at = f"{minute} {hour}"
    return {
        "realtime": "*/5 * * * *",
        "hourly": f"{minute} * * * *",
        "daily": f"{at} * * *",
        "weekly": f"{at} * * 1",
        "monthly": f"{at} 1 * *",
        "quarterly": f"{at} 1 1,4,7,10 *",
        "yearly": f"{at} 1 1 *",
        "irregular": None,
    }[update]


def _feed_entry(catalog: Catalog, feed: Feed) -> dict[str, Any]:
    department = catalog.departments[feed.provider]
    return {
        "id": feed.id,
        "dag_id": feed_dag_id(feed.id),
        "title": feed.title,
        "owner": _owner(catalog, feed.provider),
        "schedule": cron(_cycle(feed), feed.sla.arrive_by),
        "update": feed.catalogue.update,
        "arrive_by": feed.sla.arrive_by,
        "max_age_hours": feed.sla.max_age_hours,
        "retries": feed.sla.retries,
        "timeout_minutes": feed.sla.timeout_minutes,
        "connector": feed.source.connector,
        "drop": feed.source.path,
        "asset": feed_asset(feed.id),
        "tags": ["接入", department.short or department.name, f"grade-{catalog.grade(feed)}", feed.format.type],
        "catalogue_code": feed.catalogue.code,
        "load_mode": feed.load.mode,
        "load_key": list(feed.load.key),
    }


def _cycle(feed: Feed) -> str:
    """The update cycle; what is pulled announces no arrival, so an irregular one is asked for daily."""
    pulled = not feed.source.is_dropped
    return "daily" if pulled and feed.catalogue.update == "irregular" else feed.catalogue.update


def _owner(catalog: Catalog, department: str) -> str:
    return catalog.departments[department].name
