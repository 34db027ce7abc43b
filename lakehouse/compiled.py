"""Files compiled from the catalog that must sit in the tree: dbt sources, code seeds, the DAG index.

They carry a header, are never edited, and CI fails when one is stale (``lakehouse catalog lint``).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from catalog.errors import ContractError
from catalog.model import CodeList
from catalog.registry import Catalog

ROOT = Path(__file__).resolve().parent.parent
SEEDS: tuple[str, ...] = ("districts", "streets", "communities", "sex", "ethnic_group", "industry", "education")
SEEDS += ("marital_status", "family_relation", "seven_have_five_nature", "currency", "air_station", "satisfaction")
SEEDS += ("sensor_kind",)
"""Code lists the models join to."""
LIBRARIES = Path("dbt_project") / "models" / "library"
_REF = re.compile(r"\bref\(\s*'staging__(\w+)'\s*\)")


def compiled_files(catalog: Catalog) -> dict[Path, str]:
    """Path below the project to the text it must have."""
    from dags.index import compile_index
    from lakehouse.inspection import inspector_guide
    from quality.dbt_compile import sources_yaml
    from quality.rules.reference import rule_reference

    out = {
        Path("dbt_project/models/staging/_sources.yml"): sources_yaml(catalog),
        Path("dags/compiled/index.json"): compile_index(catalog),
        Path("docs/feeds.md"): feed_reference(catalog),
        Path("docs/rules.md"): rule_reference(catalog),
        Path("docs/inspector.md"): inspector_guide(catalog),
    }
    for name in SEEDS:
        out[Path(f"dbt_project/seeds/codes__{name}.csv")] = _seed(catalog.code_list(name))
    out[Path("dbt_project/seeds/authority.csv")] = authority_seed(catalog)
    out.update(scoring_seeds(catalog))
    return out


def stale_files(catalog: Catalog, root: Path = ROOT) -> list[Path]:
    """Compiled files that differ from what the catalog says now."""
    stale = []
    for path, text in compiled_files(catalog).items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(path)
    return stale


def write_compiled(catalog: Catalog, root: Path = ROOT) -> list[Path]:
    """Write the stale ones; returns them."""
    files = compiled_files(catalog)
    changed = stale_files(catalog, root)
    for path in changed:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[path], encoding="utf-8")
    return changed


def _seed(codes: CodeList) -> str:
    rows = ([c.code, c.name, c.parent, c.valid_from, c.valid_to] for c in codes.values)
    return _csv(["code", "name", "parent", "valid_from", "valid_to"], rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


AUTHORITY_SOURCE = ("2022-04-01", "9999-12-31", "一数一源清单（工作口径），catalog/dictionary/elements.yaml")
COLUMN_OF = {"household_number": "household_key"}
"""Elements that libraries call by another name."""


def authority_seed(catalog: Catalog) -> str:
    """Which feed has authority over which element, 0 the most, from the dictionary.

    Raises:
        ContractError: the dictionary names a feed that is not there.
    """
    rows = []
    for name, element in catalog.elements.items():
        for place, group in enumerate(element.authority):
            for feed_id in (group,) if isinstance(group, str) else group:
                if feed_id not in catalog.feeds:
                    raise ContractError(
                        f"authority over {name} is given to {feed_id!r}, which is no feed",
                        hint="name contracts of catalog/feeds",
                        file="dictionary/elements.yaml",
                    )
                rows.append([COLUMN_OF.get(name, name), feed_id, place, *AUTHORITY_SOURCE])
    return _csv(["element", "feed_id", "place", "valid_from", "valid_to", "source"], rows)


def scoring_seeds(catalog: Catalog, root: Path = ROOT) -> dict[Path, str]:
    """What the quality models must know of the catalog: feeds with provider and SLA, weights, problems, libraries."""
    from catalog.scoring import load_scoring

    scoring = load_scoring(catalog.root)
    feeds = [
        [f.id, f.title, f.provider, catalog.departments[f.provider].name, f.catalogue.update, f.sla.max_age_hours]
        for f in catalog.feeds.values()
    ]
    weights = [
        [d.dimension, d.label, d.weight, d.rules_count_in or d.dimension, d.valid_from, d.valid_to, d.source]
        for d in scoring.dimensions
    ]
    tables: dict[str, tuple[list[str], list[list[Any]]]] = {
        "feeds": (["feed_id", "title", "department_code", "department_name", "update_cycle", "max_age_hours"], feeds),
        "weights": (
            ["dimension", "label", "weight", "rules_count_in", "valid_from", "valid_to", "source"],
            weights,
        ),
        "problems": (
            ["code", "label", "dimension", "origin"],
            [[code, p.label, p.dimension, p.origin] for code, p in scoring.problems.items()],
        ),
        "library_feeds": (["library", "feed_id"], [list(pair) for pair in library_feeds(root)]),
    }
    return {Path(f"dbt_project/seeds/scoring__{name}.csv"): _csv(*table) for name, table in tables.items()}


def library_feeds(root: Path = ROOT) -> list[tuple[str, str]]:
    """Which feeds flow into which library: the staging models its models read."""
    found = set()
    for path in (root / LIBRARIES).rglob("*.sql"):
        found |= {(path.stem.split("__")[0], feed) for feed in _REF.findall(path.read_text(encoding="utf-8"))}
    return sorted(found)


def feed_reference(catalog: Catalog) -> str:
    """``docs/feeds.md``: one table a feed, from the contracts."""
    lines = [
        "<!-- generated by `lakehouse catalog compile` from catalog/feeds; do not edit -->",
        "# Feeds (数据资源)",
        "",
        "| feed | 名称 | 提供方 | 更新 | 共享 | 方式 | 级别 |",
        "|---|---|---|---|---|---|---|",
    ]
    for feed in catalog.feeds.values():
        lines.append(
            f"| [`{feed.id}`](#{feed.id}) | {feed.title} | {catalog.departments[feed.provider].name} "
            f"| {feed.catalogue.update} | {feed.catalogue.sharing} | {feed.load.mode} | {catalog.grade(feed)} |"
        )
    for feed in catalog.feeds.values():
        lines += [
            "",
            f"## {feed.id}",
            "",
            f"{feed.title}，目录代码 {feed.catalogue.code}，来自 `{feed.source.path or feed.source.connector}`。",
            "",
        ]
        lines += ["| 列 | 中文名 | 来源列 | 类型 | 单位 | 代码表 | 级别 | 必填 |", "|---|---|---|---|---|---|---|---|"]
        for f in catalog.fields(feed):
            origin = " / ".join(f.spec.from_) or f.spec.template or f"{f.spec.x}, {f.spec.y}"
            lines.append(
                f"| `{f.name}` | {f.label} | {origin} | {f.type} | {f.unit or ''} | {f.code_list or ''} "
                f"| {f.grade} | {'是' if f.required else ''} |"
            )
    return "\n".join(lines) + "\n"
