"""What a run did, and the tables it ends with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from lakehouse.present import console, print_table

if TYPE_CHECKING:
    from lakehouse.pictures import Picture


@dataclass(frozen=True)
class FeedLine:
    """What one feed's DAG did. found = loaded + quarantined + skipped."""

    feed: str
    title: str
    files: int
    rows_found: int
    rows_loaded: int
    rows_quarantined: int
    rows_skipped: int
    verdict: str
    seconds: float


@dataclass(frozen=True)
class Failure:
    """A task that failed: why, and what to do next."""

    dag: str
    task: str
    reason: str
    next: str


@dataclass
class RunSummary:
    """What ``run`` did.

    Attributes:
        demo: whether demo files were generated first.
        tables: ``name, rows, seconds`` of every table built; empty when nothing had changed.
        releases: ``product, version, rows, status, folder, message``.
        seconds_by_dag: seconds of each DAG that ran.
        scorecard: page of the month's scorecard, empty when nothing had changed.
        pictures: maps and pages of charts of what was built.
        linkage: accuracy of the libraries against the truth, where there is one; see ``lakehouse report linkage``.
        next: commands worth trying now.
    """

    demo: bool = False
    seconds: float = 0.0
    feeds: list[FeedLine] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    seconds_by_dag: dict[str, float] = field(default_factory=dict)
    scorecard: str = ""
    pictures: list[Picture] = field(default_factory=list)
    linkage: dict[str, float] = field(default_factory=dict)
    next: list[str] = field(default_factory=list)
    ok: bool = True


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
