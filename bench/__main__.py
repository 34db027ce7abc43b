"""``python -m bench [--scale 0.1] [NAME …]`` runs the benches and writes ``bench/RESULTS.md``.

Every ``bench_*.py`` in this folder exposes ``run(scale) -> list[dict]`` (see ``bench.harness``).
A bench that fails does not stop the others; the exit code is 1 when one failed or a target was missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from bench.harness import machine, table

HERE = Path(__file__).resolve().parent


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="benches to run, such as `dbt` for bench_dbt.py; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of rows")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON as well")
    args = parser.parse_args(argv)
    known = sorted(p.stem.removeprefix("bench_") for p in HERE.glob("bench_*.py"))
    unknown = sorted(set(args.names) - set(known))
    if unknown:
        parser.error(f"no bench called {', '.join(unknown)}; there are {', '.join(known)}")
    sections: list[tuple[str, list[dict[str, Any]], float]] = []
    failed: list[str] = []
    for name in args.names or known:
        print(f"== {name}", flush=True)
        start = time.perf_counter()
        try:
            rows = importlib.import_module(f"bench.bench_{name}").run(args.scale)
        except Exception:  # noqa: BLE001 - the other benches still run, and the exit code tells
            traceback.print_exc()
            failed.append(name)
            continue
        sections.append((name, rows, time.perf_counter() - start))
        print(table(rows), flush=True)
    if not args.names or args.out != HERE / "RESULTS.md":
        args.out.write_text(report(sections, failed, args.scale), encoding="utf-8")
        print(f"written: {args.out.name}")
    if args.json:
        print(json.dumps([row for _, rows, _ in sections for row in rows], ensure_ascii=False))
    missed = [row["name"] for _, rows, _ in sections for row in rows if row.get("ok") is False]
    return 1 if failed or missed else 0


def report(sections: list[tuple[str, list[dict[str, Any]], float]], failed: list[str], scale: float) -> str:
    """The results as Markdown."""
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Each side runs in its own process, alternately with its yardstick; medians.",
        "A target is a ratio to the yardstick of the same run, or seconds where there is no yardstick.",
        "",
        f"Machine: {machine()}. Scale: {scale:g} of the full number of rows.",
        "",
    ]
    for name, rows, seconds in sections:
        lines += [f"## {name}", "", table(rows), "", f"Took {seconds:.0f} s.", ""]
    if failed:
        lines += [f"Failed to run: {', '.join(failed)}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
