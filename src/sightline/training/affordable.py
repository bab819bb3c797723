"""A time budget decides how wide a network is: by its arithmetic, and by what this machine computes at its best."""

from __future__ import annotations

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
from sightline.training.resolve import Resolved, with_widths

SHARES = (1.0, 0.5, 0.25)
"""Of the widths that a network has where there is time enough, the first that is affordable."""
OF_PEAK = 0.6
"""What a training reaches of the machine's fastest convolution, all work counted (docs/performance.md)."""
PASSES = 5
"""Over the training pictures: with fewer, a narrower network that makes more of them learns more."""
SECONDS = 0.1
"""For each convolution that the peak is measured with."""


def affordable(resolved: Resolved, facts: DataFacts, *, peak: float | None = None) -> Resolved:
    """Return the resolved recipe with a network that a time budget has enough passes for.

    With t seconds, N training pictures, a operations for one of them and P operations a second at the machine's best,
    so many passes fit, where early pictures are smaller with the mean share m of the area:

        passes = 0.6 · P · t / (N · a · m)

    The widest network of 1, 1/2 and 1/4 of the usual widths is taken that has five of them, or the narrowest. A recipe
    without a budget, or whose widths were chosen, stays as it is.

    Args:
        resolved: with its budget open.
        facts: of the pictures.
        peak: P; None to measure it.
    """
    recipe, training = resolved.recipe, resolved.recipe.training
    if not training.time_budget_minutes or "network.widths" not in resolved.reasons:
        return resolved
    device, threads = settled(training.device), settled(training.threads)
    if peak is None:
        with numerics(threads=threads, deterministic=training.deterministic, device=device):
            peak = convolution_peak(device=device, bfloat16=training.precision == "bfloat16", seconds=SECONDS)
    possible = OF_PEAK * peak * 60.0 * training.time_budget_minutes / _area(resolved) / facts.training
    passes = {widths: possible / operations(recipe, facts.classes, widths) for widths in map(_times, SHARES)}
    chosen = next((widths for widths, found in passes.items() if found >= PASSES), _times(SHARES[-1]))
    return with_widths(
        resolved,
        chosen,
        f"{training.time_budget_minutes:g} minutes are about {passes[chosen]:.3g} passes over {facts.training:,} "
        f"pictures at {peak / 1e12:.2g} TFLOP/s; with {', '.join(map(str, SWIFT_WIDTHS))} maps they would be "
        f"{passes[SWIFT_WIDTHS]:.3g}, and {PASSES} are wanted",
    )


def _times(share: float) -> tuple[int, ...]:
    return tuple(round(share * width) for width in SWIFT_WIDTHS)


def operations(recipe: Recipe, classes: int, widths: tuple[int, ...]) -> float:
    """Return the operations of a training step for one whole picture."""
    section = recipe.network.model_copy(update={"widths": widths})
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
