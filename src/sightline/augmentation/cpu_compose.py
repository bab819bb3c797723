"""Composition of many small matrices, compiled: NumPy takes longer to begin than to multiply 3 × 3 numbers.

Rows are copied number by number: Numba's own assignment of arrays takes seconds to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def geometry_then(composed: Any, matrix: Any, on: Any) -> None:
    """Set each way back A, where `on`, to A · B: the way back through A's operations, then through B."""
    row = np.empty(3)
    for i in range(composed.shape[0]):
        if on[i]:
            for j in range(3):
                for k in range(3):
                    row[k] = (
                        composed[i, j, 0] * matrix[i, 0, k]
                        + composed[i, j, 1] * matrix[i, 1, k]
                        + composed[i, j, 2] * matrix[i, 2, k]
                    )
                for k in range(3):
                    composed[i, j, k] = row[k]


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def color_then(composed: Any, matrix: Any, on: Any) -> None:
    """Set each color matrix A, where `on`, to what A does first and B after it."""
    channels = composed.shape[1]
    whole = np.empty((channels, channels + 1))
    for i in range(composed.shape[0]):
        if on[i]:
            for j in range(channels):
                for k in range(channels + 1):
                    value = matrix[i, j, channels] if k == channels else 0.0
                    for m in range(channels):
                        value += matrix[i, j, m] * composed[i, m, k]
                    whole[j, k] = value
            for j in range(channels):
                for k in range(channels + 1):
                    composed[i, j, k] = whole[j, k]


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def shrinking(homography: Any, height: int, width: int) -> Any:
    """Return how many pixels of the source, along x and along y, one pixel's step spans in the middle of the result."""
    found = np.empty((homography.shape[0], 2))
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    for i in range(homography.shape[0]):
        m = homography[i]
        w = m[2, 0] * middle_x + m[2, 1] * middle_y + m[2, 2]
        for axis in range(2):
            at = (m[axis, 0] * middle_x + m[axis, 1] * middle_y + m[axis, 2]) / w
            along, down = (m[axis, 0] - at * m[2, 0]) / w, (m[axis, 1] - at * m[2, 1]) / w
            found[i, axis] = np.sqrt(along * along + down * down)
    return found
