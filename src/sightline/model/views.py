"""Test-time augmentation: several valid views of a picture are judged, and their probabilities averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from numpy.typing import NDArray

from sightline.errors import RecipeError
from sightline.model.compute import Group

TestTime = Literal["none", "flips", "translations", "both"]
Pixels = UInt8[ndarray, "picture height width channel"]
View = Callable[[Pixels], Pixels]

SHIFT = 1 / 16
"""Way of a translation, as a share of the side, in whole pixels and at least one."""


def views(kind: TestTime, *, orientation: str) -> tuple[View, ...]:
    """Return the views to judge, the picture as it is first.

    Args:
        kind: flips in the orientations that are valid; translations by 1/16 of the side, left, right, up and down, with
            what is beyond the edge mirrored; or both, one after the other and not combined.
        orientation: of the training: `mirror` flips left and right, `any` takes all eight orientations.

    Raises:
        RecipeError: flips of pictures that have one valid orientation, such as digits.
    """
    found: list[View] = [_same]
    if kind in ("flips", "both"):
        if orientation == "fixed":
            raise RecipeError(
                'test-time augmentation: found flips for a model whose augmentation.orientation is "fixed", so that '
                "flipped pictures mean something else; wanted translations, or a model of another orientation."
            )
        found += _turned if orientation == "any" else [_flipped]
    if kind in ("translations", "both"):
        found += [_shifted(axis, way) for axis in (1, 2) for way in (-1, 1)]
    return tuple(found)


def averaged(compute: Group, chosen: tuple[View, ...]) -> Group:
    """Return the function that gives the mean of the probabilities of all views: p = (1/V) Σ_v p_v."""
    if len(chosen) == 1:
        return compute

    def apply(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        total = np.sum([compute(np.ascontiguousarray(view(pixels))) for view in chosen], axis=0, dtype=np.float64)
        return np.asarray(total / len(chosen), np.float32)

    return apply


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _flipped(pixels: Pixels) -> Pixels:
    return pixels[:, :, ::-1]


def _quarters(count: int, *, flip: bool) -> View:
    def view(pixels: Pixels) -> Pixels:
        return np.rot90(_flipped(pixels) if flip else pixels, count, axes=(1, 2))

    return view


_turned: list[View] = [_quarters(count, flip=flip) for flip in (False, True) for count in range(4)][1:]


def _shifted(axis: int, way: int) -> View:
    def view(pixels: Pixels) -> Pixels:
        side = pixels.shape[axis]
        step = max(1, round(side * SHIFT))
        period = (np.arange(side) + way * step) % (2 * side)
        moved: Pixels = pixels.take(np.minimum(period, 2 * side - 1 - period), axis=axis)
        return moved

    return view
