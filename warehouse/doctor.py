"""Is this installation fit to work? One check a thing that has broken somewhere, each with its cure."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from catalog.errors import LakehouseError
from catalog.settings import Settings
from warehouse import duck

DISTRIBUTION = "xicheng-lakehouse"
EXTENSIONS = ("delta", "spatial", "excel")
FREE_BYTES = 2 * 1024**3
"""Less free space than this, and a load of a large file may fail."""
PRIVATE = ("keys", "lake", "releases", "build", "drop", "audit")


class Check(BaseModel):
    """One thing looked at. ``cure`` is empty when it is ok."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    ok: bool
    detail: str
    cure: str = ""


class _Sick(Exception):
    """What a check found wrong, and the cure."""

    def __init__(self, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.detail, self.cure = detail, cure


def doctor(settings: Settings, only: Collection[str] = ()) -> list[Check]:
    """Look at versions, extensions, permissions, space, catalog, lake, locks, unfinished work and the audit log.

    Changes nothing. A check that cannot be made counts as failed.

    Args:
        only: names of the checks to make; all when empty.
    """
    checks: dict[str, Callable[[Settings], str]] = {
        "python": _python,
        "packages": _packages,
        "duckdb extensions": _extensions,
        "home": _home,
        "keys": _keys,
        "disk": _disk,
        "catalog": _catalog,
        "lake": _lake,
        "locks": _locks,
        "landings": _landings,
        "releases": _releases,
        "audit log": _audit,
    }
    return [_run(name, check, settings) for name, check in checks.items() if not only or name in only]


def _run(name: str, check: Callable[[Settings], str], settings: Settings) -> Check:
    try:
        return Check(name=name, ok=True, detail=check(settings))
    except _Sick as e:
        return Check(name=name, ok=False, detail=e.detail, cure=e.cure)
    except LakehouseError as e:
        place = ", ".join(f"{k}={v}" for k, v in e.where.items())
        return Check(name=name, ok=False, detail=f"{e.message} ({place})" if place else e.message, cure=e.hint)
    except OSError as e:
        return Check(name=name, ok=False, detail=str(e), cure="check that the file exists and its permissions")


def _python(settings: Settings) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise _Sick(f"Python {version}", "use Python 3.11, 3.12 or 3.13")
    return f"Python {version}, {os.cpu_count()} cores"


def _packages(settings: Settings) -> str:
    """Every package the project requires is installed in a version it allows."""
    from packaging.requirements import Requirement

    try:
        required = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        raise _Sick(f"{DISTRIBUTION} itself is not installed", "run `make setup`, or `pip install .`") from None
    wrong = []
    for need in required:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(found, prereleases=True):
            wrong.append(f"{need.name} {found}, wanted {need.specifier}")
    if wrong:
        raise _Sick("; ".join(wrong), "install again from the lock file: `uv sync`")
    shown = ("duckdb", "deltalake", "dbt-core", "great-expectations", "apache-airflow")
    return ", ".join(f"{name} {metadata.version(name)}" for name in shown)


def _extensions(settings: Settings) -> str:
    con = duck.connect()
    try:
        for name in EXTENSIONS:
            duck.load_extension(con, name)
    finally:
        con.close()
    return f"{', '.join(EXTENSIONS)} load without a network"


def _home(settings: Settings) -> str:
    """The run-time folder is there, ours, and closed to others."""
    if not settings.home.exists():
        parent = next(p for p in settings.home.parents if p.exists())
        if not os.access(parent, os.W_OK):
            raise _Sick(f"{settings.home} cannot be made", f"make {parent} writable, or set LAKEHOUSE_HOME")
        return f"{settings.home} will be made on first use"
    if not os.access(settings.home, os.W_OK | os.X_OK):
        raise _Sick(f"{settings.home} cannot be written", "set LAKEHOUSE_HOME to a folder of yours")
    if stat.S_IMODE(settings.home.stat().st_mode) & 0o077:  # what is inside is then out of reach too
        bad = [p for p in (settings.home / name for name in PRIVATE) if _open_to_others(p)]
        if bad:
            raise _Sick(
                f"others may read {', '.join(str(p) for p in bad)}", f"chmod 700 {' '.join(str(p) for p in bad)}"
            )
    return str(settings.home)


def _keys(settings: Settings) -> str:
    files = sorted(p for p in settings.keys.rglob("*") if p.is_file()) if settings.keys.is_dir() else []
    secret = [p for p in files if p.suffix == ".key" or p.parent.name == "vault"]
    bad = [p for p in secret if stat.S_IMODE(p.stat().st_mode) & 0o077]
    if bad:
        raise _Sick(
            f"others may read {', '.join(p.name for p in bad)}",
            f"chmod 600 {settings.keys}/*.key {settings.keys}/vault/*.json",
        )
    empty = [p.name for p in secret if p.stat().st_size == 0]
    if empty:
        raise _Sick(f"empty: {', '.join(empty)}", "restore the keys folder from its backup")
    return f"{len(secret)} keys, mode 0600" if secret else "no key yet; made on first use"


def _disk(settings: Settings) -> str:
    place = settings.home if settings.home.exists() else next(p for p in settings.home.parents if p.exists())
    free = shutil.disk_usage(place).free
    if free < FREE_BYTES:
        raise _Sick(f"{free / 1024**3:.1f} GiB free", "free at least 2 GiB, or move LAKEHOUSE_HOME")
    return f"{free / 1024**3:.1f} GiB free"


def _catalog(settings: Settings) -> str:
    from catalog.registry import load_catalog

    found = load_catalog(settings.catalog_dir)
    return f"{len(found.feeds)} feeds, {len(found.elements)} elements, {len(found.products)} products"


def _lake(settings: Settings) -> str:
    """The newest version of every table can be opened."""
    import duckdb

    from warehouse.tables import list_tables

    tables = list_tables(settings)
    broken = []
    con = duck.connect()
    try:
        if tables:
            duck.load_extension(con, "delta")
        for table in tables:
            try:
                con.execute(f"DESCRIBE FROM delta_scan({duck.literal(table.path)})")
            except duckdb.Error:
                broken.append(table.sql_name)
    finally:
        con.close()
    if broken:
        cure = "restore the folder from a backup, or remove it and load or build again"
        raise _Sick(f"cannot be read: {', '.join(broken)}", cure)
    return f"{len(tables)} tables"


def _locks(settings: Settings) -> str:
    """Who writes now. The system frees a lock when its holder dies, so a held lock is a living process."""
    held = _held(settings)
    return f"being written: {', '.join(held)}" if held else "none held"


def _held(settings: Settings) -> list[str]:
    from filelock import FileLock, Timeout

    folder = settings.home / "locks"
    held = []
    for file in sorted(folder.glob("*.lock")) if folder.is_dir() else []:
        try:
            with FileLock(file, timeout=0):
                pass
        except Timeout:
            held.append(file.stem)
    return held


def _landings(settings: Settings) -> str:
    """Deliveries that were landed and never loaded."""
    open_ones = list(unfinished_landings(settings))
    if open_ones:
        feeds = sorted({feed for feed, _ in open_ones})
        raise _Sick(
            f"{len(open_ones)} landed deliveries were not loaded: {', '.join(feeds)}",
            "run `lakehouse ingest FEED` for each; it takes them up again",
        )
    return "all loaded"


def unfinished_landings(settings: Settings) -> Iterator[tuple[str, str]]:
    """Feed and receipt of every landing that has no outcome yet."""
    for paper in sorted(settings.landing.glob("*/*/receipt.json")):
        if not (paper.parent / "outcome.json").exists():
            yield paper.parent.parent.name, paper.parent.name


def _releases(settings: Settings) -> str:
    from warehouse.publish import WORKING, releases_of

    if not settings.releases.is_dir():
        return "none yet"
    homes = [p for p in settings.releases.iterdir() if p.is_dir()]
    held = _held(settings)
    left = [p.name for p in homes if (p / WORKING).exists() and f"release.{p.name}" not in held]
    if left:
        raise _Sick(f"a release of {', '.join(left)} did not end", "run `lakehouse publish`; it starts that one afresh")
    return f"{sum(len(releases_of(settings, p.name)) for p in homes)} releases of {len(homes)} products"


def _audit(settings: Settings) -> str:
    from warehouse.audit_verify import verify

    faults, events = verify(settings.home / "audit")
    if faults:
        raise _Sick(
            f"{len(faults)} faults, first: {faults[0]}", "keep the folder as it is and call the security officer"
        )
    return f"{events} events, chain whole"


def _open_to_others(path: Path) -> bool:
    return path.exists() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
