"""The drop folder watch: fires for settled files, once, and again for other bytes under the same name."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # importing Airflow takes seconds

POLL = 0.05


def _watch(drop: Path) -> object:
    from dags.watch import DropWatch

    return DropWatch(drop=str(drop), pattern="tax/arrears/*.csv", seconds=POLL).run()


async def _next(events: object, seconds: float = 3.0) -> int | None:
    """Files of the next event, None when none comes in time (the generator is then closed)."""
    try:
        event = await asyncio.wait_for(anext(events), seconds)  # type: ignore[call-overload]
    except TimeoutError:
        return None
    return int(event.payload["files"])


def test_new_changed_and_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "tax" / "arrears"
    folder.mkdir(parents=True)

    async def scenario() -> None:
        events = _watch(tmp_path)
        (folder / "a.csv").write_text("1")
        (folder / "note.txt").write_text("not a delivery")
        assert await _next(events) == 1
        (folder / "a.csv").write_text("22")
        assert await _next(events) == 1, "the same name with other bytes is a delivery"
        (folder / "b.csv").write_text("3")
        (folder / "c.csv").write_text("4")
        assert await _next(events) == 2
        assert await _next(events, POLL * 10) is None, "a settled folder is silent"

    asyncio.run(scenario())


def test_a_file_still_growing_waits(tmp_path: Path) -> None:
    folder = tmp_path / "tax" / "arrears"
    folder.mkdir(parents=True)
    file = folder / "growing.csv"

    async def grow(stop: asyncio.Event) -> None:
        size = 0
        while not stop.is_set():
            size += 1
            file.write_bytes(b"x" * size)
            await asyncio.sleep(POLL / 5)

    async def scenario() -> None:
        events = _watch(tmp_path)
        stop = asyncio.Event()
        growing = asyncio.create_task(grow(stop))
        waiting = asyncio.create_task(_next(events))
        await asyncio.sleep(POLL * 8)
        assert not waiting.done(), "announced while it was being written"
        stop.set()
        await growing
        assert await waiting == 1

    asyncio.run(scenario())


def test_taken_away_and_dropped_again(tmp_path: Path) -> None:
    folder = tmp_path / "tax" / "arrears"
    folder.mkdir(parents=True)
    file = folder / "a.csv"

    async def scenario() -> None:
        events = _watch(tmp_path)
        file.write_text("1")
        stamp = file.stat()
        assert await _next(events) == 1
        file.unlink()
        waiting = asyncio.create_task(_next(events))
        await asyncio.sleep(POLL * 4)
        file.write_text("1")
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert await waiting == 1

    asyncio.run(scenario())


def test_serialized_form_builds_the_same_trigger(tmp_path: Path) -> None:
    from importlib import import_module

    from dags.watch import DropWatch

    path, arguments = DropWatch(drop=str(tmp_path), pattern="*.csv", seconds=2).serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)
    assert again.serialize() == (path, arguments)
