"""The noise of some rows of results, compiled: the numbers that `noise` defines, added in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.cpu_philox import blocks
from sightline.augmentation.cpu_places import FAST
from sightline.augmentation.memory_access import load, store, wide_vectors
from sightline.augmentation.noise import NORMAL, PER_BLOCK

# In whole numbers from −255 to 255 instead of t.
C_1, C_3, C_5, C_7, C_9 = (np.float32(c / 256.0 ** (2 * i + 1)) for i, c in enumerate(NORMAL))


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def counters(rows: int, per_row: int) -> Any:
    """Return column and row of every block of noise, shape (2, blocks), for rows of `per_row` numbers."""
    across = (per_row + PER_BLOCK - 1) // PER_BLOCK
    found = np.empty((2, rows * across), np.uint64)
    for block in range(rows * across):
        found[0, block], found[1, block] = block % across, block // across
    return found


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def drawn(key: Any, purpose: int, top: int, rows: int, counter: Any, words: Any) -> Any:
    """Return the beginning of `words`, set to those of rows from `top` on; `counter` is of as many rows or more."""
    found = words[: 4 * rows * (np.int64(counter[0, -1]) + 1)]
    blocks(key, counter[0], counter[1], np.uint64(top), np.uint64(purpose), np.uint64(0), found)
    return found


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def add_gaussian(values: Any, rows: int, words: Any, deviation: Any, scale: Any, offset: Any) -> None:
    """v ← v + s n, clipped to [0, 1], then scaled and offset, both given for each value of a row."""
    wide_vectors()
    numbers = words.view(np.uint16)
    per_row, drawn = values.shape[0] // rows, numbers.shape[0] // rows
    for r in range(rows):
        for x in range(per_row):
            number = load(numbers, r * drawn + x)
            low, high = np.int32(number & np.uint16(0xFF)), np.int32(number >> np.uint16(8))
            t = np.float32(low) + np.float32(high) - np.float32(255.0)
            t2 = t * t
            normal = t * (C_1 + t2 * (C_3 + t2 * (C_5 + t2 * (C_7 + t2 * C_9))))
            value = load(values, r * per_row + x) + deviation * normal
            value = min(max(value, np.float32(0.0)), np.float32(1.0))
            store(values, r * per_row + x, load(scale, x) * value + load(offset, x))


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def add_salt_pepper(values: Any, rows: int, words: Any, hit: int, white: Any, black: Any) -> None:
    """Make the pixels whose 16-bit number is below `hit` white, for the lower half of those numbers, or black."""
    numbers = words.view(np.uint16)
    channels = white.shape[0]
    width, drawn = values.shape[0] // (rows * channels), numbers.shape[0] // rows
    for r in range(rows):
        for x in range(width):
            number = np.int64(numbers[r * drawn + x])
            if number < hit:
                level = white if number < hit // 2 else black
                for channel in range(channels):
                    values[(r * width + x) * channels + channel] = level[channel]
