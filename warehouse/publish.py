"""Makes a release of a product: checked, versioned, and either there whole or not at all.

The rows are read once, at one version of the table, into a Parquet file; every format is written from it in a
working folder, read back and scanned. Renaming that folder is the release. What follows (extract table, log, audit
event) is repeated safely by the next run if this one dies in between.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from catalog.errors import ContractError, LakehouseError, ReleaseRefused, UnknownName
from catalog.model import Product
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse import access, duck
from warehouse.release_files import FILES, write_files
from warehouse.release_formats import CGCS2000_NOTE, Job, check_delta, digest, sync, text_expression
from warehouse.release_gate import ReleaseGate
from warehouse.release_notes import changes, dictionary, write_dictionary
from warehouse.release_plan import GEOMETRY_FORMATS, Plan, make_plan
from warehouse.release_private import add_noise, require_counts, sealed, spend
from warehouse.release_scan import check_groups
from warehouse.release_watermark import Copy, copy_of, marked_jobs, plan_mark

if TYPE_CHECKING:
    import duckdb

    from warehouse.tables import TableRef

VERSION = re.compile(r"^(\d{4})-(\d{2})-(\d{2})\.([1-9]\d{0,2})$")
WORKING = ".working"
ROWS = ".rows.parquet"
BEIJING = ZoneInfo("Asia/Shanghai")
Progress = Callable[[str, str], None]


class Release(BaseModel):
    """What became of one product.

    Attributes:
        status: ``released``; ``unchanged``: same content as ``version``, nothing was made; ``refused``: see message.
        files: names and sizes of what lies in ``folder``.
        changes: rows added, removed and changed against the last release.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: str
    status: Literal["released", "unchanged", "refused"]
    version: str = ""
    rows: int = 0
    folder: Path | None = None
    files: tuple[dict[str, Any], ...] = ()
    changes: dict[str, int] = {}
    message: str = ""


def publish(
    settings: Settings,
    catalog: Catalog,
    product_id: str | None = None,
    *,
    now: datetime,
    version: str | None = None,
    principal: access.Principal | None = None,
    progress: Progress | None = None,
) -> list[Release]:
    """Release one product, or all of them.

    Args:
        product_id: None releases every product; one that is refused does not stop the others.
        now: time of the release (aware); its Beijing date begins the version.
        version: ``YYYY-MM-DD.N`` to use instead of the next one.
        principal: who releases, default the account of this process.
        progress: called with product and step.

    Raises:
        UnknownName: no such product, or its table does not exist yet.
        ReleaseRefused: the one product asked for may not leave, or its files fail a check.
    """
    principal = principal or access.local_operator()
    told = progress or (lambda product, step: None)
    if product_id is not None:
        return [_publish(settings, catalog, catalog.product(product_id), now, version, principal, told)]
    done = []
    for product in catalog.products.values():
        try:
            done.append(_publish(settings, catalog, product, now, version, principal, told))
        except LakehouseError as e:
            done.append(Release(product=product.id, status="refused", message=str(e)))
    return done


def _publish(
    settings: Settings,
    catalog: Catalog,
    product: Product,
    now: datetime,
    version: str | None,
    principal: access.Principal,
    told: Progress,
) -> Release:
    from warehouse.tables import resolve, table_lock

    decision = access.decide(principal, [product.table], f"product:{product.id}", now=now)
    access.record(settings, decision, product=product.id)
    decision.require()
    home = settings.releases / product.id
    try:
        source = resolve(settings, product.table)
        with table_lock(settings, f"release.{product.id}"), _engine(settings, product) as con:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            working = _clean_working(home)
            made = _make(settings, catalog, product, source, con, working, now, version, told)
            return _finish(settings, made, con, principal, now, told)
    except (ReleaseRefused, UnknownName, ContractError) as e:
        _audit(settings, principal, "release.refused", {"product": product.id, "reason": e.message}, now)
        raise
    finally:
        shutil.rmtree(home / WORKING, ignore_errors=True)
        (home / ROWS).unlink(missing_ok=True)


class _Made(NamedTuple):
    """A release that lies in its folder, new or found unchanged."""

    manifest: dict[str, Any]
    folder: Path
    job: Job
    is_new: bool


