"""What the seeds say about two arms: better, worse, equivalent or undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from sightline.statistics.chance import equivalence_test, sign_flip_test, t_test
from sightline.statistics.effect import bca_interval, t_interval
from sightline.statistics.holm import holm
from sightline.statistics.interval import Interval
from sightline.statistics.power import seeds_needed

CONFIDENCE = 0.95
POWER = 0.8
APART = 0.5
"""Share of the half width of Student's interval by which bounds of the bootstrap's may lie elsewhere and agree."""

Says = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """An arm against the one that all are compared with, over the same seeds."""

    says: Says
    mean: float
    """Of the differences, in the unit of the measure; above 0 the arm has more."""
    spread: float
    """Standard deviation of the differences over seeds."""
    interval: Interval
    """Student's, for the mean, at 95 %."""
    bootstrap: Interval
    """The same by the bootstrap, without assuming a distribution."""
    agree: bool
    """Whether both intervals say about the same."""
    p_value: float
    """That the difference is chance, by Student's test, adjusted for the number of arms where there was one look."""
    sign_flip: float
    """The same by the signs alone, not adjusted."""
    equivalence: float | None
    """p-value that it is more than the margin, adjusted; None without a margin."""
    seeds: int
    needed: int | None
    """Seeds with which a difference as large as this would be found in four cases of five; None for over 10,000."""

    @property
    def in_spreads(self) -> float:
        """The mean in units of the spread of the differences; infinite where they are all the same and not 0."""
        if self.spread == 0.0:
            return 0.0 if self.mean == 0.0 else float(np.copysign(np.inf, self.mean))
        return self.mean / self.spread


def judged(
    differences: Sequence[Float64[ndarray, " seed"]],
    *,
    margin: float | None = None,
    higher_is_better: bool = True,
    levels: Sequence[float] | None = None,
) -> list[Verdict]:
    """Return the verdict on each of several arms against one.

    An arm is better or worse where Student's test, adjusted by Holm's method over all arms, has p < 0.05; equivalent
    where the two one-sided tests, adjusted likewise, have it, and it is neither; undecided otherwise. Where all of the
    arms are in truth the same, at most one comparison in twenty says better or worse of any of them.

    Args:
        differences: of each arm against the one, a number for each seed that both have; two at least.
        margin: a difference that does not matter, above 0; None where none was stated, and nothing is equivalent.
        higher_is_better: as of accuracy; not of a loss.
        levels: of each arm, what its p-value, not adjusted, has to undercut at the look with which its trainings ended;
            None where there was only one look.
    """
    level = 1.0 - CONFIDENCE
    single = [t_test(each) for each in differences]
    chance = holm(single) if levels is None else single
    beyond: Sequence[float | None] = [None] * len(differences)
    if margin is not None:
        beyond = holm([equivalence_test(each, margin=margin) for each in differences])
    found = []
    allowed = [level] * len(differences) if levels is None else levels
    for each, p_value, apart, undercut in zip(differences, chance, beyond, allowed, strict=True):
        mean, spread = float(each.mean()), float(each.std(ddof=1))
        says: Says = "undecided"
        if p_value < undercut:
            says = "better" if (mean > 0.0) == higher_is_better else "worse"
        elif apart is not None and apart < level:
            says = "equivalent"
        student = t_interval(each, confidence=CONFIDENCE)
        bootstrap = bca_interval(each, confidence=CONFIDENCE)
        found.append(
            Verdict(
                says=says,
                mean=mean,
                spread=spread,
                interval=student,
                bootstrap=bootstrap,
                agree=_agree(student, bootstrap),
                p_value=p_value,
                sign_flip=sign_flip_test(each),
                equivalence=apart,
                seeds=len(each),
                needed=_needed(mean, spread, level / len(differences)),
            )
        )
    return found


def _agree(one: Interval, other: Interval) -> bool:
    allowed = APART * (one.high - one.low) / 2.0
    return abs(one.low - other.low) <= allowed and abs(one.high - other.high) <= allowed


def _needed(mean: float, spread: float, level: float) -> int | None:
    if spread == 0.0:
        return None if mean == 0.0 else 2
    return seeds_needed(abs(mean) / spread, level=level, wanted=POWER)
