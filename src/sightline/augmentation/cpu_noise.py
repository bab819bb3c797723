"""The noise of some rows of results, compiled: the numbers that `noise` defines, added in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.cpu_places import FAST
from sightline.augmentation.memory_access import load, store, wide_vectors
from sightline.augmentation.noise import NORMAL, PER_BLOCK

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
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


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def philox_blocks(key: Any, top: int, purpose: int, counter: Any, words: Any) -> None:
    """Set `words`, four for each block, to Philox4x32-10 of the counters (column, top + row, purpose, 0).

    Each round waits for the one before, so that two blocks take turns.
    """
    count = words.shape[0] // 4
    half = count // 2
    _pairs(key, top, purpose, counter[:, :half], counter[:, half:], words[: 4 * half], words[4 * half : 8 * half])
    if count % 2:
        last = words[4 * (count - 1) :]
        _pairs(key, top, purpose, counter[:, count - 1 :], counter[:, count - 1 :], last, last)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _pairs(key: Any, top: int, purpose: int, one: Any, other: Any, words: Any, more: Any) -> None:
    wide_vectors()
    low, high, third = key & LOW, key >> HALF, np.uint64(purpose)
    column, row, column_2, row_2 = one[0], one[1], other[0], other[1]
    for block in range(words.shape[0] // 4):
        a, b, c, d = load(column, block), load(row, block) + np.uint64(top), third, np.uint64(0)
        e, f, g, h = load(column_2, block), load(row_2, block) + np.uint64(top), third, np.uint64(0)
        k0, k1 = low, high
        for _ in range(10):
            # Only the lower halves count; what gathers in the upper ones is cut off last.
            p0, p1 = (a & LOW) * MULTIPLIER_0, (c & LOW) * MULTIPLIER_1
            q0, q1 = (e & LOW) * MULTIPLIER_0, (g & LOW) * MULTIPLIER_1
            a, b, c, d = (p1 >> HALF) ^ b ^ k0, p1, (p0 >> HALF) ^ d ^ k1, p0
            e, f, g, h = (q1 >> HALF) ^ f ^ k0, q1, (q0 >> HALF) ^ h ^ k1, q0
            k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
        _store_block(words, block, a, b, c, d)
        _store_block(more, block, e, f, g, h)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _store_block(words: Any, block: int, a: Any, b: Any, c: Any, d: Any) -> None:
    store(words, 4 * block, np.uint32(a))
    store(words, 4 * block + 1, np.uint32(b))
    store(words, 4 * block + 2, np.uint32(c))
    store(words, 4 * block + 3, np.uint32(d))


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
                at = (r * width + x) * channels
                values[at : at + channels] = white if number < hit // 2 else black
