"""Daily care of the lake: compaction and vacuum, freshness against SLA, Data Docs; monthly, the scorecard.

Airflow 3 has no SLA of its own (2.x ``sla`` is gone, ``DeadlineAlert`` watches run times, not
deliveries), so a late delivery is found here: ``freshness`` fails and names each late feed.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, task

from dags import tasks
from dags.index import TIMEZONE

DOC = """### 每日养护

- `maintain`：合并小文件（compaction），删除超过保留期（{days} 天）且不再被引用的旧文件；
  保留期内可按时间回看，见 `warehouse/maintenance.py`。
- `freshness`：对照各资源约定的时限检查新鲜度；有逾期资源时任务失败并逐个写明，等同 `lakehouse status`。
- `data_docs`：重建离线质量报告。

三个任务互不影响。
"""

MONTHLY = """### 每月记分卡

每月 1 日核算上月各资源、部门、基础库的质量得分，写出 `reports/quality/<月份>/index.html` 与 `scorecard.xlsx`，
等同 `lakehouse quality report`。得分模型在 dbt（`tag:quality`），口径见 `docs/quality.md`。
"""

with DAG(
    dag_id="stewardship.daily",
    dag_display_name="养护 · 每日",
    description="合并与清理、新鲜度检查、质量报告",
    doc_md=DOC.format(days=7),
    schedule="30 3 * * *",
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    tags=["养护"],
    default_args={
        "owner": "数据平台",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=2),
    },
):
    task(task_id="maintain", multiple_outputs=False)(tasks.maintain)()
    task(task_id="freshness", multiple_outputs=False, retries=0)(tasks.freshness)()
    task(task_id="data_docs", multiple_outputs=False)(tasks.data_docs)()

with DAG(
    dag_id="stewardship.weekly",
    dag_display_name="养护 · 每周",
    description="逐值扫描基础库、主题库与成果，对照各列定级",
    doc_md="### 每周内容扫描\n\n"
    "等同 `lakehouse grade scan --all`：内容级别高于申报级别时任务失败并写明列、种类与数量。",
    schedule="0 4 * * 0",
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    tags=["养护"],
    default_args={"owner": "数据平台", "retries": 0, "execution_timeout": timedelta(hours=4)},
):
    task(task_id="scan_content", multiple_outputs=False)(tasks.scan_content)()

with DAG(
    dag_id="stewardship.monthly",
    dag_display_name="养护 · 每月记分卡",
    description="上月部门数据质量记分卡",
    doc_md=MONTHLY,
    schedule="30 4 1 * *",
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    tags=["养护"],
    default_args={
        "owner": "数据平台",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=1),
    },
):
    task(task_id="scorecard", multiple_outputs=False)(tasks.scorecard)()
