"""Traditional characters simplified: 負責人 says what 负责人 says."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def simplified(text: str) -> str:
    """``text`` in simplified characters; a text of many lines is quicker than its lines one by one."""
    return text if text.isascii() else str(_converter().convert(text))
