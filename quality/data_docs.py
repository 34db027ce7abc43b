"""Data Docs that open without a network: Great Expectations' own pages over local styles, and an index in Chinese.

`keep` stores a gate's result (milliseconds, part of every load); `build_docs` renders what is not rendered yet.
Everything here is counts and rule texts; words of errors inside an expectation, which may quote values, are left out.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from catalog.errors import LakehouseError
from catalog.model import Feed
from catalog.settings import Settings

if TYPE_CHECKING:
    from quality.rules import BatchStats
    from quality.verdict import GateResult

ASSETS = Path(__file__).resolve().parent / "assets"
RESULTS = ".results"
KEPT = 30
"""Results kept a feed; older ones are rows of ``platform.validations`` only."""

_VERDICTS = {"passed": "通过", "warned": "通过，有提醒", "stopped": "停下，未入库"}
_SEVERITIES = {"warn": "提醒", "reject": "隔离该行", "stop": "整批停下"}
_PARTIES = {"source": "来源部门", "platform": "平台"}
_WORDS = {
    "Table-Level Expectations": "整表",
    "Run Info": "运行信息",
    "Status": "结果",
    "Expectation": "不应出现的情况",
    "Observed Value": "结果值",
    "Run Name": "运行名称",
    "Run Time": "运行时间",
    "Great Expectations Version": "Great Expectations 版本",
}
_PHRASES = (
    (re.compile(r"^(\S+) not null$"), r"有值 \1"),
    (re.compile(r"^(\S+) unexpected$"), r"不符合 \1"),
    # a template of the renderer: its parameters are filled in by the view
    (
        re.compile(
            r"(\$unexpected_count) unexpected values found\. (\$unexpected_percent) of (\$element_count) total rows\."
        ),
        r"不符合 \1 行，占 \3 行的 \2",
    ),
)
_OUTSIDE = re.compile(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import""", re.I)


class DocsNotLocal(LakehouseError):
    """A page would load something over the network."""

    code = "LH320"


def docs_dir(settings: Settings) -> Path:
    """Where Data Docs live; open ``index.html`` in a browser."""
    return settings.home / "data_docs"


def keep(
    folder: Path,
    feed: Feed,
    gate: GateResult,
    batch: BatchStats,
    document: Any,
    now: datetime,
    labels: Mapping[str, str],
) -> Path:
    """Store one result for rendering: whole or not at all, and once a receipt.

    Args:
        document: Great Expectations' validation result.
        labels: column to its Chinese name.
    """
    counts = {
        "rows_found": batch.rows_found,
        "rows_accepted": batch.rows_accepted,
        "rows_quarantined": batch.rows_quarantined,
        "rows_skipped": batch.rows_skipped,
    }
    return _keep(folder, (feed.id, feed.title, batch.receipt), gate, counts, document, now, labels)


def keep_suite(
    folder: Path,
    name: str,
    title: str,
    receipt: str,
    gate: GateResult,
    document: Any,
    now: datetime,
    labels: Mapping[str, str],
) -> Path:
    """Store the result of a suite of a table or release, as `keep` does for a batch of a feed.

    Args:
        name: of the suite, ``library:schema.table``.
    """
    accepted = 0 if gate.verdict == "stopped" else gate.rows
    counts = {"rows_found": gate.rows, "rows_accepted": accepted, "rows_quarantined": 0, "rows_skipped": 0}
    return _keep(folder, (name, title, receipt), gate, counts, document, now, labels)


def _keep(
    folder: Path,
    who: tuple[str, str, str],
    gate: GateResult,
    counts: Mapping[str, int],
    document: Any,
    now: datetime,
    labels: Mapping[str, str],
) -> Path:
    name, title, receipt = who
    failed = [r for r in gate.results if not r.success]
    content = {
        "feed": name,
        "title": title,
        "receipt": receipt,
        "verdict": gate.verdict,
        "reason": gate.reason,
        "checked_at": f"{now.astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H:%M:%S}",
        **counts,
        "rules": len(gate.results),
        "failures": len(failed),
        "failed": [
            {k: getattr(r, k) for k in ("code", "message", "severity", "party", "unexpected")}
            for r in sorted(failed, key=lambda r: -(r.unexpected or 0))
        ],
        "labels": dict(labels),
        "document": _without_error_texts(document.to_json_dict()),
    }
    target = folder / RESULTS / _file_name(name) / f"{_file_name(receipt)}.json"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(target, json.dumps(content, ensure_ascii=False, default=str))
    return target


