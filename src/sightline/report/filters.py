"""The filters of the first layer as a picture: what a network looks for before anything else."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float

from sightline.network import mosaic

ACROSS = 16
SCALE = 6
"""Pixels of the picture for one weight."""


def sheet(weights: Float[np.ndarray, "filter channel height width"]) -> bytes:
    """Return the filters as PNG, `ACROSS` in a row, on the scale of the largest weight."""
    from PIL import Image

    shown = mosaic(weights, largest=float(np.abs(weights).max()), across=ACROSS)
    enlarged = np.rint(255 * shown).astype(np.uint8).repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    written = io.BytesIO()
    Image.fromarray(enlarged).save(written, "PNG")
    return written.getvalue()
