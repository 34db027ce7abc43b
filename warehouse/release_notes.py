"""What stands beside the data of a release: its dictionary (数据字典) and its changes against the last one."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from warehouse.duck import quote
from warehouse.release_formats import BOM, Job, csv_relation, parquet_relation, text_expression

DICTIONARY_COLUMNS = ("列名", "中文名", "类型", "单位", "代码表", "级别", "脱敏", "说明")
_TYPES = {
    "VARCHAR": "文本",
    "DATE": "日期",
    "BOOLEAN": "布尔",
    "DOUBLE": "小数",
    "FLOAT": "小数",
    "BLOB": "几何（WKB/WKT）",
    "TIMESTAMP WITH TIME ZONE": "时刻（北京时间）",
}


def dictionary(job_types: dict[str, str], columns: tuple[Any, ...]) -> list[dict[str, Any]]:
    """One row a released column, keys ``DICTIONARY_COLUMNS``."""
    return [
        {
            "列名": c.name,
            "中文名": c.label,
            "类型": _type(job_types[c.name]),
            "单位": c.unit,
            "代码表": c.code_list,
            "级别": c.grade,
            "脱敏": c.mask,
            "说明": c.description,
        }
        for c in columns
    ]


def write_dictionary(rows: list[dict[str, Any]], path: Path) -> None:
    """``dictionary.csv``, UTF-8 with BOM."""
    with path.open("wb") as f:
        f.write(BOM)
    with path.open("a", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, DICTIONARY_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def changes(
    job: Job, version: str, last: dict[str, Any] | None, folder: Path | None, rows: int
) -> tuple[str, dict[str, int]]:
    """``CHANGES.md`` and its counts against the last release.

    Args:
        last: manifest of the last release, None for a first one.
        folder: the last release's folder.
        rows: rows of this release.
    """
    title = f"# {job.plan.product.title} {version}\n\n"
    if last is None or folder is None:
        return f"{title}首次发布，共 {rows} 行。\n", {"added": rows, "removed": 0, "changed": 0}
    lines = [title + f"与上一版 {last['version']} 相比：\n", f"- 行数：{last['rows']} → {rows}"]
    counts: dict[str, int] = {}
    before = _relation(folder, last)
    shared = [c for c in job.types if c in {x["name"] for x in last["columns"]} and not job.is_geometry(c)]
    if before is not None and shared:
        counts, how = _compare(job, before, shared, is_text=before.startswith("read_csv"))
        names = {"added": "新增", "removed": "删除", "changed": "修改"}
        lines += [f"- {names[k]}：{v} 行" for k, v in counts.items()]
        lines.append(f"- 比较方法：{how}")
    else:
        lines.append("- 上一版没有可比较的文件，仅比较行数")
    lines += _schema_changes(job, last) or ["- 结构：无变化"]
    return "\n".join(lines) + "\n", counts


def _compare(job: Job, before: str, shared: list[str], *, is_text: bool) -> tuple[dict[str, int], str]:
    """Added, removed and changed rows, by the order columns when they are a key, else by whole rows."""
    from warehouse.release_formats import csv_expression

    now_texts = {c: (csv_expression if is_text else text_expression)(c, job.types[c]) for c in shared}
    old_types = {} if is_text else {n: t for n, t, *_ in job.con.execute(f"DESCRIBE FROM {before}").fetchall()}
    old_texts = {c: quote(c) if is_text else text_expression(c, old_types[c]) for c in shared}
    for view, source, texts in (("now_rows", job.rows_sql, now_texts), ("old_rows", before, old_texts)):
        columns = ", ".join(f"{texts[c]} AS {quote(c)}" for c in shared)
        job.con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {columns} FROM {source}")  # noqa: S608
    key = [c for c in job.plan.product.order_by if c in shared]
    if key and all(_is_key(job, view, key) for view in ("now_rows", "old_rows")):
        on = " AND ".join(f"n.{quote(c)} = o.{quote(c)}" for c in key)
        rest = [c for c in shared if c not in key]
        differs = " OR ".join(f"n.{quote(c)} IS DISTINCT FROM o.{quote(c)}" for c in rest) or "false"
        first = quote(key[0])
        row = job.con.execute(
            f"SELECT count(*) FILTER (o.{first} IS NULL), count(*) FILTER (n.{first} IS NULL), "  # noqa: S608
            f"count(*) FILTER (o.{first} IS NOT NULL AND n.{first} IS NOT NULL AND ({differs})) "
            f"FROM now_rows n FULL JOIN old_rows o ON {on}"
        ).fetchone()
        assert row is not None
        return dict(zip(("added", "removed", "changed"), row, strict=True)), f"按键 {', '.join(key)}"
    row = job.con.execute(
        "SELECT (SELECT count(*) FROM (FROM now_rows EXCEPT ALL FROM old_rows)), "
        "(SELECT count(*) FROM (FROM old_rows EXCEPT ALL FROM now_rows))"
    ).fetchone()
    assert row is not None
    return dict(zip(("added", "removed"), row, strict=True)), "按整行"


def _is_key(job: Job, view: str, key: list[str]) -> bool:
    names = ", ".join(quote(c) for c in key)
    missing = " OR ".join(f"{quote(c)} IS NULL" for c in key)
    row = job.con.execute(
        f"SELECT count(*) - count(DISTINCT ({names})), count(*) FILTER ({missing}) FROM {view}"  # noqa: S608
    ).fetchone()
    return row == (0, 0)


def _relation(folder: Path, last: dict[str, Any]) -> str | None:
    """The last release as a relation: its Parquet, else its CSV."""
    files = {f["format"]: folder / f["name"] for f in last["files"]}
    if "parquet" in files and files["parquet"].is_file():
        return parquet_relation(files["parquet"])
    if "csv" in files and files["csv"].is_file():
        return csv_relation(files["csv"])
    return None


def _schema_changes(job: Job, last: dict[str, Any]) -> list[str]:
    before = {c["name"]: c for c in last["columns"]}
    now = {
        c.name: {"type": job.types[c.name], "mask": c.mask, "grade": c.grade, "label": c.label}
        for c in job.plan.columns
    }
    lines = [f"- 新增列：{name}" for name in now if name not in before]
    lines += [f"- 删除列：{name}" for name in before if name not in now]
    words = {"type": "类型", "mask": "脱敏", "grade": "级别", "label": "中文名"}
    for name, meta in now.items():
        for key, word in words.items():
            if name in before and before[name].get(key) != meta[key]:
                lines.append(f"- 列 {name} 的{word}：{before[name].get(key) or '无'} → {meta[key] or '无'}")
    return lines


def _type(duckdb_type: str) -> str:
    if duckdb_type in _TYPES:
        return _TYPES[duckdb_type]
    if duckdb_type.startswith("DECIMAL"):
        return "小数" + duckdb_type.removeprefix("DECIMAL")
    return "整数" if "INT" in duckdb_type else duckdb_type