def _make(
    settings: Settings,
    catalog: Catalog,
    product: Product,
    source: TableRef,
    con: duckdb.DuckDBPyConnection,
    working: Path,
    now: datetime,
    version: str | None,
    told: Progress,
) -> _Made:
    """Rows, files and manifest in the working folder, then the rename that releases them."""
    from deltalake import DeltaTable

    home = working.parent
    last_folder, last = last_release(settings, product.id)
    table_version = DeltaTable(source.path).version()
    relation = f"delta_scan({duck.literal(source.path)}, version => {table_version})"
    plan = make_plan(catalog, product, _types(con, relation))
    allowed = _allowed(settings, catalog, product, now)
    told(product.id, "rows")
    job = _canonical(settings, con, plan, relation, home / ROWS)
    content = digest(con, job.rows_sql, [text_expression(c, t) for c, t in job.types.items()])
    rows, content = content[0], sealed(settings, content) if product.private_counts else content
    same = last and (last["content"], last["signature"]) == (list(content), plan.signature())
    if last and last_folder and same and version is None:
        if product.private_counts:  # the exact counts never go further than here
            job = replace(job, canonical=last_folder / f"{product.id}.parquet")
        return _Made(manifest=last, folder=last_folder, job=job, is_new=False)
    version = _next_version(settings, product.id, now, version)
    if product.private_counts:
        rows, allowed["privacy"] = _privately(settings, job, relation, version, now)
    told(product.id, "files")
    gate = ReleaseGate(settings, version, now, last)
    made = _write_copies(settings, catalog, job, working, version, last, last_folder, rows, gate)
    manifest = {
        **_described(plan, job.types, catalog),
        **allowed,
        **made,
        "version": version,
        "released_at": now.isoformat(),
        "rows": rows,
        "content": list(content),
        "signature": plan.signature(),
        "source": {"table": product.table, "layer": source.layer, "version": table_version},
        "files": _listing(working),
    }
    _write_manifest(working / "manifest.json", manifest)
    sync(working)
    working.rename(home / version)
    sync(home)
    return _Made(manifest=manifest, folder=home / version, job=job, is_new=True)


def _canonical(settings: Settings, con: duckdb.DuckDBPyConnection, plan: Plan, relation: str, file: Path) -> Job:
    """The rows that leave, masked, in one file that all others are made of."""
    if any(c.keyed for c in plan.columns):
        from quality.pseudonym import load_key

        load_key(settings.keys).register(con)
    con.execute(
        f"COPY ({plan.select(relation)}) TO {duck.literal(str(file))} (FORMAT parquet, COMPRESSION zstd)",
        list(plan.parameters) or None,
    )
    types = _types(con, f"read_parquet({duck.literal(str(file))})")
    return Job(con, plan, file, types, dictionary(types, plan.columns))


def _allowed(settings: Settings, catalog: Catalog, product: Product, now: datetime) -> dict[str, Any]:
    """What allows the product to leave, for the manifest; refuses before a row is read."""
    from warehouse import approvals

    require_counts(product, approvals.approval_grade(catalog, product))
    held = approvals.require(settings, catalog, product, now=now)
    return {"approvals": held} if held else {}


def _privately(settings: Settings, job: Job, relation: str, version: str, now: datetime) -> tuple[int, dict[str, Any]]:
    """Spend the budget, then put noise on the counts; rows left and what was spent."""
    product = job.plan.product
    spec = product.private_counts
    assert spec is not None
    row = job.con.execute(job.plan.spread(relation), list(job.plan.parameters) or None).fetchall()[0]
    if row and row[0] > 1:
        raise ReleaseRefused(
            f"product {product.id}: one person stands in {row[0]} cells, but the noise hides one",
            hint="count by columns that have one value for a person",
            product=product.id,
        )
    spent = spend(settings, product, spec, version_number(version), now)
    add_noise(job.con, job.canonical, spec, job.plan.order)
    return digest(job.con, job.rows_sql, ["''"])[0], spent


