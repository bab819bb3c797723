"""A time budget decides how large pictures are and how wide a network is, by arithmetic and this machine's peak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from sightline import network
from sightline.recipe import Recipe
from sightline.recipe.choices import settled
from sightline.recipe.facts import DataFacts
from sightline.recipe.network import SWIFT_WIDTHS
from sightline.training.arithmetic import arithmetic
from sightline.training.growing import share_of_side
from sightline.training.numerics import numerics
from sightline.training.peak import convolution_peak
from sightline.training.resolve import LARGEST_OF_SWIFT, Resolved, with_image_size, with_widths

SHARES = (1.0, 0.5, 0.25)
"""Of the widths that a network has where there is time enough, the first that is affordable."""
SIDES = (224, 160, 128, 96, 64, 48, 32)
"""Pixels that photographs are brought to where theirs are larger, the first that is affordable."""
NEARLY = 0.9
"""Of a picture's own side, from which on it stays as it is."""
OF_PEAK = {"swift": 0.6, "vgg": 0.35}
"""What a training reaches of the machine's fastest convolution, all work counted (docs/performance.md)."""
PASSES = {"swift": 5, "vgg": 20}
"""Over the training pictures: with fewer, a narrower network or smaller pictures that allow more learn more."""
SECONDS = 0.1
"""For each convolution that the peak is measured with."""


def affordable(
    resolved: Resolved, facts: DataFacts, *, again: Callable[[Recipe], Resolved], peak: float | None = None
) -> Resolved:
    """Return the resolved recipe with pictures and a network that a time budget has enough passes for.

    With t seconds, N training pictures, a operations for one of them, P operations a second at the machine's best and
    the share s of it that the network reaches, so many passes fit, where early pictures are smaller with the mean share
    m of the area:

        passes = s · P · t / (N · a · m)

    Photographs have the largest size that twenty passes fit for, and the automatic network of that size. Of swift,
    which is for small pictures, the widest of 1, 1/2 and 1/4 of the usual widths is taken that has five of them, or the
    narrowest. A recipe without a budget stays as it is, and what was chosen in it.

    Args:
        resolved: with its budget open.
        facts: of the pictures.
        again: resolves a recipe on the same pictures and machine.
        peak: P; None to measure it.
    """
    training = resolved.recipe.training
    sized = {"network", "data.image_size"} <= resolved.reasons.keys() and training.device == "cpu"
    photographs = sized and max(facts.median_height, facts.median_width) > LARGEST_OF_SWIFT
    if not training.time_budget_minutes or not (photographs or "network.widths" in resolved.reasons):
        return resolved
    device, threads = settled(training.device), settled(training.threads)
    if peak is None:
        with numerics(threads=threads, deterministic=training.deterministic, device=device):
            peak = convolution_peak(device=device, bfloat16=training.precision == "bfloat16", seconds=SECONDS)
    if photographs:
        resolved = _sized(resolved, facts, peak, again)
    return _wide(resolved, facts, peak) if "network.widths" in resolved.reasons else resolved


def _sized(resolved: Resolved, facts: DataFacts, peak: float, again: Callable[[Recipe], Resolved]) -> Resolved:
    """Return the recipe with the largest pictures that are affordable."""
    own = min(SIDES[0], max(facts.median_height, facts.median_width))
    passes: dict[int, float] = {}
    for side in (own, *(each for each in SIDES if each < NEARLY * own)):
        found = with_image_size(resolved, side, "", again=again)
        name = found.recipe.network.name
        passes[side] = _passes(found, facts, peak, operations(found.recipe, facts.classes))
        if name != "vgg" or passes[side] >= PASSES[name]:
            break
    budget = resolved.recipe.training.time_budget_minutes
    reason = f"{budget:g} minutes are about {passes[side]:.3g} passes at {peak / 1e12:.2g} TFLOP/s"
    if side != own:
        reason += f"; with {own} px they would be {passes[own]:.3g}, and {PASSES['vgg']} are wanted"
    return with_image_size(resolved, side, reason, again=again)


def _wide(resolved: Resolved, facts: DataFacts, peak: float) -> Resolved:
    """Return the recipe with the widest swift that is affordable."""
    recipe, wanted = resolved.recipe, PASSES["swift"]
    passes = {
        widths: _passes(resolved, facts, peak, operations(recipe, facts.classes, widths=widths))
        for widths in map(_times, SHARES)
    }
    chosen = next((widths for widths, found in passes.items() if found >= wanted), _times(SHARES[-1]))
    return with_widths(
        resolved,
        chosen,
        f"{recipe.training.time_budget_minutes:g} minutes are about {passes[chosen]:.3g} passes over "
        f"{facts.training:,} pictures at {peak / 1e12:.2g} TFLOP/s; with {', '.join(map(str, SWIFT_WIDTHS))} maps they "
        f"would be {passes[SWIFT_WIDTHS]:.3g}, and {wanted} are wanted",
    )


def _passes(resolved: Resolved, facts: DataFacts, peak: float, of_one: float) -> float:
    seconds = 60.0 * resolved.recipe.training.time_budget_minutes
    share = OF_PEAK.get(resolved.recipe.network.name, min(OF_PEAK.values()))
    return share * peak * seconds / (facts.training * of_one * _area(resolved))


def _times(share: float) -> tuple[int, ...]:
    return tuple(round(share * width) for width in SWIFT_WIDTHS)


def operations(recipe: Recipe, classes: int, *, widths: tuple[int, ...] | None = None) -> float:
    """Return the operations of a training step for one whole picture, with other widths where some are given."""
    section = recipe.network if widths is None else recipe.network.model_copy(update={"widths": widths})
    channels, side = settled(recipe.data.channels), recipe.data.image_size
    size = side if isinstance(side, tuple) else (settled(side), settled(side))
    with torch.device("meta"):  # shapes are enough
        built = network.build(section, channels=channels, classes=classes, image_size=size)
        return arithmetic(built, torch.empty(1, channels, *size)).training


def _area(resolved: Resolved) -> float:
    """Return the mean share of whole pictures' area that epochs have."""
    training = resolved.recipe.training
    shares = [
        share_of_side(e, 100, smallest=training.smallest_size, whole_from=training.whole_from) for e in range(1, 101)
    ]
    return float(np.mean(np.square(shares)))
