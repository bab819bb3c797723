"""Where a row of results comes from: compiled loops from pixels to places in the source.

A place is a whole pixel (ix, iy) and a rest (fx, fy) in [0, 1], so that float32 rests keep their precision however
large the picture is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.memory_access import load, multiply_add, store, wide_vectors

FAST = {"contract", "nsz", "nnan"}
BLOCK = 256
NEAR = 1e-3
"""Pixels by which float32 places may miss their bounds."""
MARGIN = 2
"""Pixels around the source that the fill has put there."""
FARTHEST = 2.0**30
REFLECT, EDGE, CONSTANT = 0, 1, 2


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def displaced(spread_x: Any, spread_y: Any, first: Any, weights: Any, dx: Any, dy: Any) -> None:
    """Set `dx` and `dy` to rows of a displacement field, from the coefficients that `spread` has interpolated along x.

    Args:
        first: for each row, the first of the four rows of coefficients that it lies between.
        weights: theirs, shape (rows, 4).
    """
    wide_vectors()
    width = spread_x.shape[1]
    flat_x, flat_y = spread_x.reshape(spread_x.size), spread_y.reshape(spread_y.size)
    for r in range(first.shape[0]):
        a, b, c, d = weights[r, 0], weights[r, 1], weights[r, 2], weights[r, 3]
        i = first[r] * width
        j, k, m = i + width, i + 2 * width, i + 3 * width
        begin = r * width
        for x in range(width):
            along = (
                a * load(flat_x, i + x) + b * load(flat_x, j + x) + c * load(flat_x, k + x) + d * load(flat_x, m + x)
            )
            down = a * load(flat_y, i + x) + b * load(flat_y, j + x) + c * load(flat_y, k + x) + d * load(flat_y, m + x)
            store(dx, begin + x, along)
            store(dy, begin + x, down)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def spread(grid: Any, weights: Any, distance: float, rows: Any) -> Any:
    """Set `rows` (rows, width) to `grid` (rows, columns) · `weights` (columns, width); return the largest coefficient.

    Column i of the coefficients, `distance` pixels from the next one, weighs only in its own four intervals.
    """
    wide_vectors()
    largest = np.float32(0.0)
    width = rows.shape[1]
    for j in range(grid.shape[0]):
        row = rows[j]
        row[:] = np.float32(0.0)
        for i in range(grid.shape[1]):
            coefficient = grid[j, i]
            largest = max(largest, abs(coefficient))
            line = weights[i]
            begin, end = max(int((i - 3) * distance), 0), min(int((i + 1) * distance) + 1, width)
            for x in range(begin, end):
                store(row, x, load(row, x) + coefficient * load(line, x))
    return largest


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def affine(matrix: Any, y: int, moves: bool, dx: Any, dy: Any, ix: Any, iy: Any, fx: Any, fy: Any) -> None:
    """Find the places of row y: a block's first place in float64, the others by float32 steps from there."""
    wide_vectors()
    width, steps = ix.shape[0], _steps(matrix)
    for begin in range(0, width, BLOCK):
        first = _first(matrix, begin, y)
        for k in range(min(BLOCK, width - begin)):
            x = begin + k
            across, down = np.float32(np.int32(k)), np.float32(0.0)
            if moves:
                across, down = across + load(dx, x), load(dy, x)
            column, row, rest_x, rest_y = _stepped(first, steps, across, down)
            store(ix, x, column)
            store(iy, x, row)
            store(fx, x, rest_x)
            store(fy, x, rest_y)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _first(matrix: Any, x: int, y: int) -> Any:
    """Return the place of a pixel: whole parts along x and y, then rests."""
    at_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    at_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    whole_x, whole_y = np.floor(at_x), np.floor(at_y)
    return np.int32(whole_x), np.int32(whole_y), np.float32(at_x - whole_x), np.float32(at_y - whole_y)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _steps(matrix: Any) -> Any:
    """Return how far a pixel's step leads: along x from one across and one down, then along y."""
    return np.float32(matrix[0, 0]), np.float32(matrix[0, 1]), np.float32(matrix[1, 0]), np.float32(matrix[1, 1])


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _stepped(first: Any, steps: Any, across: Any, down: Any) -> Any:
    """Return the place so many pixels on from `first`: whole parts along x and y, then rests."""
    at_x = first[2] + steps[0] * across + steps[1] * down
    at_y = first[3] + steps[2] * across + steps[3] * down
    floor_x, floor_y = np.floor(at_x), np.floor(at_y)
    column, row = np.int32(first[0] + np.int32(floor_x)), np.int32(first[1] + np.int32(floor_y))
    return column, row, at_x - floor_x, at_y - floor_y


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def straight(
    matrix: Any,
    top: int,
    rows: int,
    moves: bool,
    dx: Any,
    dy: Any,
    far: Any,
    source: Any,
    mirrored: bool,
    stride: int,
    channels: int,
    origin: int,
    at: Any,
    fx: Any,
    fy: Any,
) -> None:
    """Find, for rows from `top` on, the first bytes of the pairs of pixels, upper and left, around every place.

    What `affine`, `brought_inside` and `addressed` do, in one loop, for places of which none is farther outside than
    the source is large.

    Args:
        moves: whether `dx` and `dy` move the pixels.
        far: how far they do, at the most.
        source: height and width of the source.
        mirrored: whether the fill is `REFLECT`, else it is `EDGE`.
        at: positions of the bytes, set.
        fx: rests along x, set.
        fy: rests along y, set.
    """
    wide_vectors()
    width, steps = at.shape[0] // rows, _steps(matrix)
    last_y, last_x = np.int32(source[0] - 2), np.int32(source[1] - 2)
    per_row, per_pixel, first = np.int32(stride), np.int32(channels), np.int32(origin)
    for r in range(rows):
        y = top + r
        least_x, most_x, least_y, most_y = bounds(matrix, y, y, width, far)
        beyond = least_x < NEAR or most_x > last_x + 1 - NEAR or least_y < NEAR or most_y > last_y + 1 - NEAR
        for begin in range(0, width, BLOCK):
            anchor = _first(matrix, begin, y)
            for k in range(min(BLOCK, width - begin)):
                x = r * width + begin + k
                across, down = np.float32(np.int32(k)), np.float32(0.0)
                if moves:
                    across, down = across + load(dx, x), load(dy, x)
                ix, iy, tx, ty = _stepped(anchor, steps, across, down)
                if beyond:
                    ix, tx = _paired(ix, tx, last_x, mirrored)
                    iy, ty = _paired(iy, ty, last_y, mirrored)
                store(at, x, multiply_add(iy, per_row, multiply_add(ix, per_pixel, first)))
                store(fx, x, tx)
                store(fy, x, ty)


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def bounds(matrix: Any, top: int, bottom: int, width: int, far: Any) -> Any:
    """Return the least and the largest place along x of the rows from `top` to `bottom`, then those along y.

    For straight pictures, whose pixels are moved by up to `far` before, along x and along y.
    """
    across, down = (width - 1) / 2, (bottom - top) / 2
    middle_x = matrix[0, 0] * across + matrix[0, 1] * (top + down) + matrix[0, 2]
    middle_y = matrix[1, 0] * across + matrix[1, 1] * (top + down) + matrix[1, 2]
    half_x = abs(matrix[0, 0]) * (across + far[0]) + abs(matrix[0, 1]) * (down + far[1])
    half_y = abs(matrix[1, 0]) * (across + far[0]) + abs(matrix[1, 1]) * (down + far[1])
    return middle_x - half_x, middle_x + half_x, middle_y - half_y, middle_y + half_y


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _paired(index: Any, rest: Any, last: Any, mirrored: bool) -> Any:
    """Return the pair of pixels within the source, and the rest, that have the value of a place outside."""
    zero, one, two = np.int32(0), np.int32(1), np.int32(2)
    if mirrored:
        rest = np.float32(1.0) - rest if index < -one or index > np.int32(last + one) else rest
        turned = np.int32(-two - index)
        index = index if index > turned else turned
        turned = np.int32(two * last + two - index)
        index = index if index < turned else turned
    # Half a pixel beyond the edge and farther, there is only the outer pixel of the outermost pair.
    rest = np.float32(0.0) if index < zero else rest
    rest = np.float32(1.0) if index > last else rest
    index = zero if index < zero else index
    return last if index > last else index, rest


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
def _extent(index: Any) -> Any:
    """Return the least and the largest of whole parts."""
    least, most = index[0], index[0]
    for x in range(index.shape[0]):
        value = load(index, x)
        least = value if value < least else least
        most = value if value > most else most
    return least, most


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def brought_inside(index: Any, rest: Any, side: int, fill: int, reach: int) -> None:
    """Replace places outside the source by places within, or within its margin, that have the same value.

    Args:
        index: whole parts, changed in place.
        rest: rests, changed in place.
        side: width or height of the source.
        fill: `REFLECT`, `EDGE` or `CONSTANT`.
        reach: 1 for two taps, at a place and beyond, which one pixel of margin serves; 0 for one tap.
    """
    least, most = _extent(index)
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
def addressed(ix: Any, iy: Any, stride: int, channels: int, origin: int) -> None:
    """Turn places into the positions of their first bytes, in `ix`."""
    per_row, per_pixel, begin = np.int32(stride), np.int32(channels), np.int32(origin)
    for x in range(ix.shape[0]):
        store(ix, x, multiply_add(load(iy, x), per_row, multiply_add(load(ix, x), per_pixel, begin)))
