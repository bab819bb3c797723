"""A learning rate of its own for each arm, found by a search of the same size for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from sightline.comparison.arms import Arm
from sightline.comparison.plan import Plan, resolved_on
from sightline.comparison.store import Row
from sightline.errors import DataError, RecipeError
from sightline.recipe import apply_overrides
from sightline.recipe.choices import settled

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Of the rate that an arm would have without a search."""
SEEDS = (1_000_003, 1_000_033, 1_000_037)
"""Of the trainings that a rate is chosen by; arms are compared with others, so that no luck of the choice is left."""
FINALISTS = 2
"""Rates that are trained with all these seeds: with one, a rate at the edge of falling apart may look best."""
FIELD = "optimizer.learning_rate"


@dataclass(frozen=True)
class Search:
    """What a search found for one arm."""

    rate: float
    tried: Mapping[float, tuple[float | None, ...]]
    """Validation accuracies, 0 to 1, of each rate, one for each seed it was trained with; None for one that failed."""

    @property
    def at_the_edge(self) -> bool:
        """Whether the best rate is the lowest or the highest that was tried, so that a better one may lie beyond."""
        return self.rate in (min(self.tried), max(self.tried))


def search(plan: Plan, carried_out: Callable[[Plan], Sequence[Row]]) -> tuple[Plan, dict[str, Search]]:
    """Return the plan with a rate of its own for each arm, and what each search found.

    Successive halving (Jamieson and Talwalkar, AISTATS 2016) in two rounds: each rate is trained with one seed, the
    best `FINALISTS` of each arm with the others of `SEEDS` too. The rate of the best mean is taken, the lowest of those
    that are as good as each other; one a training of which failed is taken only where nothing else is left. An arm all
    of whose trainings failed keeps its own.

    Args:
        plan: of the arms as they are.
        carried_out: has the trials of a plan trained, and returns all of them.

    Raises:
        DataError: nothing is held out for validation, which rates are chosen by.
        RecipeError: an arm's rate was chosen already.
    """
    tried = _tried(plan)
    known: dict[str, dict[int, float | None]] = {}

    def train(arms: Sequence[Arm], seeds: tuple[int, ...], purpose: str) -> None:
        for row in carried_out(replace(plan, arms=tuple(arms), seeds=seeds, purpose=purpose)):
            side = row.result.get("sides", {}).get("validation", {})
            known.setdefault(row.trial.arm, {})[row.trial.seed] = side.get("accuracy")

    train([each for arms in tried.values() for each in arms], SEEDS[:1], "Search for rates")
    finalists = [each for arms in tried.values() for each in _best(arms, known)[:FINALISTS]]
    if finalists:
        train(finalists, SEEDS, "Search for rates, the best with more seeds")
    arms, found = [], {}
    for arm in plan.arms:
        ranked = _best(tried[arm.name], known)
        if not ranked:
            arms.append(arm)
            continue
        rate = _rate_of(ranked[0])
        found[arm.name] = Search(rate, {_rate_of(each): tuple(known[each.name].values()) for each in tried[arm.name]})
        arms.append(replace(_at(arm, rate), name=arm.name))
    return replace(plan, arms=tuple(arms)), found


def _best(arms: Sequence[Arm], known: Mapping[str, Mapping[int, float | None]]) -> list[Arm]:
    """Return the arms of which a training came to its end, the best first; without failures and of most seeds first."""

    def rank(arm: Arm) -> tuple[bool, int, float]:
        accuracies = [each for each in known[arm.name].values() if each is not None]
        return len(accuracies) < len(known[arm.name]), -len(known[arm.name]), -fmean(accuracies)

    usable = [arm for arm in arms if any(each is not None for each in known[arm.name].values())]
    return sorted(sorted(usable, key=_rate_of), key=rank)


def _rate_of(arm: Arm) -> float:
    return settled(arm.recipe.optimizer.learning_rate)


def _tried(plan: Plan) -> dict[str, tuple[Arm, ...]]:
    """Return the arms that are trained for each arm of a plan to find its rate.

    Raises:
        DataError: nothing is held out for validation, which rates are chosen by.
        RecipeError: an arm's rate was chosen already.
    """
    if not len(plan.surveyed.split.validation):
        raise DataError(
            "--tune-rate: rates are chosen by validation pictures, and none are held out: "
            "--set data.validation_fraction=0.1"
        )
    found = {}
    for arm in plan.arms:
        if FIELD in arm.choices:
            raise RecipeError(f"--tune-rate: found {FIELD} among what is compared; leave one of the two out.")
        own = resolved_on(arm.recipe, plan.surveyed).optimizer.learning_rate
        if own == "auto":
            raise RecipeError(
                f"--tune-rate: {arm.name} begins from trained weights, whose usual rate is known only once they are "
                f"read. Name the rate to search around: --set {FIELD}=0.01"
            )
        tried = []
        for factor in FACTORS:
            rate = float(f"{factor * own:.3g}")
            try:
                tried.append(_at(arm, rate))
            except RecipeError:  # beyond what a rate can be
                continue
        found[arm.name] = tuple(tried)
    return found


def _at(arm: Arm, rate: float) -> Arm:
    return replace(arm, name=f"{arm.name} at a rate of {rate:g}", recipe=apply_overrides(arm.recipe, {FIELD: rate}))
