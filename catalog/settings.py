"""Where things are. Everything made at run time lives under one folder, ``LAKEHOUSE_HOME``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

PACKAGED_CATALOG = Path(__file__).resolve().parent

LAYERS = ("feed", "quarantine", "vault", "library", "mart", "extract", "platform")
"""Layers that hold Delta tables; ``landing`` holds bytes as they arrived."""
SEALED_LAYERS = ("vault",)
"""Layers no query, model or product may read: `warehouse.vault` alone opens them."""


class Settings(BaseModel):
    """Paths of one lakehouse. Passed in, never read from globals.

    Attributes:
        home: run-time folder (default ``var/`` of the working directory).
        lake: folder or ``s3://`` URL of the lake (default ``<home>/lake``).
        catalog_dir: folder with ``feeds/``, ``dictionary/``, ``codes/``, ``products/``.
        key_provider: who holds the master keys: ``file``, ``environment``, or ``package.module:factory`` of a KMS or
            HSM (called without arguments, gives a `quality.keys.KeyProvider`).
        vault_cipher: cipher of new values in the vault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    lake: str
    catalog_dir: Path = PACKAGED_CATALOG
    key_provider: str = "file"
    vault_cipher: Literal["aes-256-gcm", "sm4-gcm"] = "aes-256-gcm"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read ``LAKEHOUSE_HOME``, ``_LAKE``, ``_CATALOG``, ``_KEY_PROVIDER`` and ``_VAULT_CIPHER``."""
        env = os.environ if env is None else env
        home = Path(env.get("LAKEHOUSE_HOME") or "var").absolute()
        made = {
            "home": home,
            "lake": env.get("LAKEHOUSE_LAKE") or str(home / "lake"),
            "catalog_dir": Path(env.get("LAKEHOUSE_CATALOG") or PACKAGED_CATALOG).absolute(),
            "key_provider": env.get("LAKEHOUSE_KEY_PROVIDER") or "file",
            "vault_cipher": env.get("LAKEHOUSE_VAULT_CIPHER") or "aes-256-gcm",
        }
        return cls.model_validate(made)

    def as_env(self) -> dict[str, str]:
        """The same settings as environment variables, for child processes and dbt."""
        return {
            "LAKEHOUSE_HOME": str(self.home),
            "LAKEHOUSE_LAKE": self.lake,
            "LAKEHOUSE_CATALOG": str(self.catalog_dir),
            "LAKEHOUSE_KEY_PROVIDER": self.key_provider,
            "LAKEHOUSE_VAULT_CIPHER": self.vault_cipher,
        }

    @property
    def drop(self) -> Path:
        return self.home / "drop"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def airflow(self) -> Path:
        return self.home / "airflow"

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def build(self) -> Path:
        return self.home / "build"

    @property
    def landing(self) -> Path:
        """Landing is a local folder even when tables live in an object store."""
        base = Path(self.lake) if "://" not in self.lake else self.home / "lake"
        return base / "landing"

    def table_path(self, layer: str, schema: str, table: str) -> str:
        """``<lake>/<layer>/<schema>/<table>``."""
        if layer not in LAYERS:
            raise ValueError(f"unknown layer {layer!r}; one of {', '.join(LAYERS)}")
        return f"{self.lake.rstrip('/')}/{layer}/{schema}/{table}"

    def feed_path(self, feed_id: str) -> str:
        return self.table_path("feed", "feed", feed_id)

    def history_path(self, feed_id: str) -> str:
        """Versions of the feed table's rows, where its contract keeps them."""
        return self.table_path("feed", "history", feed_id)

    def quarantine_path(self, feed_id: str) -> str:
        return self.table_path("quarantine", "quarantine", feed_id)

    def vault_path(self, feed_id: str) -> str:
        return self.table_path("vault", "vault", feed_id)

    def platform_path(self, table: str) -> str:
        return self.table_path("platform", "platform", table)

    def make_dirs(self) -> None:
        """Create the run-time folders, readable by their owner only (mode 0700)."""
        # Parents are named too: `parents=True` would make them as open as the umask lets it.
        folders = (self.home, self.drop, self.keys, self.releases, self.build, self.landing.parent, self.landing)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
