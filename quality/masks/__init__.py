"""Masks: the only way a grade is lowered. One file a mask, in SQL and in Python, with fixtures."""

from quality.masks.base import Mask, MaskFixture, MaskParams
from quality.masks.registry import all_masks, get_mask

__all__ = ["Mask", "MaskFixture", "MaskParams", "all_masks", "get_mask"]
