"""A learning rate of its own for each arm, found by a search of the same size for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sightline.comparison.arms import Arm
from sightline.comparison.plan import Plan, resolved_on
from sightline.comparison.store import Row
from sightline.errors import DataError, RecipeError
from sightline.recipe import apply_overrides
from sightline.recipe.choices import settled

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Of the rate that an arm would have without a search."""
SEED = 1_000_003
"""Of the trainings that a rate is chosen by; arms are compared with others, so that no luck of the choice is left."""
FIELD = "optimizer.learning_rate"


@dataclass(frozen=True)
class Search:
    """What a search found for one arm."""

    rate: float
    tried: Mapping[float, float | None]
    """Validation accuracy, 0 to 1, of each rate; None where the training failed."""

    @property
    def at_the_edge(self) -> bool:
        """Whether the best rate is the lowest or the highest that was tried, so that a better one may lie beyond."""
        return self.rate in (min(self.tried), max(self.tried))


def searched(plan: Plan) -> dict[str, tuple[Arm, ...]]:
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


def chosen(plan: Plan, searches: Mapping[str, Sequence[Arm]], rows: Sequence[Row]) -> tuple[Plan, dict[str, Search]]:
    """Return the plan with the rate of each arm that has the best validation accuracy, and what each search found.

    Of rates that are as good as each other, the lowest is taken. An arm all of whose trainings failed keeps its own.

    Args:
        plan: as it was searched for.
        searches: from `searched`.
        rows: its trials, done or failed.
    """
    by_arm = {row.trial.arm: row for row in rows}
    arms, found = [], {}
    for arm in plan.arms:
        tried: dict[float, float | None] = {}
        for each in searches[arm.name]:
            side = by_arm[each.name].result.get("sides", {}).get("validation", {})
            tried[settled(each.recipe.optimizer.learning_rate)] = side.get("accuracy")
        known = {rate: accuracy for rate, accuracy in tried.items() if accuracy is not None}
        if not known:
            arms.append(arm)
            continue
        rate = max(sorted(known), key=known.__getitem__)
        found[arm.name] = Search(rate, tried)
        arms.append(replace(_at(arm, rate), name=arm.name))
    return replace(plan, arms=tuple(arms)), found


def _at(arm: Arm, rate: float) -> Arm:
    return replace(arm, name=f"{arm.name} at a rate of {rate:g}", recipe=apply_overrides(arm.recipe, {FIELD: rate}))
