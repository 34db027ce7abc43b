"""The tables a run ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from lakehouse.present import console, print_table

if TYPE_CHECKING:
    from lakehouse.runner import RunSummary


def show(summary: RunSummary) -> None:
    """Feeds, tables, releases, pictures, failures, and what to try next."""
    print_table(
        "接入 · feeds",
        ("feed", "名称", "files", "rows in", "loaded", "quarantined", "skipped", "verdict", "s"),
        [
            (
                f.feed,
                f.title,
                f.files,
                f.rows_found,
                f.rows_loaded,
                f.rows_quarantined,
                f.rows_skipped,
                f.verdict,
                f.seconds,
            )
            for f in summary.feeds
        ],
    )
    if summary.tables:
        rows = [(t["name"], t["rows"], t["seconds"]) for t in summary.tables]
        print_table("基础库与主题库 · tables built", ("table", "rows", "s"), rows)
    if summary.linkage:
        print_table("人口比对与真值 · linkage", tuple(summary.linkage), [tuple(summary.linkage.values())])
    if summary.releases:
        print_table(
            "发布 · releases",
            ("product", "version", "rows", "status", "folder"),
            [(r["product"], r["version"], r["rows"], r["status"], r["folder"]) for r in summary.releases],
        )
    if summary.pictures:
        print_table(
            "地图与图表 · maps and charts", ("what", "file"), [(p.title, p.file or p.note) for p in summary.pictures]
        )
    out = console()
    if summary.unchanged:
        out.print(Text(f"无变化，未重建：{'、'.join(summary.unchanged)}", style="dim"))
    for failure in summary.failures:
        out.print(Text(f"✗ {failure.dag} · {failure.task}: {failure.reason}", style="bold red"))
        out.print(Text(f"  → {failure.next}", style="yellow"))
    state = "完成" if summary.ok else f"{len(summary.failures)} 个任务失败"
    out.print(Text(f"{state}，用时 {summary.seconds:.0f} 秒。接下来可以试试：", style="bold"))
    for step in summary.next:
        out.print(Text(f"  {step}"))
