"""YAML with line numbers, so that every complaint about a contract names its line."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from catalog.errors import ContractError

Loc = tuple[str | int, ...]


class YamlFile:
    """A parsed YAML file that remembers the line of every key.

    Attributes:
        path: the file.
        data: plain dicts, lists and scalars.
        lines: location (keys and indexes from the root) to 1-based line.
    """

    def __init__(self, path: Path, data: Any, lines: dict[Loc, int]) -> None:
        self.path, self.data, self.lines = path, data, lines

    def line_of(self, loc: Loc) -> int:
        """The line of a location, or of its nearest parent that is in the file."""
        loc = tuple(loc)
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def error(self, loc: Loc, message: str, hint: str) -> ContractError:
        """A ContractError that names this file, the line and the field at ``loc``."""
        return ContractError(
            message,
            hint=hint,
            file=str(self.path),
            line=self.line_of(loc),
            field=".".join(str(p) for p in loc) or "(file)",
        )


def read_yaml(path: Path) -> YamlFile:
    """Parse ``path``; duplicate keys and syntax errors raise ContractError with the line.

    Files that say the same share what was read of them: nobody changes ``data``.
    """
    try:
        data, lines = _parsed(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark
        raise ContractError(
            f"not valid YAML: {e.problem}",
            hint="check indentation, colons and quotes on that line",
            file=str(path),
            line=mark.line + 1 if mark else None,
        ) from e
    except UnicodeDecodeError as e:
        raise ContractError(
            "not UTF-8 text", hint="save the file as UTF-8 without other encodings", file=str(path)
        ) from e
    except _KeyTwice as e:
        raise ContractError(
            f"key {e.key!r} stands twice", hint="remove one of the two", file=str(path), line=e.line
        ) from None
    return YamlFile(path, data, lines)


class _KeyTwice(Exception):
    def __init__(self, key: Any, line: int) -> None:
        super().__init__(key, line)
        self.key, self.line = key, line


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[Any, dict[Loc, int]]:
    """What a text says, and the line of every location; a catalog is read anew whenever one file of it changes."""
    lines: dict[Loc, int] = {}
    constructor = yaml.SafeLoader("")

    def build(n: yaml.Node | None, loc: Loc) -> Any:
        if n is None:
            return None
        lines.setdefault(loc, n.start_mark.line + 1)
        if isinstance(n, yaml.MappingNode):
            out: dict[Any, Any] = {}
            for key_node, value_node in n.value:
                key = constructor.construct_object(key_node, deep=True)
                if key in out:
                    raise _KeyTwice(key, key_node.start_mark.line + 1)
                lines[(*loc, key)] = key_node.start_mark.line + 1
                out[key] = build(value_node, (*loc, key))
            return out
        if isinstance(n, yaml.SequenceNode):
            return [build(v, (*loc, i)) for i, v in enumerate(n.value)]
        return constructor.construct_object(n, deep=True)

    return build(yaml.compose(text, Loader=_Loader), ()), lines


_CURES = {
    "missing": "add this field",
    "extra_forbidden": "remove it, or check its spelling",
    "literal_error": "use one of the values named",
}


# libyaml's parser where the wheel has it: ten times faster, the same marks.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], source: YamlFile, data: Any, at: Loc = ()) -> M:
    """``data`` (found at ``at`` in ``source``) as ``model``; every fault is in one ContractError.

    Raises:
        ContractError: with file, the first fault's line and field, and all faults in the message.
    """
    try:
        return model.model_validate(data)
    except ValidationError as e:
        faults = []
        for err in e.errors():
            loc = (*at, *(p for p in err["loc"] if not str(p).startswith("function-")))
            faults.append((loc, err["type"], err["msg"].removeprefix("Value error, ")))
        # A misspelt key shows as one extra and one missing: the extra one is where the reader must look.
        faults.sort(key=lambda fault: fault[1] == "missing")
        loc, kind, message = faults[0]
        if len(faults) > 1:
            rest = "; ".join(
                f"line {source.line_of(at_loc)}, {'.'.join(map(str, at_loc))}: {msg}" for at_loc, _, msg in faults[1:]
            )
            message = f"{message} — and {len(faults) - 1} more: {rest}"
        raise source.error(loc, message, _CURES.get(kind, "see the contract reference in docs/contracts.md")) from e
