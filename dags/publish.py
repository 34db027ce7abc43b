"""Extracts: writes a release of every product whose table or contract changed, after the marts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, task

from dags import tasks
from dags.index import TIMEZONE, load_index

DOC = """### 发布数据产品

主题库更新后，逐个产品检查；内容有变化才写出新版本（CSV、XLSX、Parquet、GeoParquet 等，附校验和、数据字典和变更说明）。
有产品不能发布时 `gate` 任务失败并写明原因，其余产品照常发布。
单个产品：`lakehouse publish 产品名`。产品清单在 `catalog/products/`。
"""

_index = load_index()
_last_layer = _index["layers"][-1]

with DAG(
    dag_id="publish.products",
    dag_display_name="发布 · 数据产品",
    description="把主题库、基础库的数据产品写成带版本的发布包",
    doc_md=DOC,
    schedule=[Asset(name=_last_layer["asset"], uri=_last_layer["asset"])],
    start_date=pendulum.datetime(2025, 1, 1, tz=TIMEZONE),
    catchup=False,
    max_active_runs=1,
    tags=["发布"],
    default_args={
        "owner": "数据平台",
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(hours=1),
    },
):
    _outlets = [Asset(name=f"product {p['id']}", uri=p["asset"]) for p in _index["products"]]
    _releases: Any = task(task_id="publish", multiple_outputs=False)(tasks.publish)()
    task(task_id="gate", multiple_outputs=False, outlets=_outlets)(tasks.released)(_releases)
