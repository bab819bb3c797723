"""Geometry: where each pixel of a result comes from, as 3 × 3 matrices that compose.

Every function returns the way back, from a result to its source: what the picture looks like after it was turned by
θ is found by looking θ back. Points are (x, y, 1) from the middle of the picture, in pixels, y counted down; arrays of
n numbers make matrices of shape (n, 3, 3). The way back through a, then b, then c is A · B · C.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Matrices = Float64[ndarray, "picture 3 3"]


def linear(xx: Numbers, xy: Numbers, yx: Numbers, yy: Numbers) -> Matrices:
    """Return (x, y) → (xx · x + xy · y, yx · x + yy · y)."""
    made = np.zeros((len(xx), 3, 3))
    made[:, 0, 0], made[:, 0, 1], made[:, 1, 0], made[:, 1, 1], made[:, 2, 2] = xx, xy, yx, yy, 1.0
    return made


def flip(horizontal: NDArray[np.bool_], vertical: NDArray[np.bool_]) -> Matrices:
    """Mirror left and right, top and bottom, or both."""
    zero = np.zeros(len(horizontal))
    return linear(np.where(horizontal, -1.0, 1.0), zero, zero, np.where(vertical, -1.0, 1.0))


def rotation(degrees: Numbers) -> Matrices:
    """Turn the picture clockwise: the result at p shows the source at R(−θ) p. Exact at multiples of 90°."""
    cosine, sine = _cosine(degrees), _cosine(degrees - 90.0)
    return linear(cosine, sine, -sine, cosine)


def translation(right: Numbers, down: Numbers) -> Matrices:
    """Move by so many pixels."""
    made = np.broadcast_to(np.eye(3), (len(right), 3, 3)).copy()
    made[:, 0, 2], made[:, 1, 2] = -right, -down
    return made


def scaling(horizontal: Numbers, vertical: Numbers) -> Matrices:
    """Enlarge by factors above 0."""
    zero = np.zeros(len(horizontal))
    return linear(1.0 / horizontal, zero, zero, 1.0 / vertical)


def shear(horizontal: Numbers, vertical: Numbers) -> Matrices:
    """Slant by angles in degrees; together they stay invertible as long as tan a · tan b is not 1."""
    a, b = np.tan(np.radians(horizontal)), np.tan(np.radians(vertical))
    one = np.ones(len(a))
    determinant = np.where(np.abs(1.0 - a * b) < 1e-3, 1e-3, 1.0 - a * b)
    return linear(one / determinant, -a / determinant, -b / determinant, one / determinant)


def crop(width: Numbers, height: Numbers, right: Numbers, down: Numbers) -> Matrices:
    """Show the rectangle of the given shares of the sides, its middle moved by so many pixels."""
    zero = np.zeros(len(width))
    made = linear(width, zero, zero, height)
    made[:, 0, 2], made[:, 1, 2] = right, down
    return made


def corners(moves: Float64[ndarray, "picture 4 2"], *, size: tuple[int, int]) -> Matrices:
    """Return the homography that shows, in each corner, the point that lies `moves` pixels from it.

    Args:
        moves: for the corners top left, top right, bottom right, bottom left.
        size: height and width.

    Source: Hartley and Zisserman, Multiple View Geometry (2003), section 4.1: eight equations for eight unknowns.
    """
    half_height, half_width = size[0] / 2, size[1] / 2
    to = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height)
    shown = to + moves
    equations = np.zeros((len(moves), 8, 8))
    for corner, (x, y) in enumerate(to):
        for axis in (0, 1):
            row = 2 * corner + axis
            equations[:, row, 3 * axis : 3 * axis + 3] = x, y, 1.0
            equations[:, row, 6] = -x * shown[:, corner, axis]
            equations[:, row, 7] = -y * shown[:, corner, axis]
    unknowns = np.linalg.solve(equations, shown.reshape(-1, 8, 1))[..., 0]
    return np.concatenate([unknowns, np.ones((len(moves), 1))], axis=1).reshape(-1, 3, 3)


def between_frames(middle: Matrices, *, source: tuple[int, int], size: tuple[int, int]) -> Matrices:
    """Return matrices from the pixels of a result to those of a source, given matrices about the middle.

    Both pictures fill the same frame: the outer edges of the first and last pixels meet.
    """
    (high, wide), (height, width) = source, size
    to_middle = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
    into = np.array([[wide / width, 0, (wide - 1) / 2], [0, high / height, (high - 1) / 2], [0, 0, 1]])
    composed: Matrices = into @ middle @ to_middle
    return composed


def _cosine(degrees: Numbers) -> Numbers:
    """Return the cosine, exactly 0, 1 or −1 at multiples of 90°."""
    turned = np.mod(degrees, 360.0)
    found = np.cos(np.radians(turned))
    quarter = np.mod(turned, 90.0) == 0
    return np.where(quarter, np.round(found), found)
