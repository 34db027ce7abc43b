"""Data Docs that open without a network: Great Expectations' own pages over local styles, and an index in Chinese.

`keep` stores a gate's result (milliseconds, part of every load); `build_docs` renders what is not rendered yet.
"""

from __future__ import annotations

import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.model import Feed
from catalog.settings import Settings

if TYPE_CHECKING:
    from quality.gate import GateResult
    from quality.rules import BatchStats

RESULTS = ".results"


def docs_dir(settings: Settings) -> Path:
    """Where Data Docs live; open ``index.html`` in a browser."""
    return settings.home / "data_docs"


def keep(folder: Path, feed: Feed, gate: GateResult, batch: BatchStats, document: Any, now: datetime) -> Path:
    """Store one result for rendering: whole or not at all, and once a receipt."""
    target = folder / RESULTS / feed.id / f"{batch.receipt}.json"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    failed = [r for r in gate.results if not r.success]
    content = {
        "feed": feed.id,
        "title": feed.title,
        "receipt": batch.receipt,
        "verdict": gate.verdict,
        "reason": gate.reason,
        "checked_at": now.isoformat(),
        "rows_found": batch.rows_found,
        "rows_accepted": batch.rows_accepted,
        "rows_quarantined": batch.rows_quarantined,
        "rows_skipped": batch.rows_skipped,
        "rules": len(gate.results),
        "failed": [{"code": r.code, "message": r.message, "unexpected": r.unexpected} for r in failed],
        "document": document.to_json_dict(),
    }
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    draft.write_text(json.dumps(content, ensure_ascii=False, default=str), encoding="utf-8")
    os.replace(draft, target)
    return target
