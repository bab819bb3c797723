"""The numbers of `keys.Stream` for many pictures at once, compiled: the same words, many times as fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.cpu_philox import HALF, LOW, block, blocks
from sightline.augmentation.kept import drop_outdated
from sightline.augmentation.memory_access import load, store, wide_vectors


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def words(key: Any, records: Any, epoch: int, out: Any) -> None:
    """Set `out`, shape (record, 4 · blocks), to `Stream(key).bits(records, epoch=epoch, draws=4 · blocks)`."""
    count = out.shape[1] // 4
    first, second = np.empty(count, np.uint64), np.empty(count, np.uint64)
    for i in range(count):
        first[i], second[i] = i, 0
    for i in range(records.shape[0]):
        blocks(key, first, second, np.uint64(epoch), records[i] & LOW, records[i] >> HALF, out[i])


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def uniform(keys: Any, pairs: Any, records: Any, epoch: int, out: Any) -> None:
    """Set `out`, shape (numbers, record), to those of several streams, two by two.

    Those of stream k, of which `pairs[k]` pairs are wanted, are `Stream(keys[k]).uniform(records, epoch=epoch, …)`.
    """
    wide_vectors()
    at = 0
    for stream in range(keys.shape[0]):
        for pair in range(pairs[stream]):
            one, other = out[at], out[at + 1]
            for i in range(records.shape[0]):
                record = load(records, i)
                a, b, c, d = block(keys[stream], np.uint64(pair), np.uint64(epoch), record & LOW, record >> HALF)
                store(one, i, _number(a, b))
                store(other, i, _number(c, d))
            at += 2


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _number(high: Any, low: Any) -> Any:
    """Return the number in [0, 1) of the upper 27 bits of one word and the upper 26 of another."""
    bits = (((high & LOW) >> np.uint64(5)) << np.uint64(26)) | ((low & LOW) >> np.uint64(6))
    return np.float64(np.int64(bits)) * 2.0**-53


drop_outdated(words)
drop_outdated(uniform)
