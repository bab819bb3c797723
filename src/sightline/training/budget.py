"""A time budget becomes a number of epochs, measured on this machine, so that the run can be repeated exactly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sightline.errors import RecipeError
from sightline.recipe.training import Training
from sightline.training.batches import steps_per_epoch
from sightline.training.growing import share_of_side

WARM_UP_STEPS = 3
MEASURED = 0.03, 0.5, 4.0
"""Share of the budget for which steps are measured, and seconds at least and at most."""
FEW_PARTS = 4
EASY_AT_LEAST = 0.5
KEPT = 0.04
"""Share of the budget that is kept for what cannot be foreseen: saving, probes, a machine that slows down."""
MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class Costs:
    """Seconds of the parts of a training."""

    step: float
    """One update on whole pictures, with loading and augmenting them."""
    judging: float
    """One picture that is judged."""
    spent: float
    """Of the budget already: reading, decoding, statistics, measuring."""
    ending: float
    """What comes after the last epoch, such as the page."""
    fixed: float = 0.0
    """Share of `step` that is the same for smaller pictures, 0 to 1."""


def seconds_per_step(step: Callable[[], object], *, minutes: float) -> float:
    """Return the mean duration of `step` in seconds, after a few calls that are not counted."""
    for _ in range(WARM_UP_STEPS):
        step()
    share, least, most = MEASURED
    enough = min(most, max(least, share * 60.0 * minutes))
    count, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < enough or count == 0:
        step()
        count += 1
    return elapsed / count


def seconds_in_parts(step: Callable[[int], object], parts: int, *, minutes: float) -> float:
    """Return the duration of a step that is computed in parts, of which a few are measured.

    A whole step of a large batch may take seconds. One and four parts take t₁ and t₄, of which the update and whatever
    else happens once has its share in both:

        step = t₁ + (parts − 1) · max(t₄ − t₁, t₄ / 2) / 3

    Half of the four parts' time at least is that of three of them: what slowed the measuring of one part alone would
    make a whole step of many seem as short.

    Args:
        step: makes a step with the first so many parts.
        parts: of the whole step.
        minutes: the budget.
    """
    if parts <= FEW_PARTS:
        return seconds_per_step(lambda: step(parts), minutes=minutes)
    one = seconds_per_step(lambda: step(1), minutes=minutes / 2.0)
    few = seconds_per_step(lambda: step(FEW_PARTS), minutes=minutes / 2.0)
    return one + (parts - 1) * max(few - one, few / 2.0) / (FEW_PARTS - 1)


def fixed_share(whole: float, small: float, *, area: float) -> float:
    """Return the share of a step's time that does not go with the area of its pictures, 0 to 1.

    With t seconds for whole pictures and t' for those of a share a of their area, t' = t · (f + (1 − f) · a).
    """
    return min(1.0, max(0.0, (small / whole - area) / (1.0 - area))) if area < 1.0 else 0.0


def share_of_step(training: Training, epoch: float, epochs: int, *, fixed: float) -> float:
    """Return what a step costs in an epoch of so many, as a share of one with whole pictures."""
    side = share_of_side(epoch, epochs, smallest=training.smallest_size, whole_from=training.whole_from)
    return fixed + (1.0 - fixed) * side**2


def share_of_work(training: Training, epoch: float, epochs: int, *, fixed: float = 0.0) -> float:
    """Return what an epoch of so many costs, as a share of one with all pictures, whole.

    Of the pictures that were seen, at least about half have a loss below the mean, since few are far above it; how many
    more cannot be known before, so that such a training may end early.
    """
    leaves_out = 1 < epoch <= training.easy_left_out_until * epochs
    kept = 1.0 - EASY_AT_LEAST * training.easy_left_out if leaves_out else 1.0
    return kept * share_of_step(training, epoch, epochs, fixed=fixed)


def epochs_within(
    minutes: float,
    costs: Costs,
    *,
    batch_size: int,
    training: int,
    validation: int,
    judged: int,
    share_of_work: Callable[[int, int], float] = lambda _epoch, _epochs: 1.0,
) -> int:
    """Return how many epochs fit, all work counted.

    With t the budget, of which a share of 0.04 is kept, E epochs fit where

        spent + Σ_e (steps · step · work(e) + validation · judging) + judged · judging + ending ≤ 0.96 · t

    Args:
        minutes: the budget.
        costs: of the parts.
        batch_size: pictures per step.
        training: pictures trained on in an epoch.
        validation: pictures judged after it.
        judged: pictures judged at the end.
        share_of_work: of that of whole pictures, all of them, in an epoch of so many.

    Raises:
        RecipeError: not even one fits.
    """
    steps = steps_per_epoch(training, batch_size) * costs.step

    def needed(epochs: int) -> float:
        work = sum(share_of_work(epoch, epochs) for epoch in range(1, epochs + 1))
        ends = (epochs * validation + judged) * costs.judging
        return costs.spent + work * steps + ends + costs.ending

    allowed = (1.0 - KEPT) * 60.0 * minutes
    # Where pictures grow, two epochs may cost less than one, which has whole ones.
    fewest = min((1, 2), key=needed)
    if needed(fewest) > allowed:
        raise RecipeError(
            f"training.time_budget_minutes: found {minutes:g}, but {('one epoch', 'two epochs')[fewest - 1]} and what "
            "is around it take about "
            f"{needed(fewest) / 60.0 / (1.0 - KEPT):.1f} minutes here. Give more time, or take smaller pictures: "
            "--set data.image_size=…"
        )
    low, high = fewest, 2 * fewest
    while high < MOST_EPOCHS and needed(high) <= allowed:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed(middle) <= allowed else (low, middle)
    return min(low, MOST_EPOCHS)
