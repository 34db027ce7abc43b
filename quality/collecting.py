"""Python's search for circles of objects, left out where millions of objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not look for circles of objects in here.

    An index over a hundred thousand names makes Python look through everything it holds again and again, which takes a
    third of the time in a process as large as a build's; nothing in an index is part of a circle.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
