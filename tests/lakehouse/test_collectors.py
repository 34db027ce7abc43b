"""``lakehouse up`` runs a collector for every stream, and starts one that ended again, but not at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from lakehouse.collectors import AGAIN_SECONDS, Collectors


@pytest.mark.slow
def test_one_collector_a_stream_started_again_after_a_while(
    settings: Settings, catalog: Catalog, tmp_path: Path
) -> None:
    now = [100.0]
    with Collectors(settings, catalog, tmp_path, clock=lambda: now[0]) as collectors:
        assert "city_sensing__readings" in collectors.feeds
        assert "water__rain_gauges" not in collectors.feeds
        (first,) = collectors._running.values()
        collectors.tend()
        assert list(collectors._running.values()) == [first], "one that runs is left alone"
        first.kill()
        first.wait()
        for _ in range(2):
            collectors.tend()
        assert not collectors._running
        now[0] += AGAIN_SECONDS + 1
        collectors.tend()
        (second,) = collectors._running.values()
        assert second.pid != first.pid
        time.sleep(0.1)
    assert second.poll() is not None
    assert (tmp_path / "collect-city_sensing__readings.log").exists()
