"""One copy of a release for each recipient, each with that recipient's watermark; and whose copy a file is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.errors import ReleaseRefused
from catalog.model import Carrier
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.duck import literal
from warehouse.release_files import write_files
from warehouse.release_formats import Job

if TYPE_CHECKING:
    from quality.watermark import Candidate, Match

HIDDEN = ".marked.parquet"


class Mark(NamedTuple):
    """Whether a release is marked, and why not.

    Attributes:
        status: ``marked``; ``weak``: too few distinct values to be sure after losses; ``none``.
    """

    status: str
    reason: str
    carriers: dict[str, Carrier]
    distinct: int

    def described(self, recipients: tuple[str, ...]) -> dict[str, Any]:
        """For the manifest."""
        if self.status == "none":
            return {"status": "none", "reason": self.reason}
        carriers = {name: carrier.model_dump(exclude_defaults=True) for name, carrier in self.carriers.items()}
        found = {"status": self.status, "carriers": carriers, "distinct_values": self.distinct}
        note = "列于 formats 的 delta 表不含水印，按访问授权管理"
        return {
            **found,
            "recipients": list(recipients),
            "note": note,
            **({"reason": self.reason} if self.reason else {}),
        }


def plan_mark(job: Job, catalog: Catalog) -> Mark:
    """How the rows of ``job`` can be marked.

    Raises:
        ReleaseRefused: a declared carrier must not change.
    """
    from quality import watermark

    product = job.plan.product
    if not product.watermark:
        return Mark("none", "产品未声明可承载水印的列", {}, 0)
    if "public" in product.recipients:
        return Mark("none", "面向社会公开，无需区分接收方", {}, 0)
    if not set(product.formats) - {"delta"}:
        return Mark("none", "不含文件格式", {}, 0)
    planned = {c.name: c for c in job.plan.columns}
    for name, carrier in product.watermark.items():
        column = planned.get(name)
        if column is None:
            reason: str | None = "it is not released"
        elif column.mask:
            reason = "it is masked"
        else:
            element = catalog.elements.get(column.origin)
            is_key = name in product.order_by or bool(product.anonymity and name in product.anonymity.quasi)
            reason = watermark.unfit(name, carrier, job.types[name], element, is_key=is_key)
        if reason:
            raise ReleaseRefused(
                f"product {product.id}: column {name} may not carry a watermark: {reason}",
                hint="declare another column under watermark, or none",
                product=product.id,
                column=name,
            )
    found = watermark.capacity(job.con, job.rows_sql, product.watermark)
    weak = found < watermark.MINIMUM
    reason = f"可承载的不同取值仅 {found} 个，少于 {watermark.MINIMUM} 个，部分泄露时可能无法判定" if weak else ""
    return Mark("weak" if weak else "marked", reason, dict(product.watermark), found)


class Copy(NamedTuple):
    """One recipient's copy. ``job``: its marked rows, gone when the next copy is asked for; ``files``: by format.

    ``is_named``: read back, it names its recipient alone; None where too few values carry the mark to be sure.
    """

    recipient: str
    job: Job
    files: dict[str, Path]
    is_named: bool | None


def marked_jobs(settings: Settings, job: Job, mark: Mark, working: Path) -> Iterator[Copy]:
    """Write and read back every recipient's files below ``working/<recipient>/``."""
    from quality import watermark

    key = watermark.load_key(settings.keys)
    product = job.plan.product
    hidden = working / HIDDEN
    try:
        for recipient in product.recipients:
            watermark.register(job.con, key.of(product.id, recipient))
            try:
                selected = watermark.mark_sql(job.rows_sql, mark.carriers, job.types)
                job.con.execute(f"COPY ({selected}) TO {literal(str(hidden))} (FORMAT parquet, COMPRESSION zstd)")
            finally:
                watermark.unregister(job.con)
            marked = replace(job, canonical=hidden)
            is_named = _is_named(marked, recipient, key) if mark.status == "marked" else None
            folder = working / recipient
            folder.mkdir(mode=0o700)
            yield Copy(recipient, marked, write_files(marked, folder), is_named)
    finally:
        hidden.unlink(missing_ok=True)


def copy_of(manifest: dict[str, Any] | None, recipient: str) -> dict[str, Any] | None:
    """The manifest with one recipient's files only; as it is when that release had none of theirs."""
    if manifest is None:
        return None
    own = [f for f in manifest["files"] if f["name"].startswith(f"{recipient}/")]
    return {**manifest, "files": own} if own else manifest


def refuse_unmarked(copy: Copy) -> None:
    """Hold back a copy that does not name its recipient.

    Raises:
        ReleaseRefused: it was read back and names nobody, or somebody else too.
    """
    if copy.is_named is False:
        product = copy.job.plan.product
        raise ReleaseRefused(
            f"product {product.id}: the copy for {copy.recipient} does not carry its watermark",
            hint="nothing was released; declare carriers with more distinct values",
            product=product.id,
        )


def _is_named(job: Job, recipient: str, key: Any) -> bool:
    from quality.watermark import Candidate, detect_relation

    product = job.plan.product
    names = {name: (name,) for name in product.watermark}
    heads = {name: {name} for name in product.watermark}
    asked = [Candidate(product.id, who, product.watermark, names) for who in product.recipients]
    named = [m.recipient for m in detect_relation(job.con, job.rows_sql, heads, asked, key) if m.is_named]
    return named == [recipient]


def who_leaked(settings: Settings, catalog: Catalog, file: Path, product_id: str | None = None) -> list[Match]:
    """How well a file fits every copy that was ever released, best first; only those ``is_named`` are sure.

    Args:
        product_id: only copies of this product.

    Raises:
        InputError: the file cannot be read.
        UnknownName: no such product.
        KeyFault: the watermark key is missing or unsafe.
        ReleaseRefused: no marked copy was ever released.
    """
    from quality.watermark import detect, load_key

    if product_id is not None:
        catalog.product(product_id)
    found = list(_released(settings, product_id))
    if not found:
        raise ReleaseRefused(
            "no release with watermarks lies here", hint="manifests say watermark: none with the reason"
        )
    return detect(file, found, load_key(settings.keys, create=False))


def _released(settings: Settings, product_id: str | None) -> Iterator[Candidate]:
    """The distinct ways in which copies were marked, from the manifests of all releases."""
    from quality.watermark import Candidate

    seen: set[str] = set()
    for path in sorted(settings.releases.glob(f"{product_id or '*'}/*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        mark = manifest.get("watermark") or {}
        if not mark.get("carriers"):
            continue
        labels = {c["name"]: c for c in manifest["columns"]}
        names = {}
        for name in mark["carriers"]:
            label, unit = labels[name]["label"], labels[name]["unit"]
            names[name] = (name, label, f"{label}（{unit}）")
        carriers = {name: Carrier.model_validate(spec) for name, spec in mark["carriers"].items()}
        for recipient in mark["recipients"]:
            known = json.dumps([manifest["product"], recipient, mark["carriers"], names], sort_keys=True)
            if known not in seen:
                seen.add(known)
                yield Candidate(manifest["product"], recipient, carriers, names)
