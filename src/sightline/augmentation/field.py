"""The displacement field of elastic distortion: cubic B-splines over a coarse grid of random coefficients.

Simard et al. smooth a field of independent numbers, one for each pixel, with a bell of standard deviation σ. A cubic
B-spline of knots h apart is such a bell, of standard deviation h / √3, so that random coefficients h = √3 σ apart give
a field of the same smoothness for a few hundred numbers instead of a number and a convolution for every pixel:

    d(x, y) = Σ_j Σ_i c_ji · B(y / h − j + 1) · B(x / h − i + 1)

With coefficients of variance s², the field's mean square is s² · (∫B²)² = s² · (151/315)².

Source: Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks (ICDAR 2003); Unser, Splines: A
Perfect Fit for Signal and Image Processing (1999).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

ENERGY = 151 / 315
"""∫B(t)² dt of the cubic B-spline."""


def spacing(smoothness_pixels: float) -> float:
    """Return the distance h of the coefficients for a bell of standard deviation σ."""
    return math.sqrt(3.0) * smoothness_pixels


def grid_shape(size: tuple[int, int], distance: float) -> tuple[int, int]:
    """Return the rows and columns of coefficients that a picture of `size` needs."""
    rows, columns = (math.floor((side - 1) / distance) + 4 for side in size)
    return rows, columns


def coefficients(words: NDArray[np.uint32], displacement: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return coefficients from random 32-bit words, for fields whose root mean squares are `displacement`.

    A word w becomes the number (w / 2³¹ − 1) √3 s, evenly distributed with variance s².

    Sixteen coefficients meet in every point, so that the field is nearer to normal than they are: its fourth moment,
    in squares of its variance, is 2.2 at a knot and 2.7 between knots, theirs 1.8 and the normal distribution's 3.
    """
    scale = (displacement * math.sqrt(3.0) / ENERGY).astype(np.float32)
    found = words.astype(np.float32)
    found *= np.float32(2.0**-31)
    found -= np.float32(1.0)
    found *= scale.reshape(-1, *(1,) * (words.ndim - 1))
    return found


def weights(side: int, distance: float) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return, for each pixel along a side, its first coefficient and the weights of four: shapes (side,), (side, 4)."""
    place = np.arange(side) / distance
    first = np.floor(place).astype(np.int32)
    t = place - first
    parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return first, np.stack(parts, axis=1) / 6.0


def matrix(side: int, distance: float, count: int) -> NDArray[np.float64]:
    """Return what each of `count` coefficients weighs in each pixel along a side, shape (count, side)."""
    first, parts = weights(side, distance)
    found = np.zeros((count, side))
    if count:
        for i in range(4):
            found[first + i, np.arange(side)] = parts[:, i]
    return found
