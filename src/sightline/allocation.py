"""Memory that is used again and again stays with the process."""

from __future__ import annotations

from functools import cache

import numpy as np

_LARGE_BLOCK_BYTES = 24 << 20


@cache
def keep_freed_memory() -> None:
    """Have glibc keep the memory of one array for the next.

    Blocks of more than 128 KB go back to the system when they are freed, and every page of the next one has to be
    cleared anew, which costs a quarter of the time of a photograph. Freeing a single large block raises that limit to
    its size for good. The block is never touched; other allocators do not mind.
    """
    np.empty(_LARGE_BLOCK_BYTES, np.uint8)
