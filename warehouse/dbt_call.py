"""Calls dbt in this process, and keeps what it read of a project until the project changes.

Reading the project takes dbt 3 to 6 s. What it reads does not depend on the lakehouse (homes, paths and times are
asked for when a model runs), so one reading serves every build of this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalog.errors import LakehouseError
from catalog.settings import Settings
from catalog.signature import Signature, signature
from warehouse.dbt_report import scrub


class BuildFailed(LakehouseError):
    """The dbt project could not be read, or a node of it failed."""

    code = "LH612"
    exit_code = 1


_read: dict[Path, tuple[Signature, list[tuple[str, str]], Any]] = {}
"""Project to its files and settings when it was read, and the manifest, which nobody else holds."""


def target(settings: Settings) -> Path:
    """Where dbt writes what it compiled."""
    return settings.build / "target"


def call(
    args: list[str],
    settings: Settings,
    project: Path,
    *,
    manifest: Any = None,
    listener: Callable[[Any], None] | None = None,
) -> Any:
    """Run one command of dbt; its outcome has ``success``, ``result`` and ``exception``."""
    from dbt.cli.main import dbtRunner
    from dbt_common.behavior_flags import BehaviorFlagRendered

    # which module declares a flag, for a warning nobody sees here: dbt reads the source of every caller to find out,
    # a fifth of a small build
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]
    runner = dbtRunner(manifest=manifest, callbacks=[listener] if listener else [])
    quiet = ["--quiet", "--log-level", "none", "--log-level-file", "none", "--no-use-colors", "--no-version-check"]
    paths = {
        "--project-dir": project,
        "--profiles-dir": project,
        "--target-path": target(settings),
        "--log-path": settings.build / "logs",
    }
    return runner.invoke([*quiet, *args, *(str(part) for pair in paths.items() for part in pair)])


def parse(settings: Settings, project: Path) -> Any:
    """The manifest of a project, the caller's own to mark and change.

    Raises:
        BuildFailed: the project cannot be parsed.
    """
    files, variables = _state(project)
    known = _read.get(project)
    if known is None or known[:2] != (files, variables):
        outcome = call(["parse"], settings, project)
        if not outcome.success:
            raise failure(outcome.exception, "the dbt project cannot be read")
        known = _read[project] = (files, variables, outcome.result)
    return copy_of(known[2])


def copy_of(manifest: Any) -> Any:
    """A manifest of its own. dbt's way fails over lists of what is disabled, which partial parsing leaves behind of
    tests that were removed."""
    disabled, manifest.disabled = manifest.disabled, {}
    try:
        copied = manifest.deepcopy()
    finally:
        manifest.disabled = disabled
    copied.disabled = {name: list(nodes) for name, nodes in disabled.items()}
    return copied


def _state(project: Path) -> tuple[Signature, list[tuple[str, str]]]:
    # a lakehouse's own variables are read by models as they run, never while the project is read
    variables = sorted((k, v) for k, v in os.environ.items() if k.startswith("DBT_"))
    return signature(project, skip=("target", "logs", "dbt_packages")), variables


def failure(cause: BaseException | None, fallback: str) -> LakehouseError:
    """What to raise for an outcome without success."""
    if isinstance(cause, LakehouseError):
        return cause
    return BuildFailed(scrub(str(cause)) if cause else fallback, hint="mend the file named and build again")
