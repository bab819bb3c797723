"""Captions: in a few words, what an operation with a definite value does, and what a plan does to a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.augmentation.draw import draw
from sightline.augmentation.plan import Plan
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.operations import AnyOperation

CHANNELS = ("red", "green", "blue")


def said(operation: AnyOperation) -> str:
    """Return the name and the value of an operation whose ranges hold one value each, such as `rotation −15°`."""
    name: str = operation.name.replace("_", " ")
    value = _value(operation)
    return f"{name} {value}" if value else name


def shares(class_names: Sequence[str], own: int, other: int, weight: float) -> str:
    """Return what a mixed picture's label is made of, such as `cat 62%, dog 38%`."""
    return f"{class_names[own]} {weight:.0%}, {class_names[other]} {1.0 - weight:.0%}"


def lines(operations: Sequence[AnyOperation], plan: Plan, *, key: int, seed: int, epoch: int) -> list[str]:
    """Return what a plan of one picture does, a line for each operation.

    Args:
        operations: as `extremes.drawn` returns them.
        plan: of the picture in its first row.
        key: identity of the picture.
        seed: of the training.
        epoch: 1 for the first.
    """
    found = []
    for each in operations:
        match each:
            case op.Erasing():
                found.append(f"{said(each)}, {_box(plan.erase[0].tolist())}")
            case op.ChannelDropout():
                alone = draw([each], [key], seed=seed, epoch=epoch, source=plan.size, channels=3)
                found.append(f"{said(each)} {CHANNELS[int(np.argmin(np.diagonal(alone.color[0])))]}")
            case op.Perspective():
                alone = draw([each], [key], seed=seed, epoch=epoch, source=plan.size, channels=plan.channels)
                found.append(f"{said(each)}, corners moved by {_corners(alone)} pixels")
            case op.Crop():
                alone = draw([each], [key], seed=seed, epoch=epoch, source=plan.size, channels=plan.channels)
                found.append(f"{said(each)}, its middle moved by {_middle(alone)} pixels")
            case _:
                found.append(said(each))
    return found


def title(augmentation: Augmentation, operations: Sequence[AnyOperation], *, seed: int) -> str:
    """Return one line about a recipe's augmentation."""
    if not operations:
        return "Augmentation: none; every picture is shown as it is"
    names = ", ".join(each.name.replace("_", " ") for each in operations)
    one = "one of " if augmentation.policy == "trivial" else ""
    return f"Augmentation: {one}{names}; fill {augmentation.fill}, {augmentation.interpolation}, seed {seed}"


def _value(operation: AnyOperation) -> str:
    match operation:
        case op.Rotation() | op.Hue():
            return f"{_number(operation.degrees)}°"
        case op.Translation():
            horizontal, vertical = operation.horizontal[0], operation.vertical[0]
            return f"{_way(horizontal, 'right', 'left')}, {_way(vertical, 'down', 'up')}"
        case op.Shear():
            return f"{_number(operation.horizontal)}°, {_number(operation.vertical)}°"
        case op.Scaling() | op.Brightness() | op.Contrast() | op.Saturation():
            return f"× {_number(operation.factor)}"
        case op.Aspect():
            return f"{_number(operation.ratio)} : 1"
        case op.Crop() | op.Erasing():
            return f"{_percent(operation.area[0])} of the area, {_number(operation.aspect)} : 1"
        case op.Perspective():
            return f"up to {_percent(operation.distortion[0])}"
        case op.Elastic():
            return f"{_number(operation.displacement_pixels)} px"
        case op.Lens():
            return _number(operation.strength)
        case op.Gamma():
            return _number(operation.exponent)
        case op.GaussianNoise():
            return _percent(operation.deviation[0])
        case op.SaltPepper():
            return _percent(operation.share[0])
        case op.Blur():
            return f"{_number(operation.sigma_pixels)} px"
        case op.Sharpen():
            return _number(operation.amount)
        case op.Jpeg():
            return f"quality {round(operation.quality[0])}"
    return ""


def _number(limits: tuple[float, float]) -> str:
    return _plain(limits[0])


def _plain(value: float) -> str:
    return f"{value + 0.0:.3g}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{_plain(100.0 * share)}%"


def _way(share: float, onwards: str, back: str) -> str:
    return f"{_percent(abs(share))} {back if share < 0 else onwards}"


def _box(box: list[int]) -> str:
    top, left, bottom, right = box
    return f"rows {top} to {bottom - 1}, columns {left} to {right - 1}" if bottom > top and right > left else "nowhere"


def _corners(plan: Plan) -> str:
    height, width = plan.size
    at = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    x, y, w = plan.homography[0] @ np.column_stack([at, np.ones(4)]).T
    moves = np.column_stack([x / w, y / w]) - at
    return ", ".join(f"({_plain(right)}, {_plain(down)})" for right, down in np.round(moves, 2).tolist())


def _middle(plan: Plan) -> str:
    at = np.array([(plan.size[1] - 1) / 2, (plan.size[0] - 1) / 2])
    right, down = ((plan.homography[0] @ [*at, 1.0])[:2] - at).round(2).tolist()
    return f"({_plain(right)}, {_plain(down)})"
