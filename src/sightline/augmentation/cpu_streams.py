"""The numbers of `keys.Stream` for many pictures at once, compiled: the same words, many times as fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.cpu_noise import HALF, LOW, MULTIPLIER_0, MULTIPLIER_1, WEYL_0, WEYL_1


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def words(key: Any, records: Any, epoch: int, out: Any) -> None:
    """Set `out`, shape (record, 4 · blocks), to `Stream(key).bits(records, epoch=epoch, draws=4 · blocks)`."""
    low, high = key & LOW, key >> HALF
    for i in range(records.shape[0]):
        record_low, record_high = records[i] & LOW, records[i] >> HALF
        for block in range(out.shape[1] // 4):
            a, b, c, d = np.uint64(block), np.uint64(epoch), record_low, record_high
            k0, k1 = low, high
            for _ in range(10):
                first, second = a * MULTIPLIER_0, c * MULTIPLIER_1
                a, b, c, d = (second >> HALF) ^ b ^ k0, second & LOW, (first >> HALF) ^ d ^ k1, first & LOW
                k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
            out[i, 4 * block] = np.uint32(a)
            out[i, 4 * block + 1] = np.uint32(b)
            out[i, 4 * block + 2] = np.uint32(c)
            out[i, 4 * block + 3] = np.uint32(d)


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def uniform(key: Any, records: Any, epoch: int, out: Any) -> None:
    """Set `out`, shape (record, draws), to `Stream(key).uniform(records, epoch=epoch, draws=draws)`."""
    draws = out.shape[1]
    drawn = np.empty((1, (2 * draws + 3) // 4 * 4), np.uint32)
    for i in range(records.shape[0]):
        words(key, records[i : i + 1], epoch, drawn)
        for draw in range(draws):
            high, low = drawn[0, 2 * draw] >> np.uint32(5), drawn[0, 2 * draw + 1] >> np.uint32(6)
            out[i, draw] = (float(high) * 67108864.0 + float(low)) / 9007199254740992.0
