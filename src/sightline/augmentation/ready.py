"""The compiled loops made ready before they are needed, so that their first use is no riddle."""

from __future__ import annotations

from functools import cache

import numpy as np

from sightline.augmentation.draw import draw
from sightline.augmentation.render import render

EVERY_LOOP = ("rotation", "brightness", "elastic", "gaussian_noise", "blur")


@cache
def make_ready() -> None:
    """Compile the loops for this processor, or read what an earlier process has compiled.

    The first time on a machine takes about 35 seconds; numba keeps the result beside the package, or in the user's
    cache where that cannot be written to, and later processes begin at once.
    """
    images = np.zeros((1, 4, 4, 3), np.uint8)
    render(images, draw(EVERY_LOOP, [0], source=(4, 4)))
