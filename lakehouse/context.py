"""What every command needs: settings and the catalog, made once and only when asked for."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.registry import Catalog
    from catalog.settings import Settings


def utc_now() -> datetime:
    """The one place where the front door reads the clock; rooms get it passed in."""
    return datetime.now(UTC)


def get_settings() -> Settings:
    """Settings from the environment, with the run-time folders made (mode 0700)."""
    from catalog.settings import Settings

    settings = Settings.from_env()
    settings.make_dirs()
    return settings


def get_catalog(settings: Settings) -> Catalog:
    from catalog.registry import load_catalog

    return load_catalog(settings.catalog_dir)


def both() -> tuple[Settings, Catalog]:
    settings = get_settings()
    return settings, get_catalog(settings)


def leave(code: int) -> None:
    """End with ``code`` after flushing; commands use it for verdicts, errors are raised instead."""
    import typer

    sys.stdout.flush()
    raise typer.Exit(code)
