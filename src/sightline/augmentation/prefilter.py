"""What is done to the source before it is resampled: JPEG, blur and anti-aliasing, sharpening; bytes in, bytes out.

The Gaussian bell is sampled at whole pixels up to 4 σ away, like scipy.ndimage.gaussian_filter's, and its taps are
rounded to 4096ths whose sum is 4096. With whole numbers throughout, every implementation gives the same bytes:

    blurred = ⌊(Σ_y Σ_x t_y t_x p + 2²³) / 2²⁴⌋,      sharpened = p + ⌊(a (p − blurred) + 128) / 256⌋, clipped

The picture is mirrored at its edges, the edge pixel included. Sharpening has a bell of σ = 1 and a in 256ths.
"""

from __future__ import annotations

import io
import math

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from numpy.typing import NDArray
from PIL import Image

UNIT = 4096
SHARPEN_UNIT = 256
SHARPEN_SIGMA = 1.0
REACH = 4.0
LEAST_SIGMA = 0.2
"""Below it, and up to 0.23, a neighbor's tap is less than half a 4096th and rounds to 0."""
BILINEAR = 1.6
"""Squared shrinking that bilinear interpolation alone can bear: it reaches two pixels."""

Picture = UInt8[ndarray, "height width channel"]


def antialiasing(shrinking: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of the bell before sampling every `shrinking`-th pixel.

    Interpolation with a triangle of half-width 1 has variance 1/6, and s²/6 is what a triangle of half-width s would
    have, which is how Pillow and others shrink; the bell adds what is missing. Up to s = 1.26 nothing is done.
    """
    return np.maximum(0.0, shrinking**2 - BILINEAR) / 6.0


def taps(sigma: float) -> NDArray[np.int64]:
    """Return the bell in 4096ths, shape (2 r + 1,), with sum 4096; one tap where it would hardly reach a neighbor."""
    if sigma < LEAST_SIGMA:
        return np.array([UNIT])
    radius = math.ceil(REACH * sigma)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    found: NDArray[np.int64] = np.round(UNIT * bell / bell.sum()).astype(np.int64)
    found[radius] += UNIT - found.sum()
    reach = int(np.flatnonzero(found).max()) - radius
    return found[radius - reach : radius + reach + 1]


def mirrored(index: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """Return the pixel that stands at `index` of a picture mirrored at its edges over and over."""
    period = np.mod(index, 2 * side)
    found: NDArray[np.int64] = np.minimum(period, 2 * side - 1 - period)
    return found


def blurred(picture: Picture, sigma_x: float, sigma_y: float) -> Picture:
    """Return the picture smoothed with a bell of the given standard deviations."""
    found = picture.astype(np.int64)
    for axis, sigma in ((1, sigma_x), (0, sigma_y)):
        bell = taps(sigma)
        side, radius = picture.shape[axis], len(bell) // 2
        places = mirrored(np.arange(side)[None, :] + np.arange(-radius, radius + 1)[:, None], side)
        found = sum(tap * found.take(place, axis=axis) for tap, place in zip(bell, places, strict=True))
    return ((found + (1 << 23)) >> 24).astype(np.uint8)


def sharpened(picture: Picture, amount: float) -> Picture:
    """Return the picture with `amount` of what a bell of σ = 1 takes away added."""
    whole = round(amount * SHARPEN_UNIT)
    smooth = blurred(picture, SHARPEN_SIGMA, SHARPEN_SIGMA).astype(np.int64)
    difference = picture.astype(np.int64) - smooth
    found: Picture = np.clip(picture + ((whole * difference + 128) >> 8), 0, 255).astype(np.uint8)
    return found


def as_jpeg(picture: Picture, quality: int) -> Picture:
    """Return the picture as it is after being stored as JPEG by Pillow, whose version decides the last bit."""
    gray = picture.shape[2] == 1
    stored = io.BytesIO()
    Image.fromarray(picture[..., 0] if gray else picture).save(stored, "JPEG", quality=quality)
    with Image.open(stored) as read:
        # A copy, because what Pillow lends may not be written to, which torch warns of.
        return np.array(read).reshape(picture.shape)


def prefiltered(picture: Picture, *, jpeg: int, blur: tuple[float, float], sharpen: float) -> Picture:
    """Return the source as it is resampled from: the steps in this order, each only where it is asked for."""
    if jpeg > 0:
        picture = as_jpeg(picture, jpeg)
    if max(len(taps(sigma)) for sigma in blur) > 1:
        picture = blurred(picture, *blur)
    if sharpen > 0:
        picture = sharpened(picture, sharpen)
    return picture
