"""Noise: a number for every value of a picture, by its place alone.

The words of Philox4x32-10 under the picture's noise key, with the counter (block, row, purpose, 0), serve the values
of a row of pixels in their order, channels together: half a word, 16 bits, for each, the lower half first. Block k of
a row thus serves its values 8 k to 8 k + 7. The sum of the two bytes of the 16 bits, less 255 and divided by 256, is a
number t of a triangular distribution, which an odd polynomial makes normal: mean 0, variance 1, a distribution function
that is nowhere more than 0.003 from the normal one's, and ±3.74 at the ends. No table is looked up, so that every
processor computes many at once.

Salt and pepper draws one 16-bit number for each pixel from blocks of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.keys import philox

NORMAL = (2.40925, -1.79451, 8.0372, -12.55879, 7.71458)
"""Of t, t³, t⁵, t⁷ and t⁹: least squares to the normal distribution's quantiles, weighted by how often each t comes."""
PER_BLOCK = 8
GAUSSIAN, SALT_PEPPER = 0, 1


def halfwords(key: int, purpose: int, *, rows: int, per_row: int) -> NDArray[np.uint16]:
    """Return the 16-bit numbers of a picture, shape (rows, per_row)."""
    blocks = -(-per_row // PER_BLOCK)
    block, row = np.meshgrid(np.arange(blocks, dtype=np.uint64), np.arange(rows, dtype=np.uint64))
    counter = (block, row, np.full_like(block, purpose), np.zeros_like(block))
    words = np.stack(philox(counter, (key & 0xFFFFFFFF, key >> 32)), axis=-1)
    halves = np.stack([words & np.uint64(0xFFFF), words >> np.uint64(16)], axis=-1)
    return halves.reshape(rows, blocks * PER_BLOCK)[:, :per_row].astype(np.uint16)


def gaussian(key: int, *, rows: int, per_row: int) -> NDArray[np.float64]:
    """Return normal numbers of a picture, shape (rows, per_row)."""
    drawn = halfwords(key, GAUSSIAN, rows=rows, per_row=per_row)
    t = ((drawn & 0xFF).astype(np.float64) + (drawn >> 8) - 255) / 256
    found: NDArray[np.float64] = t * np.polynomial.polynomial.polyval(t**2, NORMAL)
    return found
