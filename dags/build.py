"""Libraries, then marts: one task a dbt layer, started by assets and announcing one.

``build.libraries`` starts when any feed has new rows; events that arrive while it runs are
taken together by the next run. ``build.marts`` starts when the libraries were built. Which
tables are built again follows from the versions of the feed tables, not from the events.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetAny, Param, task

from dags import tasks
from dags.index import TIMEZONE, load_index

DOC = """### 构建{title}

由 dbt 在 DuckDB 上计算、写入 Delta，每步一个任务：{steps}。
`persons` 在建库前比对各部门的人员登记，判定哪些记录是同一人（`lakehouse link run`）。
由上游数据资产更新触发，只重建读到变化资源的表；代码或契约有变化、或手工触发时勾选“整层重建”，则重建整层。
单个模型：`lakehouse build --select 模型名`。
模型报错或数据测试不通过时任务失败并列出模型与原因，旧表保持可读。
"""


def layer_dag(layer: dict[str, Any], upstream: list[Asset]) -> DAG:
    """The DAG of one layer; ``upstream``: assets any of which starts it."""
    steps = layer["steps"]
    with DAG(
        dag_id=f"build.{layer['id']}",
        dag_display_name=f"构建 · {layer['title']}",
        description=f"dbt：{layer['title']}",
        doc_md=DOC.format(title=layer["title"], steps=" → ".join(s["task"] for s in steps)),
        schedule=AssetAny(*upstream),
        start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
        catchup=False,
        max_active_runs=1,
        tags=["构建", layer["title"]],
        params={"full": Param(False, type="boolean", title="整层重建", description="不管有无变化，重建本层全部表")},
        default_args={
            "owner": "数据平台",
            "retries": 1,
            "retry_delay": timedelta(seconds=30),
            "execution_timeout": timedelta(hours=2),
        },
    ) as dag:
        last = None
        for step in steps:
            is_last = step is steps[-1]
            outlets = [Asset(name=layer["asset"], uri=layer["asset"])] if is_last else []
            stamp = f"build.{layer['id']}" if is_last else None
            made = task(task_id=step["task"], multiple_outputs=False, outlets=outlets)
            built = made(getattr(tasks, step["run"]))() if "run" in step else made(tasks.build)(step["select"], stamp)
            if last is not None:
                last >> built
            last = built
    return dag


_index = load_index()
_upstream = [Asset(name=f["id"], uri=f["asset"]) for f in _index["feeds"]]
for _layer in _index["layers"]:
    if _upstream:
        layer_dag(_layer, _upstream)
    _upstream = [Asset(name=_layer["asset"], uri=_layer["asset"])]
