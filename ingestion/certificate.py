"""The certificate of an erasure: what was erased where, what a search of every byte found, what is out of reach."""

from __future__ import annotations

import hashlib
import html
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.settings import Settings
from ingestion.landing import write_durably
from warehouse.erase_person import Person

OUT_OF_REACH = (
    "本系统之外的备份与快照（由部署方的存储保管）",
    "已经发出或被下载的成果副本（见各成果的接收方；请通知其删除）",
    "提供单位自己的登记系统与其后依法重新报送的数据",
    "磁盘上已释放而尚未覆写的块（由全盘加密或介质销毁保证）",
)


def write_certificate(
    settings: Settings,
    folder: Path,
    state: dict[str, Any],
    person: Person,
    *,
    reason: str,
    by: str,
    now: datetime,
    left: list[str],
    waiting: list[str],
) -> dict[str, Any]:
    """Write JSON and HTML, the row of ``platform.erasures`` and the audit event that seals the JSON's sha256."""
    certificate: dict[str, Any] = {
        "erasure": state["id"],
        "subject": person.subject,
        "by": by,
        "reason": reason,
        "at": now.isoformat(),
        "id_known": bool(person.ids),
        "rows_removed": sum(t["rows_removed"] for t in state["tables"]),
        "cells_blanked": sum(t["cells_blanked"] for t in state["tables"]),
        "tables": state["tables"],
        "files": state["files"],
        "linked": by_linking(state),
        "verified": not left,
        "left": left,
        "waiting_deliveries": waiting,
        "out_of_reach": list(OUT_OF_REACH),
    }
    data = json.dumps(certificate, ensure_ascii=False, indent=1).encode()
    digest = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(folder / "certificate.json", data)
    write_durably(folder / "certificate.html", _page(certificate, digest).encode())
    _record(settings, certificate, digest, now)
    return {**certificate, "certificate_sha256": digest, "folder": str(folder)}


def by_linking(state: dict[str, Any]) -> list[dict[str, Any]]:
    """How many records of each feed linking attributed to the person, and how many of them carry no believed number."""
    return [
        {"feed": feed_id, "records": len(f["own"]) + sum(len(r["keys"]) for r in f["roles"]),
         "unnumbered": f["unnumbered"]}
        for feed_id, f in state["linked"].items()
    ]  # fmt: skip


def _record(settings: Settings, certificate: dict[str, Any], digest: str, now: datetime) -> None:
    import pyarrow as pa

    from warehouse.access import local_operator
    from warehouse.audit import AuditLog
    from warehouse.delta import append_rows
    from warehouse.tables import table_lock

    kept = ("erasure", "subject", "by", "reason", "rows_removed", "cells_blanked", "verified")
    row = {**{k: certificate[k] for k in kept}, "certificate_sha256": digest, "erased_at": now}
    with table_lock(settings, "platform.erasures"):
        append_rows(settings.platform_path("erasures"), pa.Table.from_pylist([row]))
    detail = {
        **{k: certificate[k] for k in ("erasure", "by", "reason", "rows_removed", "verified")},
        "subject": certificate["subject"][:12],
        "files_changed": len(certificate["files"]),
        "certificate_sha256": digest,
    }
    AuditLog(settings, actor=local_operator().id).append("person.erased", detail, at=now)


TABLE = {
    "table": "表", "rows_before": "原有行数", "rows_removed": "删除行数", "cells_blanked": "抹去单元格",
    "versions_purged": "清除旧版本", "files_vacuumed": "清除文件",
}  # fmt: skip
FILE = {
    "area": "区域", "file": "文件", "how": "处理", "records": "记录数",
    "sha256_before": "原摘要", "sha256_after": "新摘要",
}  # fmt: skip
LINKED = {"feed": "登记", "records": "记录数", "unnumbered": "其中无可信证件号码"}
LISTS = {
    "left": "残留",
    "waiting_deliveries": "投放目录中待接收、含此人的文件",
    "out_of_reach": "不在本系统可及范围",
}


def _table(items: list[dict[str, Any]], columns: dict[str, str]) -> str:
    rows = ["".join(f"<td>{html.escape(str(i.get(n, '')))}" for n in columns) for i in items]
    return f"<table><tr><th>{'<th>'.join(columns.values())}{''.join(f'<tr>{r}' for r in rows)}</table>"


def _list(items: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(x)}" for x in items or ["无"]) + "</ul>"


def _page(c: dict[str, Any], digest: str) -> str:
    verdict = "逐字节核验：未发现残留" if c["verified"] else f"逐字节核验：仍有 {len(c['left'])} 个文件含有残留"
    lists = "".join(f"<h2>{title}</h2>{_list(c[name])}" for name, title in LISTS.items())
    return (
        "<!doctype html><html lang=zh-CN><meta charset=utf-8><title>个人数据销毁证明</title>"
        "<style>body{font:15px/1.6 sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.2rem .5rem;text-align:left;"
        "overflow-wrap:anywhere}</style>"
        f"<h1>个人数据销毁证明</h1><p>编号 {html.escape(c['erasure'])}；时间 {c['at']}；经办 {html.escape(c['by'])}<br>"
        f"事由：{html.escape(c['reason'])}<br>对象（假名摘要）：{c['subject']}</p>"
        f"<p><b>{verdict}</b>。共删除 {c['rows_removed']} 行，抹去 {c['cells_blanked']} 个单元格。</p>"
        f"<h2>数据表</h2>{_table(c['tables'], TABLE)}<h2>文件</h2>{_table(c['files'], FILE)}"
        f"<h2>经比对归于此人的记录（已一并销毁）</h2>{_table(c['linked'], LINKED)}"
        f"{lists}<p>证明文件 certificate.json 的 SHA-256：{digest}（同值记入审计链事件 person.erased）</p></html>"
    )
