"""Where a row of results comes from: compiled loops from pixels to places in the source.

A place is a whole pixel (ix, iy) and a rest (fx, fy) in [0, 1], so that float32 rests keep their precision however
large the picture is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.memory_access import load, store, wide_vectors

FAST = {"contract", "nsz", "nnan"}
BLOCK = 256
MARGIN = 2
"""Pixels around the source that the fill has put there."""
FARTHEST = 2.0**30
REFLECT, EDGE, CONSTANT = 0, 1, 2


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def displaced(rows: Any, first: int, weights: Any, move: Any) -> None:
    """Set `move` to a row of a displacement field: four rows of its coefficients, already spread along x, weighted."""
    wide_vectors()
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    for x in range(move.shape[0]):
        value = (
            a * load(rows[first], x)
            + b * load(rows[first + 1], x)
            + c * load(rows[first + 2], x)
            + d * load(rows[first + 3], x)
        )
        store(move, x, value)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def spread(grid: Any, first: Any, weights: Any, rows: Any) -> None:
    """Set `rows` (rows, width) to the coefficients of `grid` (rows, columns), interpolated along x."""
    for j in range(grid.shape[0]):
        for x in range(rows.shape[1]):
            i = first[x]
            rows[j, x] = (
                weights[x, 0] * grid[j, i]
                + weights[x, 1] * grid[j, i + 1]
                + weights[x, 2] * grid[j, i + 2]
                + weights[x, 3] * grid[j, i + 3]
            )


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def affine(matrix: Any, y: int, moves: bool, dx: Any, dy: Any, ix: Any, iy: Any, fx: Any, fy: Any) -> None:
    """Find the places of row y: a block's first place in float64, the others by float32 steps from there."""
    wide_vectors()
    width = ix.shape[0]
    step_xx, step_xy = np.float32(matrix[0, 0]), np.float32(matrix[0, 1])
    step_yx, step_yy = np.float32(matrix[1, 0]), np.float32(matrix[1, 1])
    for begin in range(0, width, BLOCK):
        at_x = matrix[0, 0] * begin + matrix[0, 1] * y + matrix[0, 2]
        at_y = matrix[1, 0] * begin + matrix[1, 1] * y + matrix[1, 2]
        whole_x, whole_y = np.floor(at_x), np.floor(at_y)
        rest_x, rest_y = np.float32(at_x - whole_x), np.float32(at_y - whole_y)
        pixel_x, pixel_y = np.int32(whole_x), np.int32(whole_y)
        for k in range(min(BLOCK, width - begin)):
            x = begin + k
            step = np.float32(k)
            if moves:
                along, down = step + load(dx, x), load(dy, x)
                tx = rest_x + step_xx * along + step_xy * down
                ty = rest_y + step_yx * along + step_yy * down
            else:
                tx = rest_x + step_xx * step
                ty = rest_y + step_yx * step
            floor_x, floor_y = np.floor(tx), np.floor(ty)
            store(ix, x, np.int32(pixel_x + np.int32(floor_x)))
            store(iy, x, np.int32(pixel_y + np.int32(floor_y)))
            store(fx, x, tx - floor_x)
            store(fy, x, ty - floor_y)


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def curved(
    matrix: Any, lens: float, y: int, height: int, moves: bool, dx: Any, dy: Any, ix: Any, iy: Any, fx: Any, fy: Any
) -> None:
    """Find the places of row y for any homography and lens, in float64."""
    width = ix.shape[0]
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    per_radius = 1.0 / ((width / 2) ** 2 + (height / 2) ** 2)
    for x in range(width):
        qx, qy = float(x), float(y)
        if moves:
            qx += dx[x]
            qy += dy[x]
        if lens != 0.0:
            from_x, from_y = qx - middle_x, qy - middle_y
            bent = 1.0 + lens * (from_x * from_x + from_y * from_y) * per_radius
            qx, qy = middle_x + from_x * bent, middle_y + from_y * bent
        w = matrix[2, 0] * qx + matrix[2, 1] * qy + matrix[2, 2]
        if abs(w) < 1e-12:
            w = 1e-12
        at_x = (matrix[0, 0] * qx + matrix[0, 1] * qy + matrix[0, 2]) / w
        at_y = (matrix[1, 0] * qx + matrix[1, 1] * qy + matrix[1, 2]) / w
        at_x, at_y = min(max(at_x, -FARTHEST), FARTHEST), min(max(at_y, -FARTHEST), FARTHEST)
        whole_x, whole_y = np.floor(at_x), np.floor(at_y)
        ix[x], iy[x] = np.int32(whole_x), np.int32(whole_y)
        fx[x], fy[x] = np.float32(at_x - whole_x), np.float32(at_y - whole_y)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def rounded(index: Any, rest: Any) -> None:
    """Move every place to the nearest pixel: ⌊p + 1/2⌋."""
    for x in range(index.shape[0]):
        near = load(rest, x) >= np.float32(0.5)
        store(index, x, np.int32(load(index, x) + (np.int32(1) if near else np.int32(0))))
    rest[:] = np.float32(0.0)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def extent(index: Any) -> Any:
    """Return the least and the largest of whole parts."""
    least, most = index[0], index[0]
    for x in range(index.shape[0]):
        value = load(index, x)
        least = value if value < least else least
        most = value if value > most else most
    return least, most


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def brought_inside(index: Any, rest: Any, least: int, most: int, side: int, fill: int, reach: int) -> None:
    """Replace places outside the source by places within, or within its margin, that have the same value.

    Args:
        index: whole parts, changed in place.
        rest: rests, changed in place.
        least: the least of the whole parts.
        most: the largest of the whole parts.
        side: width or height of the source.
        fill: `REFLECT`, `EDGE` or `CONSTANT`.
        reach: 1 for two taps, at a place and beyond, which one pixel of margin serves; 0 for one tap.
    """
    if least >= -1 and most <= side - 1:
        return
    last = np.int32(side)
    if fill != REFLECT:
        # One pixel farther, both taps read what the fill has put there, whatever their weights.
        low, high = (np.int32(-1), np.int32(last - 1)) if fill == EDGE else (np.int32(-2), last)
        for x in range(index.shape[0]):
            value = load(index, x)
            value = low if value < low else value
            store(index, x, high if value > high else value)
    elif least >= -side - 1 and most <= 2 * side - 1:
        for x in range(index.shape[0]):
            value, part = load(index, x), load(rest, x)
            below, above = value < np.int32(-1), value > np.int32(last - 1)
            mirrored = np.int32(-1 - reach) - value if below else np.int32(2) * last - np.int32(1 + reach) - value
            out = below or above
            store(index, x, mirrored if out else value)
            store(rest, x, np.float32(reach) - part if out else part)
    else:
        period = 2 * side
        for x in range(index.shape[0]):
            turned = index[x] % period
            if turned >= side:
                index[x], rest[x] = np.int32(period - 1 - reach - turned), np.float32(reach) - rest[x]
            else:
                index[x] = np.int32(turned)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def within_pairs(index: Any, rest: Any, side: int) -> None:
    """Replace places half a pixel beyond the edge by the pair of pixels before it, whose outer one is the edge's."""
    last = np.int32(side - 2)
    for x in range(index.shape[0]):
        value, part = load(index, x), load(rest, x)
        part = np.float32(0.0) if value < np.int32(0) else part
        part = np.float32(1.0) if value > last else part
        value = np.int32(0) if value < np.int32(0) else value
        store(rest, x, part)
        store(index, x, last if value > last else value)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def addressed(ix: Any, iy: Any, stride: int, channels: int, origin: int) -> None:
    """Turn places into the positions of their first bytes, in `ix`."""
    per_row, per_pixel, begin = np.int32(stride), np.int32(channels), np.int32(origin)
    for x in range(ix.shape[0]):
        store(ix, x, np.int32(begin + load(iy, x) * per_row + load(ix, x) * per_pixel))
