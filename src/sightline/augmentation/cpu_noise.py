"""The noise of a row of results, compiled: the numbers that `noise` defines, added in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.cpu_places import FAST
from sightline.augmentation.memory_access import load, store, wide_vectors

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def philox_row(key: Any, row: int, purpose: int, words: Any) -> None:
    """Set `words`, four for each block, to Philox4x32-10 of the counters (block, row, purpose, 0)."""
    wide_vectors()
    low, high = key & LOW, key >> HALF
    for block in range(words.shape[0] // 4):
        a, b, c, d = np.uint64(block), np.uint64(row), np.uint64(purpose), np.uint64(0)
        k0, k1 = low, high
        for _ in range(10):
            first, second = a * MULTIPLIER_0, c * MULTIPLIER_1
            a, b, c, d = (second >> HALF) ^ b ^ k0, second & LOW, (first >> HALF) ^ d ^ k1, first & LOW
            k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
        store(words, 4 * block, np.uint32(a))
        store(words, 4 * block + 1, np.uint32(b))
        store(words, 4 * block + 2, np.uint32(c))
        store(words, 4 * block + 3, np.uint32(d))


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def add_gaussian(row: Any, words: Any, table: Any, normal: Any, deviation: Any, scale: Any, offset: Any) -> None:
    """v ← v + s n, clipped to [0, 1], then scaled and offset; `normal` is room for the row's numbers."""
    wide_vectors()
    for k in range((row.shape[0] + 1) // 2):
        pair = words[k]
        normal[2 * k] = table[(pair >> np.uint32(4)) & np.uint32(0xFFF)]
        normal[2 * k + 1] = table[pair >> np.uint32(20)]
    for x in range(row.shape[0]):
        value = load(row, x) + deviation * load(normal, x)
        value = value if value > np.float32(0.0) else np.float32(0.0)
        value = value if value < np.float32(1.0) else np.float32(1.0)
        store(row, x, load(scale, x) * value + load(offset, x))


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def add_salt_pepper(row: Any, words: Any, hit: int, white: Any, black: Any) -> None:
    """Make the pixels whose 16-bit number is below `hit` white, for the lower half of those numbers, or black."""
    channels = white.shape[0]
    for x in range(row.shape[0] // channels):
        number = (words[x // 2] >> np.uint32(16 * (x % 2))) & np.uint32(0xFFFF)
        if number < hit:
            row[channels * x : channels * (x + 1)] = white if number < hit // 2 else black
