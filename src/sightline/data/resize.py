"""Bringing a picture to one size: where it goes, and anti-aliased resampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Resize = Literal["fit", "crop", "stretch"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Placement:
    """Which part of a picture lands where.

    Attributes:
        box: left, upper, right, lower edge of the part that is used, in pixels of the picture (edges, not centers).
        height, width: size in pixels that this part is resampled to.
        top, left: where its first pixel lies in the result.
    """

    box: Box
    height: int
    width: int
    top: int = 0
    left: int = 0


def place(height: int, width: int, size: tuple[int, int], resize: Resize) -> Placement:
    """Return how a picture of `height` × `width` pixels fills `size`, (height, width).

    fit: the whole picture, its aspect ratio kept to half a pixel of the result, centered; what is left over on the
        two sides is padding (the odd pixel at the right or at the bottom).
    crop: the largest centered part that has the result's aspect ratio; nothing is padded.
    stretch: the whole picture on the whole result, whatever becomes of the aspect ratio.
    """
    high, wide = size
    whole = (0.0, 0.0, float(width), float(height))
    match resize:
        case "stretch":
            return Placement(whole, high, wide)
        case "fit":
            if high * width >= wide * height:  # the width decides
                inner_high, inner_wide = max(1, (2 * height * wide + width) // (2 * width)), wide
            else:
                inner_high, inner_wide = high, max(1, (2 * width * high + height) // (2 * height))
            return Placement(whole, inner_high, inner_wide, (high - inner_high) // 2, (wide - inner_wide) // 2)
        case "crop":
            if high * width >= wide * height:  # the height is used up
                used = (float(height), height * wide / high)
            else:
                used = (width * high / wide, float(width))
            return Placement(_centered(height, width, used), high, wide)


def resample(image: Image.Image, box: Box, height: int, width: int) -> Image.Image:
    """Return the part `box` of an L, RGB or RGBX image in `height` × `width` pixels.

    Where the box already has that many pixels and begins at a whole one, the pixels are the same, bit by bit.
    Otherwise every result pixel is a weighted mean with triangle weights, whose reach is one pixel of the coarser of
    the two grids: bilinear interpolation where the picture grows, anti-aliased where it shrinks.
    """
    left, upper, right, lower = box
    if (right - left, lower - upper) == (width, height) and left.is_integer() and upper.is_integer():
        if (width, height) == image.size:
            return image
        return image.crop((int(left), int(upper), int(right), int(lower)))
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return pixels (h, w, c) as EXIF `orientation`, 1 to 8, says they are to be shown."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def turned_box(box: Box, height: int, width: int, orientation: int) -> Box:
    """Return a box of the shown picture in the stored one of `height` × `width` pixels: the inverse of `turned`."""
    left, upper, right, lower = box
    shown_high, shown_wide = (width, height) if orientation >= 5 else (height, width)
    if orientation in (2, 3, 6, 7):
        left, right = shown_wide - right, shown_wide - left
    if orientation in (3, 4, 7, 8):
        upper, lower = shown_high - lower, shown_high - upper
    return (upper, left, lower, right) if orientation >= 5 else (left, upper, right, lower)


def _centered(height: int, width: int, used: tuple[float, float]) -> Box:
    high, wide = min(used[0], float(height)), min(used[1], float(width))
    upper, left = (height - high) / 2, (width - wide) / 2
    # A part of whole pixels stays on whole pixels: an offset of a half would blur what needs no resampling.
    if high.is_integer() and wide.is_integer():
        upper, left = float(int(upper)), float(int(left))
    return (left, upper, min(left + wide, float(width)), min(upper + high, float(height)))
