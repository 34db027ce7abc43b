"""Finds the masks by their files."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from catalog.errors import ContractError
from quality.masks.base import Mask

_NOT_MASKS = {"base", "registry"}


@lru_cache(maxsize=1)
def all_masks() -> dict[str, Mask]:
    """Every mask by name, one a file of this folder."""
    out: dict[str, Mask] = {}
    for module in sorted(iter_modules(import_module("quality.masks").__path__), key=lambda m: m.name):
        if module.name not in _NOT_MASKS:
            mask = import_module(f"quality.masks.{module.name}").MASK
            if mask.name != module.name:
                raise RuntimeError(f"mask file {module.name}.py declares {mask.name!r}")
            out[mask.name] = mask
    return out


def get_mask(name: str) -> Mask:
    """The mask ``name``; ContractError lists near names."""
    masks = all_masks()
    if name not in masks:
        near = get_close_matches(name, masks, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"known masks: {', '.join(masks)}"
        raise ContractError(f"there is no mask {name!r}", hint=hint, mask=name)
    return masks[name]
