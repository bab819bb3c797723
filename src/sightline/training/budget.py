"""A time budget becomes a number of epochs, measured on this machine, so that the run can be repeated exactly."""

from __future__ import annotations

import time
from collections.abc import Callable

from sightline.errors import RecipeError
from sightline.training.batches import steps_per_epoch

WARM_UP_STEPS = 3
MEASURED_SECONDS = 4.0
EVALUATION_SHARE = 1 / 3  # forward only, where a training step also goes back and costs twice the forward pass more
MOST_EPOCHS = 100_000


def seconds_per_step(step: Callable[[], object]) -> float:
    """Return the mean duration of `step` in seconds, after a few calls that are not counted."""
    for _ in range(WARM_UP_STEPS):
        step()
    count, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < MEASURED_SECONDS or count == 0:
        step()
        count += 1
    return elapsed / count


def epochs_within(minutes: float, *, seconds: float, batch_size: int, training: int, validation: int) -> int:
    """Return how many epochs fit.

    Args:
        minutes: the budget.
        seconds: one step takes.
        batch_size: pictures per step.
        training: pictures trained on in an epoch.
        validation: pictures judged after it.

    Raises:
        RecipeError: not even one fits.
    """
    epoch = seconds * (steps_per_epoch(training, batch_size) + EVALUATION_SHARE * validation / batch_size)
    epochs = int(minutes * 60 / epoch)
    if epochs < 1:
        raise RecipeError(
            f"training.time_budget_minutes: found {minutes:g}, but an epoch takes about {epoch / 60:.1f} minutes here. "
            "Give more time, or take smaller pictures: --set data.image_size=…"
        )
    return min(epochs, MOST_EPOCHS)
