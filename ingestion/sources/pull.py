"""A pull: what the connector of a feed fetches is landed file by file, and only then remembered.

The order is fetch → receipt → state. A crash between the last two makes the next pull fetch the
same again, which the receipt's sha256 recognises; nothing is lost and nothing loaded twice.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from catalog.errors import Busy, LakehouseError, SourceError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.landing import Checkpoint, Receipt, no_checkpoint
from ingestion.sources.base import Fetched, Pull
from ingestion.sources.registry import connector_of
from ingestion.sources.state import State, state_folder
from warehouse.tables import LOCK_SECONDS, table_lock


@dataclass
class Pulled:
    """What a pull brought.

    Attributes:
        receipts: of the files that were landed, in order.
        refused: what could not be taken, single files or the whole source; what came before it is landed.
    """

    receipts: list[Receipt] = field(default_factory=list)
    refused: list[LakehouseError] = field(default_factory=list)


def pulls(feed: Feed) -> bool:
    """Whether the feed's files are fetched; otherwise departments drop them."""
    return not feed.source.is_dropped


def pull(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    *,
    now: datetime | None = None,
    progress: Callable[[str], None] | None = None,
    checkpoint: Checkpoint = no_checkpoint,
    lock_timeout: float = LOCK_SECONDS,
    env: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] | None = None,
) -> Pulled:
    """Fetch and land what is new at the source of a feed; nothing for a feed whose files are dropped.

    Args:
        env: where secrets named ``env:NAME`` are looked up, default the process's environment.
        sleep: waits between attempts, for tests.

    Raises:
        ContractError: the ``source:`` of the contract is wrong. Busy: another pull of this feed runs.
    """
    feed = catalog.feed(feed_id)
    if not pulls(feed):
        return Pulled()
    connector, params = connector_of(catalog, feed)
    say = progress or (lambda _: None)
    done = Pulled()
    folder = state_folder(settings.home, feed_id)
    with table_lock(settings, f"pull.{feed_id}", timeout=lock_timeout), State(folder) as state:
        into = folder / "incoming"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(mode=0o700)
        at = now or datetime.now(UTC)
        task = Pull(settings, feed, state, into, at, os.environ if env is None else env, say, done.refused)
        if sleep is not None:
            task.sleep = sleep
        say(f"{feed_id}: asking {connector.place(params)} …")
        try:
            for fetched in connector.fetch(params, task):
                checkpoint("pull.fetched")
                done.receipts.append(_land(settings, feed, state, fetched, at, checkpoint, lock_timeout))
                say(f"{feed_id}: landed {fetched.path.name} ({done.receipts[-1].size:,} bytes)")
                fetched.path.unlink(missing_ok=True)
        except Busy:
            raise
        except LakehouseError as e:
            done.refused.append(e)
        except OSError as e:
            place = connector.place(params)
            done.refused.append(SourceError(f"the disk failed: {e.strerror}", hint="free the disk", source=place))
        finally:
            shutil.rmtree(into, ignore_errors=True)
    return done


def _land(
    settings: Settings,
    feed: Feed,
    state: State,
    fetched: Fetched,
    at: datetime,
    checkpoint: Checkpoint,
    lock_timeout: float,
) -> Receipt:
    with table_lock(settings, feed.id, timeout=lock_timeout):
        landing.clean_up(settings, feed.id)
        receipt = landing.land_file(
            settings, feed, fetched.path, now=at, checkpoint=checkpoint,
            source=fetched.source, repeatable=fetched.repeatable, deletes=fetched.deletes,
        )  # fmt: skip
    checkpoint("pull.landed")
    for name, path in fetched.kept.items():
        _keep(path, state.folder / name)
    state.advance(remote=fetched.remote, cursor=fetched.cursor, sha256=receipt.sha256, receipt=receipt.id, at=at)
    checkpoint("pull.remembered")
    return receipt


def _keep(path: Path, target: Path) -> None:
    """Move a file into the state, durably; the cursor that names it is written after."""
    with path.open("rb") as f:
        os.fsync(f.fileno())
    path.chmod(0o600)
    path.replace(target)
