"""Programs of Debian packages for tests: those that are installed, else fetched and unpacked into a cache.

Nothing is installed and no service is started: apt works in folders of its own, so that it needs no
root, and ``dpkg -x`` unpacks what the machine lacks. The cache outlives the run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from filelock import FileLock

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xicheng-lakehouse" / "debian"
SECONDS = 180
PLACES = {"bin", "sbin", "cgi-bin"}


@dataclass(frozen=True)
class Program:
    """A program that can be run: its path, and the environment its libraries need."""

    path: Path
    root: Path | None = None
    env: dict[str, str] = field(default_factory=dict)


@cache
def program(name: str, *packages: str) -> Program | str:
    """The program ``name``, of Debian ``packages`` when it is not installed; else why it cannot be had."""
    found = shutil.which(
        name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/lib/cgi-bin"])
    )
    if found:
        return Program(Path(found))
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return f"{name} is not installed, and this is no Debian or Ubuntu to fetch {' '.join(packages)} from"
    root = CACHE / "_".join(packages)
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "lock", timeout=SECONDS * 3):
        if not (root / ".done").exists():
            shutil.rmtree(root, ignore_errors=True)
            if why := _fetch(root, packages):
                return f"{name} is not installed, and {' '.join(packages)} could not be fetched: {why}"
            (root / ".done").touch()
    at = next((p for p in root.rglob(name) if p.parent.name in PLACES and p.is_file()), None)
    if at is None:
        return f"{' '.join(packages)} has no program {name}"
    folders = {str(p.parent) for p in root.rglob("*.so*") if p.is_file()}
    return Program(at, root, {"LD_LIBRARY_PATH": os.pathsep.join(sorted(folders))})


def _fetch(root: Path, packages: tuple[str, ...]) -> str | None:
    """Download the packages and what they need and the machine lacks; the reason when that fails."""
    state = CACHE / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    own = [
        f"Dir::State::Lists={state / 'lists'}", f"Dir::Cache={state / 'cache'}",
        "Dir::State::Status=/var/lib/dpkg/status", "Debug::NoLocking=1", "APT::Sandbox::User=",
        "Acquire::Retries=2", "Acquire::http::Timeout=20",
    ]  # fmt: skip
    options = [word for o in own for word in ("-o", o)]
    install = ["install", "-y", "--no-install-recommends", "--download-only", *packages]
    shutil.rmtree(state / "cache" / "archives", ignore_errors=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True)
    for words in (["update"], install):
        try:
            done = subprocess.run(["apt-get", *options, *words], capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"apt-get {words[0]} took more than {SECONDS} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
    for archive in (state / "cache" / "archives").glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(root)], check=True, capture_output=True)
    return None
