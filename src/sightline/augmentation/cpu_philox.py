"""Philox4x32-10 as `keys.philox` defines it, compiled.

Counters and words are 64-bit numbers of which the lower half counts; what gathers in the upper one is cut off last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.memory_access import load, store, wide_vectors

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def block(key: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the four words of one counter."""
    k0, k1 = key & LOW, key >> HALF
    for _ in range(10):
        first, second = (a & LOW) * MULTIPLIER_0, (c & LOW) * MULTIPLIER_1
        a, b, c, d = (second >> HALF) ^ b ^ k0, second, (first >> HALF) ^ d ^ k1, first
        k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
    return a, b, c, d


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def blocks(key: Any, first: Any, second: Any, plus: Any, c: Any, d: Any, words: Any) -> None:
    """Set `words`, four for each counter, to those of the counters (first, second + plus, c, d).

    `first` and `second` are arrays. Each round waits for the one before, so that two counters take turns.
    """
    count = words.shape[0] // 4
    half = count // 2
    _in_turns(
        key, first[:half], second[:half], first[half:], second[half:], plus, c, d, words[: 4 * half], words[4 * half :]
    )
    if count % 2:
        a, b, last = first[count - 1 :], second[count - 1 :], words[4 * count - 4 : 4 * count]
        _in_turns(key, a, b, a, b, plus, c, d, last, last)


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _in_turns(
    key: Any, first: Any, second: Any, first_2: Any, second_2: Any, plus: Any, third: Any, fourth: Any, words: Any,
    words_2: Any,
) -> None:  # fmt: skip
    wide_vectors()
    for i in range(words.shape[0] // 4):
        a, b, c, d = load(first, i), load(second, i) + plus, third, fourth
        e, f, g, h = load(first_2, i), load(second_2, i) + plus, third, fourth
        k0, k1 = key & LOW, key >> HALF
        for _ in range(10):
            p0, p1 = (a & LOW) * MULTIPLIER_0, (c & LOW) * MULTIPLIER_1
            q0, q1 = (e & LOW) * MULTIPLIER_0, (g & LOW) * MULTIPLIER_1
            a, b, c, d = (p1 >> HALF) ^ b ^ k0, p1, (p0 >> HALF) ^ d ^ k1, p0
            e, f, g, h = (q1 >> HALF) ^ f ^ k0, q1, (q0 >> HALF) ^ h ^ k1, q0
            k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
        _store_four(words, i, a, b, c, d)
        _store_four(words_2, i, e, f, g, h)


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _store_four(words: Any, i: int, a: Any, b: Any, c: Any, d: Any) -> None:
    store(words, 4 * i, np.uint32(a))
    store(words, 4 * i + 1, np.uint32(b))
    store(words, 4 * i + 2, np.uint32(c))
    store(words, 4 * i + 3, np.uint32(d))