def build_docs(settings: Settings) -> Path:
    """Render every result that has no page yet, and the index; returns the index.

    Results are a page each, a tenth of a second; the first call of a process imports Great Expectations (5 to 8 s)
    unless there is nothing to render.

    Raises:
        DocsNotLocal: a page would need the network; nothing is written.
    """
    from filelock import FileLock

    folder = docs_dir(settings)
    (folder / RESULTS).mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(str(folder / RESULTS / ".lock")):
        feeds: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for path in sorted((folder / RESULTS).glob("*/*.json")):
            kept = json.loads(path.read_text(encoding="utf-8"))
            page = folder / path.parent.name / f"{path.stem}.html"
            if not page.exists() or page.stat().st_mtime_ns < path.stat().st_mtime_ns:
                page.parent.mkdir(exist_ok=True, mode=0o700)
                _write(page, _page(kept))
            kept.pop("document")
            feeds[kept["feed"]].append({**kept, "page": f"{page.parent.name}/{page.name}", "file": path})
        history = [_newest(folder, results) for _, results in sorted(feeds.items())]
        (folder / "static").mkdir(exist_ok=True)
        shutil.copyfile(ASSETS / "data_docs.css", folder / "static" / "data_docs.css")
        _write(folder / "index.html", _local(_templates().get_template("index.j2").render(feeds=history, **_names())))
    return folder / "index.html"


def _newest(folder: Path, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The newest results of one feed, newest first; older files are removed."""
    ordered = sorted(results, key=lambda k: (k["checked_at"], k["receipt"]), reverse=True)
    for old in ordered[KEPT:]:
        (folder / old["page"]).unlink(missing_ok=True)
        old["file"].unlink(missing_ok=True)
    return {"latest": ordered[0], "history": ordered[:KEPT]}


def _page(kept: dict[str, Any]) -> str:
    """One result through Great Expectations' renderer and view, with this project's page around it."""
    from quality.gx_context import great_expectations

    great_expectations(tables=True)
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResultSchema
    from great_expectations.render import RenderedDocumentContent
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    loaded = ExpectationSuiteValidationResultSchema().load(kept["document"])
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(_as_result(loaded))
    headings = {name: f"{label} {name}" for name, label in kept["labels"].items()}
    content = _in_chinese(document.to_json_dict(), {**_WORDS, **headings})
    sections = [s for s in content["sections"] if s.get("section_name") != "Overview"]
    assert isinstance(document, RenderedDocumentContent)
    return _local(_view()._get_template("page.j2").render({**content, "sections": sections}, kept=kept, **_names()))


@lru_cache(maxsize=1)
def _view() -> Any:
    """Great Expectations' view with this project's page; one for all pages, since it keeps compiled templates."""
    from great_expectations.render.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, FileSystemLoader

    view = DefaultJinjaPageView()
    view.env.loader = ChoiceLoader([FileSystemLoader(str(ASSETS)), *([view.env.loader] if view.env.loader else [])])
    return view


def _as_result(loaded: Any) -> Any:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult

    if isinstance(loaded, dict):
        known = {k: v for k, v in loaded.items() if not k.startswith("_")}
        return ExpectationSuiteValidationResult(**known)
    return loaded


def _names() -> dict[str, Any]:
    return {"verdicts": _VERDICTS, "severities": _SEVERITIES, "parties": _PARTIES}


def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(str(ASSETS)), autoescape=True)


def _in_chinese(content: Any, words: Mapping[str, str]) -> Any:
    """The renderer's fixed English words and column names in Chinese; rule texts are Chinese already."""
    if isinstance(content, dict):
        return {k: _in_chinese(v, words) for k, v in content.items()}
    if isinstance(content, list):
        return [_in_chinese(v, words) for v in content]
    if not isinstance(content, str):
        return content
    for form, replacement in _PHRASES:
        content = form.sub(replacement, content)
    return words.get(content, content)


def _without_error_texts(content: Any) -> Any:
    """Error messages and traces of expectations may quote values: only that there was an error is kept."""
    if isinstance(content, dict):
        hidden = {"exception_message": "检查本身出错，详见 platform.validations", "exception_traceback": ""}
        return {
            k: hidden[k] if k in hidden and v else _without_error_texts(v)
            for k, v in content.items()
            if k != "_metrics"
        }
    if isinstance(content, list):
        return [_without_error_texts(v) for v in content]
    return content


def _local(html: str) -> str:
    found = _OUTSIDE.search(html)
    if found:
        raise DocsNotLocal(
            "a page of Data Docs would load something over the network",
            hint="Great Expectations changed its templates; adapt quality/assets/",
            found=html[found.start() : found.end() + 40],
        )
    return html


def _file_name(receipt: str) -> str:
    return re.sub(r"[^0-9A-Za-z._-]", "_", receipt)


def _write(target: Path, text: str) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, target)
