"""One pass over each picture, compiled: source bytes to standardized float32, a row of the result at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation import cpu_noise as noisy
from sightline.augmentation import cpu_places as place
from sightline.augmentation import cpu_values as value
from sightline.augmentation.cpu_places import CONSTANT, MARGIN, REFLECT
from sightline.augmentation.kept import drop_outdated
from sightline.augmentation.memory_access import load, store, wide_vectors
from sightline.augmentation.noise import GAUSSIAN, SALT_PEPPER

SLACK = 8
"""Bytes behind the source that reading two pixels at once may touch."""
STEEP = 1e3
"""Steps between neighboring pixels beyond which float32 steps would lose their place."""
NEAREST, BILINEAR, BICUBIC = 0, 1, 2
TILE = 1024
"""Pixels of a result that are worked on together; their buffers fit the first cache."""


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def render_rows(  # noqa: PLR0915 - one loop over rows, cut up already into what can be compiled by itself
    images: Any,
    filtered: Any,
    which: Any,
    begin: int,
    end: int,
    fill: int,
    fill_value: int,
    interpolation: int,
    homography: Any,
    lens: Any,
    grid: Any,
    first_row: Any,
    row_weights: Any,
    along: Any,
    spacing: float,
    color: Any,
    low: Any,
    high: Any,
    gamma: Any,
    noise: Any,
    salt_pepper: Any,
    noise_key: Any,
    erase: Any,
    erase_value: Any,
    plain: Any,
    scale: Any,
    offset: Any,
    out: Any,
) -> None:
    """Render the pictures `begin` to `end` into `out`, shape (picture, height, width · channels).

    Args:
        images: sources, uint8.
        filtered: those of them that were filtered beforehand, of which picture i is number `which[i]`, if not −1.
        first_row: of the four rows of coefficients of a displacement field that each row of the result lies between.
        row_weights: theirs, shape (height, 4).
        along: what each column of coefficients weighs in each column of the result.
        spacing: pixels between the columns of coefficients.
        plain: pictures whose color matrix already standardizes, since nothing comes between.
        noise_key: of each picture, uint64.
        erase_value: standardized, for each channel.
        salt_pepper: how many of 65,536 pixels are hit.
    """
    wide_vectors()
    source_height, source_width, channels = images.shape[1], images.shape[2], images.shape[3]
    height = out.shape[1]
    width = out.shape[2] // channels
    framed_stride = (source_width + 2 * MARGIN) * channels
    source = np.empty((source_height + 2 * MARGIN) * framed_stride + SLACK, np.uint8)
    sides = np.array([source_height, source_width])
    # Small pictures are worked on several rows at a time, so that loops are long enough to be worth starting.
    tile = min(height, max(1, TILE // width))
    pixels = tile * width
    ix, iy = _room(pixels).view(np.int32), _room(pixels).view(np.int32)
    fx, fy = _room(pixels), _room(pixels)
    dx, dy = _room(pixels), _room(pixels)
    far = np.zeros(2, np.float32)
    upper, lower = _room(2 * pixels).view(np.uint64), _room(2 * pixels).view(np.uint64)
    both = _room(pixels).view(np.uint32)
    per_value, per_pixel = noisy.counters(tile, width * channels), noisy.counters(tile, width)
    words = _room(4 * per_value.shape[1]).view(np.uint32)
    row_scale, row_offset = _room(width * channels), _room(width * channels)
    for x in range(width * channels):
        row_scale[x], row_offset[x] = scale[x % channels], offset[x % channels]
    grid_x = _room(grid.shape[2] * width).reshape(grid.shape[2], width)
    grid_y = _room(grid.shape[2] * width).reshape(grid.shape[2], width)
    reach = 0 if interpolation == NEAREST else 1
    white, black = scale + offset, offset
    for i in range(begin, end):
        given = filtered[which[i]] if which[i] >= 0 else images[i]
        far[0] = place.spread(grid[i, 0], along, spacing, grid_x)
        far[1] = place.spread(grid[i, 1], along, spacing, grid_y)
        moves = max(far[0], far[1]) > 0.0
        straight = lens[i] == 0.0 and not is_curved(homography[i], width, height)
        pairs = straight and interpolation == BILINEAR and fill != CONSTANT and min(source_height, source_width) > 1
        if pairs and fill == REFLECT:
            least_x, most_x, least_y, most_y = place.bounds(homography[i], 0, height - 1, width, far)
            pairs = least_x > -source_width and most_x < 2 * source_width - 1
            pairs = pairs and least_y > -source_height and most_y < 2 * source_height - 1
        # Two pixels are read at once, so that the last picture, behind which is no memory of ours, is copied too.
        last = which[i] == filtered.shape[0] - 1 if which[i] >= 0 else i == images.shape[0] - 1
        if pairs and not last:
            picture = given.reshape(source_height * source_width * channels)
            stride, origin = source_width * channels, 0
        else:
            framed(given, fill, fill_value, source)
            picture, stride, origin = source, framed_stride, MARGIN * (framed_stride + channels)
        flat = out[i].reshape(height * width * channels)
        for top in range(0, height, tile):
            rows = min(tile, height - top)
            n = rows * width
            tx, ty, ux, uy = ix[:n], iy[:n], fx[:n], fy[:n]
            if moves:
                below = slice(top, top + rows)
                place.displaced(grid_x, grid_y, first_row[below], row_weights[below], dx[:n], dy[:n])
            if pairs:
                place.straight(
                    homography[i],
                    top,
                    rows,
                    moves,
                    dx,
                    dy,
                    far,
                    sides,
                    fill == REFLECT,
                    stride,
                    channels,
                    origin,
                    tx,
                    ux,
                    uy,
                )
            else:
                for r in range(rows):
                    here = slice(r * width, (r + 1) * width)
                    if straight:
                        place.affine(
                            homography[i], top + r, moves, dx[here], dy[here], ix[here], iy[here], fx[here], fy[here]
                        )
                    else:
                        place.curved(
                            homography[i],
                            lens[i],
                            top + r,
                            height,
                            moves,
                            dx[here],
                            dy[here],
                            ix[here],
                            iy[here],
                            fx[here],
                            fy[here],
                        )
            part = flat[top * width * channels : (top * width + n) * channels]
            if interpolation != BICUBIC and not pairs:
                if interpolation == NEAREST:
                    place.rounded(tx, ux)
                    place.rounded(ty, uy)
                place.brought_inside(tx, ux, source_width, fill, reach)
                place.brought_inside(ty, uy, source_height, fill, reach)
                place.addressed(tx, ty, stride, channels, origin)
            if interpolation == BICUBIC:
                value.bicubic(picture, stride, sides, fill, tx, ty, ux, uy, color[i], low[i], high[i], part)
            elif channels == 3:
                value.fetch(picture, stride, tx, upper[:n], lower[:n])
                value.blended(
                    upper[:n].view(np.uint32), lower[:n].view(np.uint32), ux, uy, color[i], low[i], high[i], part
                )
            else:
                value.fetch_gray(picture, stride, tx, both[:n])
                value.blended_gray(both[:n], ux, uy, color[i], low[i], high[i], part)
            if not plain[i]:
                if gamma[i] != 1.0:
                    value.powered(part, gamma[i])
                if noise[i] > 0:
                    drawn = noisy.drawn(noise_key[i], GAUSSIAN, top, rows, per_value, words)
                    noisy.add_gaussian(part, rows, drawn, noise[i], row_scale, row_offset)
                else:
                    value.standardized(part, rows, row_scale, row_offset)
                if salt_pepper[i] > 0:
                    drawn = noisy.drawn(noise_key[i], SALT_PEPPER, top, rows, per_pixel, words)
                    noisy.add_salt_pepper(part, rows, drawn, salt_pepper[i], white, black)
        for y in range(erase[i, 0], erase[i, 2]):
            for x in range(erase[i, 1], erase[i, 3]):
                for channel in range(channels):
                    out[i, y, channels * x + channel] = erase_value[channel]


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _room(count: int) -> Any:
    """Return room for `count` float32 numbers that begins where a line of the cache does."""
    room = np.empty(count + 16, np.float32)
    begin = (-room.ctypes.data % 64) // 4
    return room[begin : begin + count]


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def framed(image: Any, fill: int, fill_value: int, source: Any) -> None:
    """Copy a picture into `source` with a margin of two pixels, filled with what the picture continues with."""
    height, width, channels = image.shape
    stride = (width + 2 * MARGIN) * channels
    if fill == CONSTANT:
        source[:] = fill_value
    for y in range(height):
        begin = (y + MARGIN) * stride + MARGIN * channels
        line = image[y].reshape(width * channels)
        for x in range(width * channels):
            store(source, begin + x, load(line, x))
        if fill != CONSTANT:
            for beyond in range(MARGIN):
                inside = min(beyond, width - 1) if fill == REFLECT else 0
                for channel in range(channels):
                    source[begin - (beyond + 1) * channels + channel] = image[y, inside, channel]
                    source[begin + (width + beyond) * channels + channel] = image[y, width - 1 - inside, channel]
    if fill != CONSTANT:
        for beyond in range(MARGIN):
            inside = min(beyond, height - 1) if fill == REFLECT else 0
            above, below = MARGIN - 1 - beyond, MARGIN + height + beyond
            top, bottom = MARGIN + inside, MARGIN + height - 1 - inside
            for x in range(stride):
                store(source, above * stride + x, load(source, top * stride + x))
                store(source, below * stride + x, load(source, bottom * stride + x))


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def is_curved(matrix: Any, width: int, height: int) -> bool:
    """Return whether float32 steps from pixel to pixel would not do: a perspective, or places very far away."""
    if matrix[2, 0] != 0.0 or matrix[2, 1] != 0.0 or matrix[2, 2] != 1.0:
        return True
    for axis in range(2):
        a, b, c = abs(matrix[axis, 0]), abs(matrix[axis, 1]), abs(matrix[axis, 2])
        if max(a, b) > STEEP or a * width + b * height + c > 1e6:
            return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def smoothed(image: Any, along: Any, down: Any, out: Any) -> None:
    """Set `out` to the picture under two bells of 4096ths, as `prefilter.blurred` defines it."""
    height, width, channels = image.shape
    radius_x, radius_y = along.shape[0] // 2, down.shape[0] // 2
    middle = np.empty((height, width * channels), np.uint32)
    line = np.empty((width + 2 * radius_x) * channels, np.uint32)
    for y in range(height):
        for x in range(-radius_x, width + radius_x):
            turned = x % (2 * width)
            at = min(turned, 2 * width - 1 - turned)
            for channel in range(channels):
                line[(x + radius_x) * channels + channel] = image[y, at, channel]
        row = middle[y]
        row[:] = 0
        for k in range(along.shape[0]):
            tap = np.uint32(along[k])
            begin = k * channels
            for x in range(width * channels):
                row[x] += tap * line[begin + x]
    total = np.empty(width * channels, np.uint32)
    for y in range(height):
        total[:] = np.uint32(1 << 23)
        for k in range(down.shape[0]):
            turned = (y + k - radius_y) % (2 * height)
            row = middle[min(turned, 2 * height - 1 - turned)]
            tap = np.uint32(down[k])
            for x in range(width * channels):
                total[x] += tap * row[x]
        flat = out[y].reshape(width * channels)
        for x in range(width * channels):
            flat[x] = np.uint8(total[x] >> np.uint32(24))


drop_outdated(render_rows)
drop_outdated(smoothed)
