"""Runs each side of a benchmark as a child process and compares the medians.

A bench module exposes ``run(scale: float) -> list[dict]`` and calls ``compare`` once a row::

    def run(scale=1.0):
        rows = int(1_000_000 * scale)
        return [compare("ingest 1 M rows", ours="bench.bench_ingest:load", yardstick="bench.bench_ingest:bare",
                        args={"rows": rows}, rows=rows, target=2.5)]

A side is ``module:function``; it is called with ``args`` as keywords in a fresh interpreter.
What the function returns is kept when it is a number: seconds of the part that counts, for sides
that must prepare something first. Otherwise the call's own wall time counts. Imports done by the
module at its top are outside the clock either way.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MARK = "BENCH_RESULT "


class Side(NamedTuple):
    """Medians of the runs of one side. ``peak_mb`` is of the whole process tree."""

    seconds: float
    peak_mb: float
    runs: int


def compare(
    name: str,
    *,
    ours: str,
    yardstick: str | None = None,
    args: dict[str, Any] | None = None,
    yardstick_args: dict[str, Any] | None = None,
    rows: int = 0,
    target: float | None = None,
    runs: int = 3,
    timeout: float = 1800,
) -> dict[str, Any]:
    """Run both sides alternately, ``runs`` times each.

    Args:
        name: what is measured, as it stands in the table.
        ours, yardstick: ``module:function``; no yardstick gives an absolute figure.
        args, yardstick_args: keywords (JSON values) for the functions; the yardstick's default to ours.
        rows: rows processed by one run, for rows/s.
        target: highest ratio (with a yardstick) or seconds (without) that is accepted.
        runs: repetitions a side; the median counts.

    Returns:
        ``name, ours_s, yardstick_s, ratio, rows_per_s, peak_mb, yardstick_peak_mb, target, ok``.
    """
    ours_runs, yard_runs = [], []
    for _ in range(max(1, runs)):
        if yardstick is not None:
            yard_runs.append(run_once(yardstick, yardstick_args if yardstick_args is not None else args, timeout))
        ours_runs.append(run_once(ours, args, timeout))
    mine, yard = _median(ours_runs), _median(yard_runs) if yard_runs else None
    ratio = mine.seconds / yard.seconds if yard and yard.seconds else None
    measured = ratio if yardstick is not None else mine.seconds
    return {
        "name": name,
        "ours_s": round(mine.seconds, 3),
        "yardstick_s": round(yard.seconds, 3) if yard else None,
        "ratio": round(ratio, 3) if ratio is not None else None,
        "rows_per_s": round(rows / mine.seconds) if rows and mine.seconds else None,
        "peak_mb": round(mine.peak_mb),
        "yardstick_peak_mb": round(yard.peak_mb) if yard else None,
        "target": target,
        "ok": None if target is None or measured is None else measured <= target,
    }


def run_once(side: str, args: dict[str, Any] | None = None, timeout: float = 1800) -> Side:
    """One run of ``module:function`` in a child process; RuntimeError carries its stderr when it fails."""
    command = [sys.executable, "-m", "bench.harness", side, json.dumps(args or {})]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(":")}
    child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = _PeakMemory(child.pid)
    watch.start()
    try:
        out, err = child.communicate(timeout=timeout)
    except BaseException:
        child.kill()
        child.communicate()
        raise
    finally:
        watch.stop()
    result = [line for line in out.splitlines() if line.startswith(MARK)]
    if child.returncode != 0 or not result:
        raise RuntimeError(f"bench side {side} failed with exit code {child.returncode}:\n{err[-4000:]}")
    data = json.loads(result[-1].removeprefix(MARK))
    return Side(float(data["seconds"]), max(watch.peak_mb, float(data["peak_mb"])), 1)


class _PeakMemory(threading.Thread):
    """Samples resident memory of a process and its children, for sides that start processes themselves."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_mb, self._end = pid, 0.0, threading.Event()

    def run(self) -> None:
        import psutil

        while not self._end.wait(0.02):
            try:
                root = psutil.Process(self.pid)
                family = [root, *root.children(recursive=True)]
                total = 0
                for process in family:
                    try:
                        total += process.memory_info().rss
                    except psutil.Error:  # it ended between the listing and the reading
                        continue
                self.peak_mb = max(self.peak_mb, total / 2**20)
            except psutil.Error:
                return

    def stop(self) -> None:
        self._end.set()
        self.join()


def _median(sides: list[Side]) -> Side:
    return Side(
        statistics.median(s.seconds for s in sides), statistics.median(s.peak_mb for s in sides), runs=len(sides)
    )


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of ``compare`` as a Markdown table."""
    head = "| what | ours s | yardstick s | ratio | rows/s | peak MB (yardstick) | target | holds |"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|---|"]
    for r in rows:
        peak = _number(r.get("peak_mb"))
        if r.get("yardstick_peak_mb"):
            peak += f" ({_number(r['yardstick_peak_mb'])})"
        cells = [
            str(r["name"]),
            _number(r.get("ours_s")),
            _number(r.get("yardstick_s")),
            _number(r.get("ratio")),
            _number(r.get("rows_per_s")),
            peak,
            _number(r.get("target")),
            {True: "yes", False: "**no**", None: ""}[r.get("ok")],
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{float(value):,.2f}"


def machine() -> str:
    """CPU model, cores and memory; nothing that names the machine."""
    import platform

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    try:
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (ValueError, OSError):
        memory = "unknown memory"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {memory}, {platform.system()}, Python {platform.python_version()}"


def _child(side: str, args: str) -> None:
    module, _, function = side.partition(":")
    call = getattr(importlib.import_module(module), function)
    start = time.perf_counter()
    own = call(**json.loads(args))
    seconds = time.perf_counter() - start
    if isinstance(own, int | float) and not isinstance(own, bool):
        seconds = float(own)
    sys.stdout.write(f"\n{MARK}{json.dumps({'seconds': seconds, 'peak_mb': _own_peak_mb()})}\n")


def _own_peak_mb() -> float:
    """Highest resident memory of this process. getrusage would count the parent's before exec, so not on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    import resource

    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2])
