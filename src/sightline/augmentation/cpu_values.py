"""The values of a row of results: compiled loops from places in the source to standardized numbers.

Values run from 0 to 255 until the color matrix, which the host has scaled to take and give what is wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sightline.augmentation.cpu_places import FAST, MARGIN
from sightline.augmentation.memory_access import as_float, load, load_16, load_64, store, wide_vectors

CUBIC = np.float32(-0.5)
BYTE = np.uint32(255)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def fetch(source: Any, stride: int, at: Any, upper: Any, lower: Any) -> None:
    """Read two neighboring pixels above and two below each place, as the bytes of one number each.

    Plain loads, one place after the other: the gather instructions of many processors are several times as slow.
    """
    for x in range(at.shape[0]):
        begin = np.int64(load(at, x))
        store(upper, x, load_64(source, begin))
        store(lower, x, load_64(source, begin + stride))


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def fetch_gray(source: Any, stride: int, at: Any, both: Any) -> None:
    """Read the four pixels around each place of a gray picture as the bytes of one number, two above, two below."""
    for x in range(at.shape[0]):
        begin = np.int64(load(at, x))
        low, high = load_16(source, begin), load_16(source, begin + stride)
        store(both, x, np.uint32(np.uint32(low) | (np.uint32(high) << np.uint32(16))))


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _value(bits: Any, shift: Any) -> Any:
    return np.float32(np.int32((bits >> np.uint32(shift)) & BYTE))


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _weights(fx: Any, fy: Any) -> Any:
    """Return what the four pixels around a place weigh: upper left, upper right, lower left, lower right."""
    both = fx * fy
    lower, right = fy - both, fx - both
    return (np.float32(1.0) - fx) - lower, right, lower, both


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def _within(value: Any, low: Any, high: Any) -> Any:
    value = value if value > low else low
    return value if value < high else high


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def blended(upper: Any, lower: Any, fx: Any, fy: Any, color: Any, low: Any, high: Any, out: Any) -> None:
    """Interpolate a row of color pictures between four pixels, take it through the color matrix, and clip.

    Args:
        upper: words of the pixels above: the low and the high half of each fetched number.
        lower: likewise below.
        fx: rests along x.
        fy: rests along y.
        color: shape (3, 4), on values from 0 to 255.
        low: least value of each channel.
        high: largest value of each channel.
        out: the row, channels together.
    """
    wide_vectors()
    m00, m01, m02, m03 = color[0, 0], color[0, 1], color[0, 2], color[0, 3]
    m10, m11, m12, m13 = color[1, 0], color[1, 1], color[1, 2], color[1, 3]
    m20, m21, m22, m23 = color[2, 0], color[2, 1], color[2, 2], color[2, 3]
    low_0, low_1, low_2 = low[0], low[1], low[2]
    high_0, high_1, high_2 = high[0], high[1], high[2]
    for x in range(fx.shape[0]):
        a, b, c, d = _weights(load(fx, x), load(fy, x))
        u0, u1 = load(upper, 2 * x), load(upper, 2 * x + 1)
        v0, v1 = load(lower, 2 * x), load(lower, 2 * x + 1)
        red = a * _value(u0, 0) + b * _value(u0, 24) + c * _value(v0, 0) + d * _value(v0, 24)
        green = a * _value(u0, 8) + b * _value(u1, 0) + c * _value(v0, 8) + d * _value(v1, 0)
        blue = a * _value(u0, 16) + b * _value(u1, 8) + c * _value(v0, 16) + d * _value(v1, 8)
        store(out, 3 * x, _within(m00 * red + m01 * green + m02 * blue + m03, low_0, high_0))
        store(out, 3 * x + 1, _within(m10 * red + m11 * green + m12 * blue + m13, low_1, high_1))
        store(out, 3 * x + 2, _within(m20 * red + m21 * green + m22 * blue + m23, low_2, high_2))


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def blended_gray(both: Any, fx: Any, fy: Any, color: Any, low: Any, high: Any, out: Any) -> None:
    """Like `blended`, for one channel."""
    wide_vectors()
    factor, shift, least, most = color[0, 0], color[0, 1], low[0], high[0]
    for x in range(fx.shape[0]):
        a, b, c, d = _weights(load(fx, x), load(fy, x))
        bits = load(both, x)
        value = a * _value(bits, 0) + b * _value(bits, 8) + c * _value(bits, 16) + d * _value(bits, 24)
        store(out, x, _within(factor * value + shift, least, most))


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _weight(distance: Any) -> Any:
    s = abs(distance)
    if s < 1.0:
        return ((CUBIC + 2) * s - (CUBIC + 3)) * s * s + 1
    return ((s - 5) * s + 8) * s * CUBIC - 4 * CUBIC if s < 2.0 else np.float32(0.0)


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def bicubic(
    source: Any,
    stride: int,
    side: Any,
    fill: int,
    ix: Any,
    iy: Any,
    fx: Any,
    fy: Any,
    color: Any,
    low: Any,
    high: Any,
    out: Any,
) -> None:
    """Like `blended`, between sixteen pixels (Keys 1981), each brought inside by itself; `side` is height and width."""
    channels = color.shape[0]
    total = np.empty(3, np.float32)
    for x in range(ix.shape[0]):
        total[:] = 0.0
        for j in range(-1, 3):
            y_at = _inside(iy[x] + j, side[0], fill)
            weight_y = _weight(np.float32(j) - fy[x])
            for i in range(-1, 3):
                x_at = _inside(ix[x] + i, side[1], fill)
                weight = weight_y * _weight(np.float32(i) - fx[x])
                at = (y_at + MARGIN) * stride + (x_at + MARGIN) * channels
                for channel in range(channels):
                    total[channel] += weight * np.float32(source[at + channel])
        for channel in range(channels):
            value = color[channel, channels]
            for other in range(channels):
                value += color[channel, other] * total[other]
            out[channels * x + channel] = min(max(value, low[channel]), high[channel])


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _inside(index: int, side: int, fill: int) -> int:
    """Return where, in the source or one pixel beside it, the value of a pixel far outside is found."""
    if fill != 0:
        return min(max(index, -1), side)
    turned = index % (2 * side)
    return min(turned, 2 * side - 1 - turned)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def powered(row: Any, exponent: Any) -> None:
    """Raise values from 0 to 1 to a power: 2^(γ log₂ v), each to about 1e-7, with polynomials that vectorize."""
    wide_vectors()
    bits = row.view(np.int32)
    for x in range(row.shape[0]):
        # log₂ of the mantissa m in [√½, √2) by the series of atanh in s = (m − 1) / (m + 1).
        whole = load(bits, x)
        shifted = np.int32(whole - np.int32(0x3F3504F3))
        power = shifted >> np.int32(23)
        mantissa = as_float(np.int32(whole - (power << np.int32(23))))
        s = (mantissa - np.float32(1.0)) / (mantissa + np.float32(1.0))
        s2 = s * s
        series = np.float32(0.4121985831111324)
        series = series * s2 + np.float32(0.5770780163555854)
        series = series * s2 + np.float32(0.9617966939259756)
        series = series * s2 + np.float32(2.8853900817779268)
        log2 = np.float32(power) + s * series
        target = exponent * log2
        target = target if target > np.float32(-126.0) else np.float32(-126.0)
        near = np.floor(target + np.float32(0.5))
        t = target - near
        raised = np.float32(1.5403530393381609e-4)
        raised = raised * t + np.float32(1.3333558146428443e-3)
        raised = raised * t + np.float32(9.618129107628477e-3)
        raised = raised * t + np.float32(5.550410866482158e-2)
        raised = raised * t + np.float32(2.402265069591007e-1)
        raised = raised * t + np.float32(6.931471805599453e-1)
        raised = raised * t + np.float32(1.0)
        value = raised * as_float(np.int32((np.int32(near) + np.int32(127)) << np.int32(23)))
        value = value if whole > np.int32(0) else np.float32(0.0)
        store(row, x, value)


@njit(nogil=True, fastmath=FAST, error_model="numpy")  # type: ignore[untyped-decorator]
def standardized(values: Any, rows: int, scale: Any, offset: Any) -> None:
    """v ← scale · v + offset, given for each value of a row."""
    wide_vectors()
    per_row = values.shape[0] // rows
    for r in range(rows):
        for x in range(per_row):
            store(values, r * per_row + x, load(scale, x) * load(values, r * per_row + x) + load(offset, x))