def _write_copies(
    settings: Settings,
    catalog: Catalog,
    job: Job,
    working: Path,
    version: str,
    last: dict[str, Any] | None,
    last_folder: Path | None,
    rows: int,
    gate: ReleaseGate,
) -> dict[str, Any]:
    """Check the rows, write files (of each recipient, where they are marked), and what stands beside them.

    Returns:
        ``changes``, ``findings``, ``watermark``, ``anonymity`` and ``gate`` for the manifest.
    """
    product = job.plan.product
    found: dict[str, Any] = {}
    if product.anonymity:
        try:
            found["anonymity"] = check_groups(job)
        except ReleaseRefused:
            gate.ask(job, {}, None)  # for the record, with whatever else is wrong
            raise
    mark = plan_mark(job, catalog)
    found["watermark"] = mark.described(product.recipients)
    write_dictionary(job.dictionary, working / "dictionary.csv")
    if not mark.carriers:
        found["findings"] = gate.check(Copy("", job, write_files(job, working), None))
        text, found["changes"] = changes(job, version, last, last_folder, rows)
    else:
        text = ""
        for copy in marked_jobs(settings, job, mark, working):
            recipient, marked = copy.recipient, copy.job
            found["findings"] = gate.check(copy)
            before = copy_of(last, recipient)
            if not text or before is not last:  # a copy is compared with the same recipient's
                text, found["changes"] = changes(marked, version, before, last_folder, rows)
            shutil.copyfile(working / "dictionary.csv", working / recipient / "dictionary.csv")
            sync(working / recipient)
    (working / "CHANGES.md").write_text(text, encoding="utf-8")
    return {**found, "gate": gate.described()}


def _finish(
    settings: Settings,
    made: _Made,
    con: duckdb.DuckDBPyConnection,
    principal: access.Principal,
    now: datetime,
    told: Progress,
) -> Release:
    """Extract table, log row and audit event of a release; each is made once, whoever comes here first."""
    import pyarrow as pa

    from warehouse.delta import commit_once
    from warehouse.tables import table_lock

    manifest, job = made.manifest, made.job
    product, number = manifest["product"], version_number(manifest["version"])
    if "delta" in manifest["formats"]:
        told(product, "table")
        path = settings.table_path("extract", "extract", product)
        rows = con.execute(f"FROM {job.rows_sql}").to_arrow_reader(65_536)
        commit_once(path, rows, mode="overwrite", app_id=f"release:{product}", version=number, evolve=True)
        check_delta(job, path)
    digest_of_manifest = _sha256(made.folder / "manifest.json")
    row = {
        "product": product,
        "version": manifest["version"],
        "released_at": datetime.fromisoformat(manifest["released_at"]),
        "source_table": manifest["source"]["table"],
        "source_version": manifest["source"]["version"],
        "rows": manifest["rows"],
        "bytes": sum(f["bytes"] for f in manifest["files"]),
        "grade": manifest["grade"],
        "formats": ",".join(manifest["formats"]),
        "purpose": manifest["purpose"],
        "legal_basis": manifest["legal_basis"],
        "recipients": ",".join(manifest["recipients"]),
        "principal": principal.id,
        "manifest_sha256": digest_of_manifest,
    }
    with table_lock(settings, "platform.releases"):
        log = settings.platform_path("releases")
        table = pa.Table.from_pylist([row], schema=_log_schema())
        is_new = commit_once(log, table, mode="append", app_id=f"release:{product}", version=number, evolve=True)
    if is_new:
        wanted = ("product", "version", "rows", "recipients", "purpose")
        detail = {**{k: manifest[k] for k in wanted}, "manifest_sha256": digest_of_manifest}
        _audit(settings, principal, "release.published", detail, now)
    return Release(
        product=product,
        status="released" if made.is_new else "unchanged",
        version=manifest["version"],
        rows=manifest["rows"],
        folder=made.folder,
        files=tuple(manifest["files"]),
        changes=manifest["changes"] if made.is_new else {},
        message="" if made.is_new else f"内容与 {manifest['version']} 相同，未生成新版本",
    )


def releases_of(settings: Settings, product_id: str) -> list[Path]:
    """The folders of a product's releases, oldest first."""
    home = settings.releases / product_id
    if not home.is_dir():
        return []
    found = [p for p in home.iterdir() if VERSION.match(p.name) and (p / "manifest.json").is_file()]
    return sorted(found, key=lambda p: version_number(p.name))


def last_release(settings: Settings, product_id: str) -> tuple[Path, dict[str, Any]] | tuple[None, None]:
    """Folder and manifest of the newest release, or a pair of None."""
    folders = releases_of(settings, product_id)
    if not folders:
        return None, None
    return folders[-1], json.loads((folders[-1] / "manifest.json").read_text(encoding="utf-8"))


