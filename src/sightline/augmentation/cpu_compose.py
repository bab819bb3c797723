"""Composition of many small matrices, compiled: NumPy takes longer to begin than to multiply 3 × 3 numbers."""

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
                composed[i, j] = row


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
            composed[i] = whole
