"""Noise: a number for every value of a picture, by its place alone.

The words of Philox4x32-10 under the picture's noise key, with the counter (block, row, purpose, 0), serve the values
of a row of pixels in their order, channels together: half a word, 16 bits, for each, the lower half first. Block k of
a row thus serves its values 8 k to 8 k + 7. The upper 12 of the 16 bits choose one of 4,096 equally likely quantiles
of the normal distribution, whose mean is 0 and whose variance is scaled to be 1; the largest is 3.66.

Salt and pepper draws one 16-bit number for each pixel from blocks of its own.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sightline.keys import philox

LEVELS = 4096
PER_BLOCK = 8
GAUSSIAN, SALT_PEPPER = 0, 1


@cache
def quantiles() -> NDArray[np.float32]:
    """Return the normal distribution's quantiles at (i + 1/2) / 4096, scaled to variance 1."""
    inverse = NormalDist().inv_cdf
    upper = np.array([inverse((i + 0.5) / LEVELS) for i in range(LEVELS // 2, LEVELS)])
    both = np.concatenate([-upper[::-1], upper])
    made: NDArray[np.float32] = (both / np.sqrt((both**2).mean())).astype(np.float32)
    made.setflags(write=False)
    return made


def halfwords(key: int, purpose: int, *, rows: int, per_row: int) -> NDArray[np.uint16]:
    """Return the 16-bit numbers of a picture, shape (rows, per_row)."""
    blocks = -(-per_row // PER_BLOCK)
    block, row = np.meshgrid(np.arange(blocks, dtype=np.uint64), np.arange(rows, dtype=np.uint64))
    counter = (block, row, np.full_like(block, purpose), np.zeros_like(block))
    words = np.stack(philox(counter, (key & 0xFFFFFFFF, key >> 32)), axis=-1)
    halves = np.stack([words & np.uint64(0xFFFF), words >> np.uint64(16)], axis=-1)
    return halves.reshape(rows, blocks * PER_BLOCK)[:, :per_row].astype(np.uint16)


def gaussian(key: int, *, rows: int, per_row: int) -> NDArray[np.float32]:
    """Return normal numbers of a picture, shape (rows, per_row)."""
    found: NDArray[np.float32] = quantiles()[halfwords(key, GAUSSIAN, rows=rows, per_row=per_row) >> 4]
    return found
