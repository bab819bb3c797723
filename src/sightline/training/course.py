"""The course of a training: how many steps it takes, and how one that was cut short still comes to its end."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.errors import RecipeError
from sightline.recipe import Recipe
from sightline.recipe.choices import settled
from sightline.training.batches import steps_per_epoch


class Course:
    """The steps of a training as planned, and as they became where a time budget was planned anew.

    What depends on how far a training has come, such as the rate and the size of the pictures, is planned for
    S = epochs · steps_per_epoch steps. Where it was decided after s steps that T are to be the last, what is left of
    the plan is passed through faster: step n of them stands where step

        p(n) = p(s) + (n − s) · (S − 1 − p(s)) / (T − 1 − s),   s ≤ n < T

    of the plan was, so that a falling rate falls to its end, whatever the machine does.

    Args:
        epochs: as planned.
        steps_per_epoch: of any of them.
        replanned: what was decided, in order: after how many steps, how many there are in all from then on, and how
            many there were in the plan.

    Raises:
        RecipeError: `replanned` does not fit a training of so many steps.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, replanned: Sequence[tuple[int, int, int]] = ()) -> None:
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self.replanned = tuple((after, steps) for after, steps, _ in replanned)
        end = self.planned_steps
        for after, steps, planned in replanned:
            if not after < end or not steps <= planned == self.planned_steps:
                raise RecipeError(
                    f"training.replanned: found [{after}, {steps}, {planned}], which is of another training: this "
                    f"one has {self.planned_steps:,} steps, {steps_per_epoch:,} in each of {epochs:,} epochs. It is "
                    "written by a training with a time budget, and repeats that one. Leave it out: "
                    "--set training.replanned=[]"
                )
            end = steps

    @property
    def planned_steps(self) -> int:
        """Steps in all, as planned at first."""
        return self.epochs * self.steps_per_epoch

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.replanned[-1][1] if self.replanned else self.planned_steps

    @property
    def ends(self) -> int:
        """The epoch in which it ends, which may have fewer steps than others."""
        return self.epoch_of(self.steps)

    def epoch_of(self, step: int) -> int:
        """Return the epoch of a step, both counted from 1."""
        return -(-step // self.steps_per_epoch)

    @property
    def as_written(self) -> tuple[tuple[int, int, int], ...]:
        """What was decided, as a recipe has it."""
        return tuple((after, steps, self.planned_steps) for after, steps in self.replanned)

    def replan(self, after: int, steps: int) -> None:
        """Have it end after so many steps in all, decided after some of them."""
        self.replanned = (*self.replanned, (after, steps))

    def planned_step(self, step: int) -> float:
        """Return the step of the plan at which a step stands, both counted from 0."""
        last = self.planned_steps - 1
        begun, stood, end = 0, 0.0, self.planned_steps
        for after, steps in self.replanned:
            if step < after:
                break
            begun, stood, end = after, _between(after, begun, stood, end, last), steps
        return _between(step, begun, stood, end, last)

    def planned_epoch(self, epoch: int) -> float:
        """Return the epoch of the plan at whose place an epoch begins, both counted from 1."""
        if not self.replanned:
            return epoch
        return 1.0 + self.planned_step((epoch - 1) * self.steps_per_epoch) / self.steps_per_epoch


def course_of(recipe: Recipe, pictures: int) -> Course:
    """Return the course of a training with a resolved recipe on so many pictures; of one epoch while that is open."""
    training = recipe.training
    steps = steps_per_epoch(pictures, settled(training.batch_size))
    # What is measured for a time budget is whole pictures, as in a training of one epoch.
    return Course(1 if training.epochs == "auto" else training.epochs, steps, training.replanned)


def _between(step: int, begun: int, stood: float, end: int, last: int) -> float:
    """Return p(step) on the stretch from `begun`, where p is `stood`, to `end` − 1, where it is `last`."""
    if end - 1 <= begun:
        return float(last)
    return min(float(last), stood + (step - begun) * ((last - stood) / (end - 1 - begun)))
