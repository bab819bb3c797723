"""Seeds one after the other, until each arm is decided: clear cases take few trainings, and errors stay as rare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sightline.comparison.measures import MEASURES
from sightline.comparison.plan import Plan
from sightline.comparison.store import Row
from sightline.statistics.chance import t_test
from sightline.statistics.sequential import nominal_levels
from sightline.statistics.verdict import CONFIDENCE

FIRST = 3
"""Seeds at the first look."""


def in_waves(plan: Plan, carried_out: Callable[[Plan], Sequence[Row]]) -> tuple[list[Row], dict[str, float]]:
    """Train seeds one after the other, and leave an arm alone once it is decided.

    Each of m arms has the share 0.05 / m of the error, spent over its looks as `nominal_levels` says, so that whichever
    arms are in truth like the first one, at most one comparison in twenty says otherwise of any of them.

    Args:
        plan: with all seeds that may be trained.
        carried_out: has the trials of a part of the plan trained, and returns all of them.

    Returns:
        The trials that were trained, and for each arm but the first the level that its p-value had to undercut at its
        last look.
    """
    looks = tuple(range(min(FIRST, len(plan.seeds)), len(plan.seeds) + 1))
    of_each = (1.0 - CONFIDENCE) / (len(plan.arms) - 1)
    open_arms = {arm.name for arm in plan.arms[1:]}
    levels: dict[str, float] = {}
    rows: dict[str, Row] = {}
    for count, level in zip(looks, nominal_levels(looks, level=of_each), strict=True):
        arms = tuple(arm for arm in plan.arms if arm is plan.arms[0] or arm.name in open_arms)
        found = carried_out(replace(plan, arms=arms, seeds=plan.seeds[:count]))
        rows |= {row.trial.digest: row for row in found}
        for name in sorted(open_arms):
            levels[name] = level
            p_value = _p_value(found, plan.arms[0].name, name, plan.side)
            if p_value is None or p_value < level:
                open_arms.remove(name)
        if not open_arms:
            break
    return list(rows.values()), levels


def _p_value(rows: Sequence[Row], base: str, arm: str, side: str) -> float | None:
    """Return Student's p-value of an arm against the base; None where too few of its trainings came to their end."""
    accuracy = MEASURES["accuracy"]
    values: dict[str, dict[int, float]] = {base: {}, arm: {}}
    for row in rows:
        if row.trial.arm in values and row.state == "done":
            value = accuracy.of(row.result, side)
            if value is not None:
                values[row.trial.arm][row.trial.seed] = value
    shared = sorted(values[base].keys() & values[arm].keys())
    if len(shared) < 2:
        return None
    return t_test(np.array([values[arm][seed] - values[base][seed] for seed in shared]))
