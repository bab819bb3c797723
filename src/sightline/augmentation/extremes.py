"""Extremes: one operation alone with one definite value, its weakest, its strongest, or the one a picture is given.

A narrowed operation is an operation like any other, of probability 1, whose ranges hold a single value each: it is
drawn and rendered as always. What has no range but a few outcomes is narrowed to the operation that does just that:
`quarter_turns` to a rotation, `pad_and_crop` to a translation by whole pixels, `alternating_flip` to a flip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.augmentation.boxes import paste_boxes
from sightline.augmentation.draw import draw
from sightline.augmentation.plan import Plan
from sightline.augmentation.streams import Streams
from sightline.recipe import operations as op
from sightline.recipe.operations import AnyOperation, Operation

End = Literal["weakest", "strongest"]


@dataclass(frozen=True)
class Range:
    """A field that holds a range, and the value at which the operation changes nothing."""

    field: str
    neutral: float
    logarithmic: bool = False

    def weakest(self, limits: tuple[float, float]) -> float:
        """Return the value nearest to the neutral one."""
        low, high = limits
        return min(max(self.neutral, low), high)

    def strongest(self, limits: tuple[float, float]) -> float:
        """Return the end farthest from the neutral value; the upper one where both are equally far."""
        low, high = limits
        below, above = (self._distance(value) for value in limits)
        return low if below > above and not math.isclose(below, above) else high

    def at(self, limits: tuple[float, float], share: float) -> float:
        """Return the value that a number in [0, 1) draws."""
        low, high = limits
        if self.logarithmic:
            return float(np.exp(np.log(low) + (np.log(high) - np.log(low)) * share))
        return low + (high - low) * share

    def _distance(self, value: float) -> float:
        return abs(math.log(value / self.neutral)) if self.logarithmic else abs(value - self.neutral)


RANGES: dict[type[Operation], tuple[Range, ...]] = {
    op.Rotation: (Range("degrees", 0),),
    op.Translation: (Range("horizontal", 0), Range("vertical", 0)),
    op.Scaling: (Range("factor", 1, logarithmic=True),),
    op.Aspect: (Range("ratio", 1, logarithmic=True),),
    op.Shear: (Range("horizontal", 0), Range("vertical", 0)),
    op.Crop: (Range("area", 1), Range("aspect", 1, logarithmic=True)),
    op.Perspective: (Range("distortion", 0),),
    op.Elastic: (Range("displacement_pixels", 0),),
    op.Lens: (Range("strength", 0),),
    op.Brightness: (Range("factor", 1),),
    op.Contrast: (Range("factor", 1),),
    op.Saturation: (Range("factor", 1),),
    op.Hue: (Range("degrees", 0),),
    op.Gamma: (Range("exponent", 1, logarithmic=True),),
    op.GaussianNoise: (Range("deviation", 0),),
    op.SaltPepper: (Range("share", 0),),
    op.Blur: (Range("sigma_pixels", 0),),
    op.Sharpen: (Range("amount", 0),),
    op.Jpeg: (Range("quality", 100),),
    op.Erasing: (Range("area", 0), Range("aspect", 1, logarithmic=True)),
}
"""The ranges of every operation, in the order in which its stream's numbers serve them, from the second number on."""


def extreme(operation: AnyOperation, end: End, *, size: tuple[int, int]) -> AnyOperation:
    """Return the operation done always, at the end of its ranges that changes most or least.

    The weakest value of a range is the one nearest to what changes nothing: 0 for degrees from −15 to 15. The
    strongest is the end farthest away, and the upper one where both are equally far. Where a rectangle lies and how
    the corners or the field of a distortion are moved stays to be drawn.

    Args:
        operation: of a recipe.
        end: `"weakest"` or `"strongest"`.
        size: height and width of the pictures, from which `pad_and_crop` counts its pixels.
    """
    match operation:
        case op.AlternatingFlip():
            return op.HorizontalFlip(probability=1.0)
        case op.QuarterTurns():
            degrees = 90.0 if end == "weakest" else 180.0
            return op.Rotation(degrees=(degrees, degrees))
        case op.PadAndCrop():
            moves = [0 if end == "weakest" else round(side * operation.padding) for side in size]
            return _moved(moves[1], moves[0], size)
    values = {
        each.field: getattr(each, end)(getattr(operation, each.field)) for each in RANGES.get(type(operation), ())
    }
    return _narrowed(operation, values)


def drawn(
    operations: tuple[AnyOperation, ...], key: int, *, seed: int, epoch: int, size: tuple[int, int], trivial: bool
) -> tuple[AnyOperation, ...]:
    """Return what one picture is given in one epoch: the operations that are done to it, each at its drawn value.

    Args:
        operations: of the recipe, in their order.
        key: identity of the picture.
        seed: of the training.
        epoch: 1 for the first.
        size: height and width of the results.
        trivial: one operation of the list is done, whatever the probabilities.

    Mixup and cutmix are left out: a plan's `partner` and `weight` say what they do.
    """
    streams = Streams(np.array([key], np.uint64), seed, epoch, operations, one=trivial)
    found: list[AnyOperation] = []
    for each in operations:
        numbers, on = streams.of(each)
        if on[0] and not isinstance(each, op.CHANGES_LABELS):
            found += _one_drawn(each, streams, numbers[0], size)
    return tuple(found)


def halved(plan: Plan, operation: op.Mixup | op.Cutmix) -> Plan:
    """Return a plan of mixup or cutmix alone in which half of every picture is its partner's: the strongest mixture."""
    half = np.full(plan.own, 0.5)
    if isinstance(operation, op.Mixup):
        return replace(plan, weight=half)
    boxes, weight = paste_boxes(plan.size, half, half, half)
    return replace(plan, weight=weight, paste=boxes)


def _one_drawn(
    each: AnyOperation, streams: Streams, u: NDArray[np.float64], size: tuple[int, int]
) -> list[AnyOperation]:
    if isinstance(each, op.AlternatingFlip | op.QuarterTurns | op.PadAndCrop):
        # Their outcomes are read off a plan, in which they are plain to see.
        way_back = draw(
            [each.model_copy(update={"probability": 1.0})],
            streams.keys,
            seed=streams.seed,
            epoch=streams.epoch,
            source=size,
        ).homography[0]
        if isinstance(each, op.AlternatingFlip):
            return [op.HorizontalFlip(probability=1.0)] if way_back[0, 0] < 0 else []
        if isinstance(each, op.QuarterTurns):
            degrees = round(math.degrees(math.atan2(way_back[0, 1], way_back[0, 0])))
            return [op.Rotation(degrees=(degrees, degrees))] if degrees else []
        return [_moved(round(-way_back[0, 2]), round(-way_back[1, 2]), size)]
    ranges = RANGES.get(type(each), ())
    values = {one.field: one.at(getattr(each, one.field), float(u[1 + i])) for i, one in enumerate(ranges)}
    return [_narrowed(each, values)]


def _moved(right: int, down: int, size: tuple[int, int]) -> AnyOperation:
    a, b = right / size[1], down / size[0]
    return op.Translation(horizontal=(a, a), vertical=(b, b))


def _narrowed(operation: AnyOperation, values: dict[str, float]) -> AnyOperation:
    # Not validated anew: a drawn value may lie beside its range by the last bit.
    update: dict[str, Any] = {field: (value, value) for field, value in values.items()}
    return operation.model_copy(update={"probability": 1.0, **update})
