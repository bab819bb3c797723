"""The filters of the first layer as a picture: what a network looks for before anything else."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float

MOST = 64
ACROSS = 16
SCALE = 6
"""Pixels of the picture for one weight."""
GAP = 2


def sheet(weights: Float[np.ndarray, "filter channel height width"]) -> bytes:
    """Return at most `MOST` filters as PNG, `ACROSS` in a row, all on one scale.

    Middle gray is 0, white the largest weight in size and black as much below 0. A filter of three channels has the
    color it answers to; of any other number, the mean of its channels is shown.
    """
    from PIL import Image

    shown = weights[:MOST]
    if shown.shape[1] != 3:
        shown = shown.mean(axis=1, keepdims=True).repeat(3, axis=1)
    largest = max(float(np.abs(shown).max()), 1e-12)
    values = np.rint(255 * (0.5 + 0.5 * shown / largest)).astype(np.uint8)
    tiles = values.transpose(0, 2, 3, 1).repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    count, height, width = tiles.shape[:3]
    down = -(-count // ACROSS)
    across = min(ACROSS, count)
    picture = np.full((down * (height + GAP) - GAP, across * (width + GAP) - GAP, 4), 0, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = (number // ACROSS) * (height + GAP), (number % ACROSS) * (width + GAP)
        picture[y : y + height, x : x + width, :3] = tile
        picture[y : y + height, x : x + width, 3] = 255
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "PNG")
    return written.getvalue()
