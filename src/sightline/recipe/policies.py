"""Policies: lists of operations that turn most pictures into valid ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from sightline.recipe import operations as op
from sightline.recipe.operations import NEEDS_COLOR, AnyOperation

ListedPolicy = Literal["none", "light", "standard", "strong", "trivial"]
SettledOrientation = Literal["fixed", "mirror", "any"]

MANY_PICTURES = 20_000
ENOUGH_EPOCHS = 20
"""Epochs from which a picture is learned by heart where it is always shown alike."""
FEW_EPOCHS = 12
SMALLEST_SIDE = 16
"""Pixels below which turning and moving blur what little there is."""
DIGITS_AND_LETTERS = re.compile(
    r"(digit|letter|char|class|sample)?[ _-]*([0-9]{1,3}|[a-z]|zero|one|two|three|four|five|six|seven|eight|nine|ten)"
    r"([ _-]+(upper|lower|capital|small))?",
    re.IGNORECASE,
)


def operations(policy: ListedPolicy, *, orientation: SettledOrientation, channels: int) -> tuple[AnyOperation, ...]:
    """Return the operations of a policy for pictures of the given orientation and number of channels."""
    listed: list[AnyOperation]
    match policy:
        case "none":
            return ()
        case "light":
            listed = [*_orientations(orientation), op.PadAndCrop()]
        case "standard":
            listed = [
                *_orientations(orientation),
                op.Rotation(degrees=(-10, 10)),
                op.Translation(),
                op.Scaling(factor=(0.85, 1.18)),
                op.Brightness(),
                op.Contrast(),
                op.Saturation(),
            ]
        case "strong":
            listed = [
                *_orientations(orientation),
                op.Rotation(degrees=(-20, 20)),
                op.Translation(horizontal=(-0.15, 0.15), vertical=(-0.15, 0.15)),
                op.Scaling(factor=(0.7, 1.4)),
                op.Aspect(),
                op.Shear(),
                op.Brightness(factor=(0.6, 1.4)),
                op.Contrast(factor=(0.6, 1.4)),
                op.Saturation(factor=(0.4, 1.6)),
                op.Hue(degrees=(-15, 15)),
                op.Gamma(probability=0.5),
                op.GaussianNoise(probability=0.5),
                op.Erasing(),
            ]
        case "trivial":
            listed = [
                *_orientations(orientation),
                op.Rotation(degrees=(-30, 30)),
                op.Translation(horizontal=(-0.3, 0.3), vertical=(0, 0)),
                op.Shear(horizontal=(-30, 30), vertical=(-30, 30)),
                op.Scaling(factor=(0.6, 1.6)),
                op.Brightness(factor=(0.3, 1.9)),
                op.Contrast(factor=(0.3, 1.9)),
                op.Saturation(factor=(0, 2)),
                op.Gamma(exponent=(0.5, 2)),
                op.Sharpen(amount=(0, 2)),
                op.Blur(),
                op.Grayscale(),
            ]
    return tuple(each for each in listed if channels == 3 or not isinstance(each, NEEDS_COLOR))


def automatic(*, training: int, epochs: int | None, side: int, moved_statistics: bool) -> tuple[ListedPolicy, str]:
    """Return the policy for a training, and why.

    Args:
        training: pictures to train on.
        epochs: how often each is seen; None where a time budget will tell.
        side: of the pictures as the network sees them, in pixels.
        moved_statistics: preprocessing has numbers for single pixels, which hold for pictures that are not moved.
    """
    if moved_statistics:
        return "none", "preprocessing by single pixels holds for pictures that stay where they are"
    if side < SMALLEST_SIDE:
        return "none", f"pictures of {side} px have no pixel to spare"
    if epochs is None:
        few = training < MANY_PICTURES
        return ("standard" if few else "light"), f"{training:,} training pictures, seen as often as time allows"
    if epochs >= ENOUGH_EPOCHS:
        return "standard", f"each of {training:,} training pictures is seen {epochs} times, every time in a new way"
    if epochs >= FEW_EPOCHS:
        return "light", f"each of {training:,} training pictures is seen only {epochs} times"
    return "none", f"in {epochs} epochs, {training:,} training pictures are not learned by heart"


def orientation_of(class_names: Sequence[str]) -> tuple[SettledOrientation, str]:
    """Return which orientations are valid, as far as the names of the classes tell, and why."""
    if class_names and all(DIGITS_AND_LETTERS.fullmatch(name.strip()) for name in class_names):
        return "fixed", "the classes are named like digits or letters, which mean something else when mirrored"
    return "mirror", "left and right are interchangeable in most photographs"


def _orientations(orientation: SettledOrientation) -> list[AnyOperation]:
    match orientation:
        case "fixed":
            return []
        case "mirror":
            return [op.HorizontalFlip()]
        case "any":
            return [op.HorizontalFlip(), op.QuarterTurns()]
