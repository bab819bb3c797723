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


def views(kind: TestTime, *, orientation: str, square: bool = True) -> tuple[View, ...]:
    """Return the views to judge, the picture as it is first.

    Args:
        kind: flips in the orientations that are valid; translations by 1/16 of the side, left, right, up and down, with
            what is beyond the edge mirrored; or both, each of the translations in each of the orientations.
        orientation: of the training: `mirror` flips left and right, `any` takes all eight orientations.
        square: whether height and width are the same; oblong pictures have four orientations that a network for them
            can see, since quarter turns would lay them on their side.

    Raises:
        RecipeError: flips of pictures that have one valid orientation, such as digits.
    """
    turned: list[View] = [_same]
    if kind in ("flips", "both"):
        if orientation == "fixed":
            raise RecipeError(
                'test-time augmentation: found flips for a model whose augmentation.orientation is "fixed", so that '
                "flipped pictures mean something else; wanted translations, or a model of another orientation."
            )
        turned += [_flipped] if orientation != "any" else _turned if square else _halves
    moved: list[View] = [_same]
    if kind in ("translations", "both"):
        moved += [_shifted(axis, way) for axis in (1, 2) for way in (-1, 1)]
    return tuple(_after(turn, move) for move in moved for turn in turned)


def averaged(compute: Group, chosen: tuple[View, ...], *, size: int, certain: float = 1.0) -> Group:
    """Return the function that gives the mean of the probabilities of all views: p = (1/V) Σ_v p_v.

    A picture that the network is sure of as it is hardly changes by being looked at again. Where the largest of its
    probabilities is at least `certain`, they stay p_1; views of the others fill groups together.

    Args:
        compute: probabilities of a group of pictures.
        chosen: the views, the picture as it is first.
        size: pictures of a group at most.
        certain: in (0, 1]; 1 has every picture looked at in all views.
    """
    if len(chosen) == 1:
        return compute

    def apply(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        first = compute(pixels)
        again = np.flatnonzero((first.max(axis=1) < certain) | (certain >= 1.0))
        if not len(again):
            return first
        pack = np.concatenate([view(pixels[again]) for view in chosen[1:]])
        others = np.concatenate([compute(pack[at : at + size]) for at in range(0, len(pack), size)])
        views = [first[again], *np.split(others, len(chosen) - 1)]
        first = first.copy()
        first[again] = np.sum(views, axis=0, dtype=np.float64) / len(chosen)
        return first

    return apply


def check_certain(certain: float, test_time: TestTime) -> float:
    """Return the number.

    Raises:
        RecipeError: it is no probability above 0, or there are no views that it could spare.
    """
    if certain < 1.0 and test_time == "none":
        raise RecipeError(
            f"certain: found {certain:g} without test-time augmentation, so that there is nothing to be spared; wanted "
            "flips, translations or both, or no certain."
        )
    if not 0.0 < certain <= 1.0:
        raise RecipeError(f"certain: found {certain:g}, wanted a probability above 0, 1 at most.")
    return certain


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _after(second: View, first: View) -> View:
    return lambda pixels: second(first(pixels))


def _flipped(pixels: Pixels) -> Pixels:
    return pixels[:, :, ::-1]


def _quarters(count: int, *, flip: bool) -> View:
    def view(pixels: Pixels) -> Pixels:
        return np.rot90(_flipped(pixels) if flip else pixels, count, axes=(1, 2))

    return view


_turned: list[View] = [_quarters(count, flip=flip) for flip in (False, True) for count in range(4)][1:]
_halves: list[View] = [_quarters(count, flip=flip) for flip in (False, True) for count in (0, 2)][1:]


def _shifted(axis: int, way: int) -> View:
    def view(pixels: Pixels) -> Pixels:
        side = pixels.shape[axis]
        step = max(1, round(side * SHIFT))
        period = (np.arange(side) + way * step) % (2 * side)
        moved: Pixels = pixels.take(np.minimum(period, 2 * side - 1 - period), axis=axis)
        return moved

    return view
