"""Boxes in a result: top, left, bottom and right in whole pixels, the last two exclusive."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32
from numpy import ndarray
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEAST_AREA = 1e-12

Boxes = Int32[ndarray, "picture 4"]


def random_boxes(size: tuple[int, int], area: Numbers, aspect: Numbers, across: Numbers, down: Numbers) -> Boxes:
    """Return boxes that lie wholly inside.

    Args:
        size: height and width of the result.
        area: share of the picture's area.
        aspect: width over height, relative to the picture's own; the nearest that fits inside with this area.
        across: place, from 0 at the left to 1 at the right.
        down: place, from 0 at the top to 1 at the bottom.
    """
    height, width = size
    aspect = np.clip(aspect, area, 1.0 / np.maximum(area, LEAST_AREA))
    high = np.clip(np.round(height * np.sqrt(area / aspect)), 0, height)
    wide = np.clip(np.round(width * np.sqrt(area * aspect)), 0, width)
    top, left = np.floor(down * (height - high + 1)), np.floor(across * (width - wide + 1))
    return np.stack([top, left, top + high, left + wide], axis=1).astype(np.int32)


def paste_boxes(size: tuple[int, int], share: Numbers, across: Numbers, down: Numbers) -> tuple[Boxes, Numbers]:
    """Return boxes of the picture's own shape for the share that a partner takes, and the shares really left.

    Args:
        size: height and width of the result.
        share: of the area that stays the picture's own.
        across: place of the box, from 0 to 1.
        down: place of the box, from 0 to 1.
    """
    boxes = random_boxes(size, 1.0 - share, np.ones(len(share)), across, down)
    covered = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return boxes, 1.0 - covered / (size[0] * size[1])
