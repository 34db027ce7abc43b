"""One Airflow DAG a feed: collect → land → load → gate, and an asset when rows were added.

Generated from the compiled index; owner, retries, time-out and due time are the contract's.
A DAG starts when a settled file appears in the drop folder (an asset watcher in the triggerer)
and at the time its delivery is due (cron, Beijing time). Nothing delivered: all tasks are
skipped and no asset event leaves. Lateness is the matter of ``stewardship.daily``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, task

from dags import tasks
from dags.index import TIMEZONE, load_index
from dags.watch import DropWatch

DOC = """### {title}（`{id}`）

- 提供方：{owner}
- 目录代码：{catalogue_code}　更新周期：{update}
- 最迟到达：{arrive_by}　时限：{max_age_hours:g} 小时

{how}：
收集 → 落地（原样保存并登记回执）→ 入湖（类型、代码、校验、去重）→ 质量闸门。

不合格的行进入隔离区：`lakehouse feed quarantine {id}`；修正后重放：`lakehouse feed replay {id}`。
闸门不通过时 `gate` 任务失败并写明原因，该批数据不会被任何人读到。没有新文件时各任务跳过。
"""


def _how(feed: dict[str, Any]) -> str:
    if feed["connector"] == "mqtt":
        return f"消息由 `lakehouse collect {feed['id']}` 持续接收；网关离线时留存的文件放进 `drop/{feed['drop']}`"
    if feed["connector"] == "files":
        return f"把文件放进 `drop/{feed['drop']}`，几十秒内自动开始"
    return f"按时由连接器 `{feed['connector']}` 从来源拉取"


def feed_dag(feed: dict[str, Any], *, drop: Path, poll_seconds: float) -> DAG:
    """The DAG of one entry of the index."""
    arrived = Asset(
        name=f"drop {feed['id']}",
        uri=f"lake://drop/{feed['id']}",
        watchers=[
            AssetWatcher(
                name=f"watch {feed['id']}",
                trigger=DropWatch(drop=str(drop), pattern=feed["drop"], seconds=poll_seconds),
            )
        ]
        if feed["drop"]
        else [],
    )
    due = feed["schedule"]
    with DAG(
        dag_id=feed["dag_id"],
        dag_display_name=f"接入 · {feed['title']}",
        description=f"{feed['title']}（{feed['owner']}）",
        doc_md=DOC.format(**{**feed, "arrive_by": feed["arrive_by"] or "未约定", "how": _how(feed)}),
        schedule=[arrived]
        if due is None
        else AssetOrTimeSchedule(timetable=CronTriggerTimetable(due, timezone=TIMEZONE), assets=[arrived]),
        start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=feed["timeout_minutes"] * 2),
        tags=feed["tags"],
        default_args={
            "owner": feed["owner"],
            "retries": feed["retries"],
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=15),
            "execution_timeout": timedelta(minutes=feed["timeout_minutes"]),
        },
    ) as dag:
        files: Any = task(task_id="collect", multiple_outputs=False)(tasks.collect)(feed["id"])
        landed: Any = task(task_id="land", multiple_outputs=False)(tasks.land)(feed["id"], files)
        results: Any = task(task_id="load", multiple_outputs=False)(tasks.load)(feed["id"], landed)
        task(task_id="gate", multiple_outputs=False)(tasks.gate)(feed["id"], landed, results)
        task(task_id="announce", multiple_outputs=False, outlets=[Asset(name=feed["id"], uri=feed["asset"])])(
            tasks.announce
        )(results)
    return dag


for _feed in load_index()["feeds"]:
    feed_dag(
        _feed,
        drop=Path(os.environ.get("LAKEHOUSE_HOME") or "var").absolute() / "drop",
        poll_seconds=float(os.environ.get("LAKEHOUSE_POLL_SECONDS") or 10),
    )
