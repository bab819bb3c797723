"""Whether a training keeps to its time budget, and how many steps still fit where its machine became slower."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sightline.recipe.training import Training
from sightline.training.budget import WARM_UP_STEPS, Costs, share_of_step, share_of_work
from sightline.training.course import Course

EVERY = 0.02, 0.25
"""Shares of the budget and of what seems to be left of the training, after the smaller of which it is looked again."""
RECENT = 0.04, 0.25
"""Shares of the budget and of what is left of it: for the larger, steps are looked back at to tell the machine's speed.
What slowed it down for seconds says nothing of the next hour, and much of the next seconds."""
FEWEST = 3
LATEST = 0.99
"""Share of the budget after which a training may not be expected to end."""
AIM = 0.97
"""Share of the budget in which one that is planned anew ends."""
WORTH_IT = 0.1
"""More steps by this share of those ahead are given back to a training that was cut short, where the machine is fast
again."""


@dataclass
class Pace:
    """Follows the steps of a training with a time budget.

    What was measured before the first step is held against what recent steps took in the mean, r times as long. With
    the work w of each step ahead, as a share of one with whole pictures and all of them, the training ends about

        now + r · (t · Σ w + E · v + e)

    with t, v, e the seconds of a step, of judging an epoch's validation pictures and of all that comes after the last
    step, and E the epochs that end until then.

    Args:
        begun: when the work began that the budget is for, on `clock`.
        minutes: the budget.
        training: the recipe's section, whose pictures may grow or be left out.
        costs: as they were measured.
        per_step: pictures of a step while all are seen.
        validation: pictures judged after each epoch.
        judged: pictures judged at the end.
        clock: in seconds.
    """

    begun: float
    minutes: float
    training: Training
    costs: Costs
    per_step: float
    validation: int
    judged: int
    clock: Callable[[], float] = time.monotonic
    slower: float = field(default=1.0, init=False)
    """Times as long as what was measured, r."""
    _steps: deque[tuple[float, float]] = field(default_factory=deque, init=False)
    """Seconds and work of the last ones."""
    _kept: float = field(default=0.0, init=False)
    """Seconds of all of them."""
    _warm: int = field(default=0, init=False)
    _mark: float = field(default=0.0, init=False)
    _look_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.begin()

    @property
    def _budget(self) -> float:
        return 60.0 * self.minutes

    def begin(self) -> None:
        """Have the next step's time counted from now: what was before is no step."""
        self._mark = self.clock()

    def step(self, course: Course, epoch: int, pictures: int) -> None:
        """Note that a step of so many pictures was taken in an epoch."""
        share = share_of_step(self.training, course.planned_epoch(epoch), course.epochs, fixed=self.costs.fixed)
        now = self.clock()
        self._warm += 1
        if self._warm <= WARM_UP_STEPS:
            self._mark = now
            return
        self._steps.append((now - self._mark, share * pictures / self.per_step))
        self._kept += now - self._mark
        self._mark = now
        while len(self._steps) > FEWEST and self._kept - self._steps[0][0] >= max(RECENT) * self._budget:
            self._kept -= self._steps.popleft()[0]

    def wanted(self, course: Course, step: int) -> int | None:
        """Return how many steps are to be all, where that is not what the course has.

        Args:
            course: of the training.
            step: steps taken so far.
        """
        now, budget = self.clock(), self._budget
        left = max(0.0, self.begun + budget - now)
        if now < self._look_at or step >= course.steps or not self._measured(max(RECENT[0] * budget, RECENT[1] * left)):
            return None

        def ends(steps: int) -> float:
            return now + self.slower * self._ahead(course, step, steps) - self.begun

        end = ends(course.steps)
        self._look_at = now + min(EVERY[0] * budget, EVERY[1] * (self.begun + end - now))
        if end > LATEST * budget:
            low, high = step + 1, course.steps
        elif course.steps < course.planned_steps and end < AIM * budget:
            low, high = course.steps, course.planned_steps + 1
        else:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ends(middle) <= AIM * budget else (low, middle)
        worth_it = low < course.steps or low - course.steps >= WORTH_IT * (course.steps - step)
        return low if worth_it and low != course.steps else None

    def _measured(self, seconds: float) -> bool:
        """Look back for so long at how fast steps were, and return whether there were enough of them for that."""
        if self._kept < seconds or len(self._steps) < FEWEST:
            return False
        taken, work, count = 0.0, 0.0, 0
        for each, share in reversed(self._steps):
            taken, work, count = taken + each, work + share, count + 1
            if taken >= seconds and count >= FEWEST:
                break
        self.slower = taken / work / self.costs.step
        return True

    def _ahead(self, course: Course, step: int, steps: int) -> float:
        """Return the seconds of what is ahead of a training that ends after so many steps, had nothing changed."""
        changed = Course(course.epochs, course.steps_per_epoch, course.as_written)
        if steps != course.steps:
            changed.replan(step, steps)
        work = 0.0
        for epoch in range(step // course.steps_per_epoch + 1, changed.ends + 1):
            first, last = (epoch - 1) * course.steps_per_epoch, epoch * course.steps_per_epoch
            taken = min(last, steps) - max(first, step)
            place = changed.planned_epoch(epoch)
            work += taken * share_of_work(self.training, place, course.epochs, fixed=self.costs.fixed)
        # After the last step of an epoch, its pictures are still to be judged.
        judgings = (changed.ends - (step - 1) // course.steps_per_epoch) * self.validation + self.judged
        return work * self.costs.step + judgings * self.costs.judging + self.costs.ending
