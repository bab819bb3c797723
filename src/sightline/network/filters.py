"""The filters of a layer side by side, as a picture of what it looks for."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

COLORS = 3
MOST = 64


def mosaic(
    weights: Float[np.ndarray, "filter channel height width"], *, largest: float, across: int
) -> Float[np.ndarray, "height width color"]:
    """Return at most `MOST` filters, `across` in a row, on one scale, one weight a pixel, a white pixel around each.

    0.5 is a weight of 0, 1 is `largest` and 0 is -`largest`. A filter of three channels has the color it answers to;
    of any other number, the mean of its channels is shown.
    """
    shown = weights[:MOST]
    if shown.shape[1] != COLORS:
        shown = shown.mean(axis=1, keepdims=True).repeat(COLORS, axis=1)
    shown = (0.5 + 0.5 * shown / max(largest, 1e-12)).clip(0, 1).astype(np.float32)
    count, _, height, width = shown.shape
    picture = np.ones(
        (-(-count // across) * (height + 1) + 1, min(across, count) * (width + 1) + 1, COLORS), np.float32
    )
    for number, each in enumerate(shown):
        top, left = divmod(number, across)
        y, x = top * (height + 1) + 1, left * (width + 1) + 1
        picture[y : y + height, x : x + width] = each.transpose(1, 2, 0)
    return picture
