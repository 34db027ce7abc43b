"""``docs/inspector.md``: the inspector's guide, its tables compiled from the controls and from what shows each."""

from __future__ import annotations

from pydantic import Field

from catalog.grading import Control
from catalog.model import Model
from catalog.registry import Catalog
from catalog.yamlfile import read_yaml, validate

FOLDER = "inspection"


class Evidence(Model):
    """What an inspector asks for, and the command that shows it (none: the operator brings it)."""

    ask: str = Field(min_length=4)
    show: str = ""


def load_evidence(catalog: Catalog) -> dict[str, Evidence]:
    """Control id to evidence.

    Raises:
        ContractError: an entry is not valid, or names no control.
    """
    source = read_yaml(catalog.root / FOLDER / "evidence.yaml")
    controls = {c.id for c in catalog.grading.all_controls}
    for name in source.data:
        if name not in controls:
            raise source.error((name,), f"there is no control {name!r}", "see grading/controls.yaml")
    return {name: validate(Evidence, source, entry, (name,)) for name, entry in source.data.items()}


def inspector_guide(catalog: Catalog) -> str:
    """The text of the guide; the same for the same catalogue."""
    template = (catalog.root / FOLDER / "guide.zh.md").read_text(encoding="utf-8")
    evidence = load_evidence(catalog)
    controls = catalog.grading.all_controls
    duties = [c for c in controls if c.enforced_by is None]
    stages = [
        _stage(label, [c for c in controls if c.stage == s], evidence) for s, label in catalog.grading.stages.items()
    ]
    listed = "\n".join(f"- **{c.text}**（`{c.id}`，{_levels(c)} 级）：{c.why}。" for c in duties)
    counts = {"{count}": len(controls), "{enforced}": len(controls) - len(duties), "{duty}": len(duties)}
    for name, value in {**counts, "{stages}": "\n".join(stages), "{duties}": listed}.items():
        template = template.replace(name, str(value))
    return template


def _stage(label: str, controls: list[Control], evidence: dict[str, Evidence]) -> str:
    rows = [
        f"\n### {label}\n",
        "| 控制措施 | 级别 | 由何实现 | 由何证明 | 索取的证据 | 命令 |",
        "|---|---|---|---|---|---|",
    ]
    for control in controls:
        found = evidence.get(control.id)
        code = "<br>".join(f"`{p}`" for p in control.enforced_by or ()) or f"（无代码）{control.why}"
        tests = "<br>".join(f"`{p}`" for p in control.tested_by) or "–"
        ask = found.ask if found else "运行左边的测试"
        show = f"`.venv/bin/{found.show}`".replace("|", "\\|") if found and found.show else "–"
        rows.append(f"| {control.text}<br>`{control.id}` | {_levels(control)} | {code} | {tests} | {ask} | {show} |")
    return "\n".join(rows)


def _levels(control: Control) -> str:
    return "、".join(map(str, control.levels))