def version_number(version: str) -> int:
    """A version as a number that rises with it: 2026-11-22.1 → 20261122001.

    Raises:
        ReleaseRefused: not a version.
    """
    match = VERSION.match(version)
    if not match:
        raise ReleaseRefused(f"{version!r} is not a release version", hint="write YYYY-MM-DD.N, as 2026-11-22.1")
    year, month, day, number = match.groups()
    return int(f"{year}{month}{day}{int(number):03d}")


def _next_version(settings: Settings, product_id: str, now: datetime, wanted: str | None) -> str:
    """The next version of the day; never one used before, even when the clock went back or a folder was removed."""
    from warehouse.delta import transaction_version

    folders = (settings.releases / product_id).iterdir()
    numbers = [version_number(p.name) for p in folders if VERSION.match(p.name)]
    for path in (settings.table_path("extract", "extract", product_id), settings.platform_path("releases")):
        numbers.append(transaction_version(path, f"release:{product_id}") or 0)
    last = max(numbers)
    if wanted is not None:
        if version_number(wanted) <= last:
            raise ReleaseRefused(f"version {wanted} is not above the last one", hint="leave version out, or raise it")
        return wanted
    first = version_number(f"{now.astimezone(BEIJING):%Y-%m-%d}.1")
    number = str(max(first, last + 1))
    return f"{number[:4]}-{number[4:6]}-{number[6:8]}.{int(number[8:])}"


def _described(plan: Plan, types: dict[str, str], catalog: Catalog) -> dict[str, Any]:
    product = plan.product
    columns = [
        {**c.model_dump(include={"name", "origin", "label", "unit", "mask", "grade"}), "type": types[c.name]}
        for c in plan.columns
    ]
    spatial = GEOMETRY_FORMATS & set(product.formats)
    return {
        "product": product.id,
        "title": product.title,
        "owner": product.owner,
        "owner_name": catalog.departments[product.owner].name,
        "purpose": product.purpose,
        "legal_basis": product.legal_basis,
        "recipients": list(product.recipients),
        "sharing": product.sharing,
        "opening": product.opening,
        "licence": product.licence,
        "grade": plan.grade,
        "masks": {c.name: c.mask for c in plan.columns if c.mask},
        "formats": list(product.formats),
        "columns": columns,
        **({"coordinates": CGCS2000_NOTE} if spatial else {}),
    }


def _listing(folder: Path) -> list[dict[str, Any]]:
    """Every file of the release but the manifest, with size and checksum; those of a recipient below its name."""
    suffixes = {suffix: kind for kind, (suffix, *_) in FILES.items()}
    listed = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        path.chmod(0o600)
        suffix = path.name[path.name.index(".") :]
        is_data = path.stem.partition(".")[0] not in ("dictionary", "CHANGES")
        kind = suffixes[suffix] if is_data else path.stem.lower()
        size, name = path.stat().st_size, path.relative_to(folder).as_posix()
        listed.append({"name": name, "format": kind, "bytes": size, "sha256": _sha256(path)})
    return listed


def _write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    path.chmod(0o600)
    sync(path)


def _clean_working(home: Path) -> Path:
    """A fresh working folder; what a run that died left in it was never released."""
    working = home / WORKING
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(mode=0o700)
    return working


def _engine(settings: Settings, product: Product) -> duckdb.DuckDBPyConnection:
    spill = settings.build / "spill"
    spill.mkdir(parents=True, exist_ok=True, mode=0o700)
    con = duck.connect(spill=spill)
    duck.load_extension(con, "delta")
    if "xlsx" in product.formats:
        duck.load_extension(con, "excel")
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_external_file_cache = false")  # working files are written anew under the name they had
    return con


def _types(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in con.execute(f"DESCRIBE FROM {relation}").fetchall()}


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _log_schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("product", pa.string()),
            ("version", pa.string()),
            ("released_at", pa.timestamp("us", "UTC")),
            ("source_table", pa.string()),
            ("source_version", pa.int64()),
            ("rows", pa.int64()),
            ("bytes", pa.int64()),
            ("grade", pa.int64()),
            ("formats", pa.string()),
            ("purpose", pa.string()),
            ("legal_basis", pa.string()),
            ("recipients", pa.string()),
            ("principal", pa.string()),
            ("manifest_sha256", pa.string()),
        ]
    )


def _audit(settings: Settings, principal: access.Principal, event: str, detail: dict[str, Any], now: datetime) -> None:
    from warehouse.audit import AuditLog

    AuditLog(settings, actor=principal.id).append(event, detail, at=now)
