"""Puts contracts in their place: checked with the whole catalog first, in one rename, and back again on a fault."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from catalog.errors import ContractError, LakehouseError
from catalog.model import Feed
from catalog.registry import load_catalog
from ingestion.new_feed import Proposal
from quality.rules import compile_rules


class ContractExists(LakehouseError):
    """A contract of this id stands already and may not be overwritten unasked."""

    code = "LH102"
    exit_code = 2


def write_contract(catalog_dir: Path, proposal: Proposal, *, force: bool = False) -> Path:
    """Writes the contract below ``catalog_dir/feeds`` and reloads the catalog with it.

    The text is checked before it is put in place, in one rename; nothing is left behind when it does not lint.

    Raises:
        ContractExists: the contract is there already and ``force`` is false.
        ContractError: the catalog with this contract does not lint.
    """
    path = Path(catalog_dir) / "feeds" / proposal.department / f"{proposal.object}.yaml"
    if path.exists() and not force:
        raise ContractExists(
            f"feed {proposal.feed_id} has a contract already",
            hint="choose another --object, edit the contract, or overwrite it with --force",
            file=str(path),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return _checked(Path(catalog_dir), path, proposal.contract_yaml, proposal.feed_id)


def replace_contract(catalog_dir: Path, feed: Feed, text: str) -> Path:
    """Puts another text in the place of a feed's contract, when the catalog then lints.

    Raises:
        ContractError: it does not; the contract is what it was.
    """
    path = Path(catalog_dir) / "feeds" / feed.department / f"{feed.object}.yaml"
    return _checked(Path(catalog_dir), path, text, feed.id)


def _checked(catalog_dir: Path, path: Path, text: str, feed_id: str) -> Path:
    """Writes ``path`` and reads the catalog with it; on a fault what was there before is put back."""
    before = path.read_bytes() if path.exists() else None
    _put(path, text.encode())
    try:
        catalog = load_catalog(catalog_dir)
        compile_rules(catalog, catalog.feed(feed_id))
    except ContractError:
        if before is None:
            path.unlink()
        else:
            _put(path, before)
        raise
    return path


def _put(path: Path, content: bytes) -> None:
    """Writes a file beside ``path`` and renames it over: a reader sees the old or the new one, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
