"""Checks the words against the house: links lead somewhere, paths exist, commands parse.

Run by ``make lint``. In every ``*.md`` of the project: relative links and back-ticked paths below a
known folder must exist; each ``lakehouse …`` line of a ``bash`` block must name a command and options
that the command line has; each ``make …`` target must be in the Makefile. README.zh-CN.md must have
the same headings (by number and level) and the same code blocks as README.md.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FOLDERS = (
    "catalog/",
    "quality/",
    "warehouse/",
    "ingestion/",
    "dbt_project/",
    "dags/",
    "demo/",
    "lakehouse/",
    "docs/",
    "bench/",
    "tests/",
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
TICK = re.compile(r"`([A-Za-z0-9_./-]+/[A-Za-z0-9_./-]*)`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def markdown_files() -> list[Path]:
    skip = {".venv", ".venv-uv", "var", "node_modules", ".git"}
    return [p for p in sorted(ROOT.rglob("*.md")) if not skip & set(p.relative_to(ROOT).parts)]


def broken_paths(file: Path, text: str) -> list[str]:
    faults = [f"link to {m}" for m in LINK.findall(text) if not (file.parent / m).exists()]
    for path in TICK.findall(text):
        if path.startswith(FOLDERS) and not any(c in path for c in "<>*…") and not (ROOT / path).exists():
            faults.append(f"path `{path}`")
    return faults


def command_faults(text: str) -> list[str]:
    import typer

    from lakehouse.cli import app

    root = typer.main.get_command(app)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    faults = []
    for language, body in BLOCK.findall(text):
        if language != "bash":
            continue
        for line in body.replace("\\\n", " ").splitlines():
            line = line.split(" # ")[0].strip().removeprefix("$ ")
            for part in re.split(r"\s*(?:&&|\|)\s*", line):
                words = shlex.split(part, comments=True) if part else []
                while words and re.match(r"^[A-Z_]+=", words[0]):
                    words = words[1:]
                if words[:1] == ["make"]:
                    faults += [f"make target {w}" for w in words[1:] if "=" not in w and w not in targets]
                elif words and words[0].split("/")[-1] == "lakehouse":
                    fault = _command_fault(root, words[1:])
                    faults += [f"{part!r}: {fault}"] if fault else []
    return faults


def _command_fault(command: object, words: list[str]) -> str:
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        if found is None:
            return f"no command {words[0]}"
        command, words = found, words[1:]
    options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}  # type: ignore[attr-defined]
    for word in words:
        if word.startswith("-") and not re.match(r"^-\d", word) and word.split("=")[0] not in options:
            return f"no option {word}"
    return ""


def mirror_faults() -> list[str]:
    """README.zh-CN.md tells the same story: same heading levels, same commands."""
    en = (ROOT / "README.md").read_text(encoding="utf-8")
    zh = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    faults = []
    if re.findall(r"^(#+) ", en, re.M) != re.findall(r"^(#+) ", zh, re.M):
        faults.append("headings differ from README.md")
    if [b for lang, b in BLOCK.findall(en) if lang == "bash"] != [b for lang, b in BLOCK.findall(zh) if lang == "bash"]:
        faults.append("commands differ from README.md")
    return faults


def main() -> int:
    faults = []
    for file in markdown_files():
        text = file.read_text(encoding="utf-8")
        name = file.relative_to(ROOT)
        faults += [f"{name}: {f}" for f in (*broken_paths(file, text), *command_faults(text))]
    faults += [f"README.zh-CN.md: {f}" for f in mirror_faults()]
    sys.stdout.write("\n".join(faults) + ("\n" if faults else "") + f"docs: {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
