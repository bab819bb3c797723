"""Seeds that are trained one after the other: clear cases end early, and errors stay as rare as without."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sightline.comparison.arms import Arm
from sightline.comparison.comparison import Comparison, sentences
from sightline.comparison.plan import Plan
from sightline.comparison.store import Row, Trial
from sightline.comparison.waves import in_waves
from sightline.recipe import Recipe
from sightline.statistics.chance import t_test

SEEDS = 8


def plan(arms: int) -> Plan:
    held_out: Any = SimpleNamespace(split=SimpleNamespace(test=[0], validation=[]))
    return Plan(held_out, tuple(Arm(f"arm {number}", Recipe(), {}) for number in range(arms)), tuple(range(SEEDS)))


def trained(accuracies: np.ndarray, asked: list[tuple[int, int]] | None = None):
    """Return what stands for training: the accuracies that are given, NaN for a training that fails."""

    def carried_out(part: Plan) -> list[Row]:
        rows = []
        for seed in part.seeds:
            for arm in part.arms:
                number = int(arm.name.split()[1])
                accuracy = float(accuracies[number, seed])
                if asked is not None:
                    asked.append((number, seed))
                trial = Trial(f"{number}-{seed}", arm.name, seed, "")
                result = {"sides": {"test": {"accuracy": accuracy}}, "seconds": 1.0, "curve": [], "findings": []}
                failed = np.isnan(accuracy)
                rows.append(
                    Row(trial, "failed" if failed else "done", 1, "nan" if failed else "", {} if failed else result)
                )
        return rows

    return carried_out


def comparison(arms: int, rows: list[Row], levels: dict[str, float]) -> Comparison:
    names = tuple(f"arm {number}" for number in range(arms))
    return Comparison("photos", "test", names, tuple(range(SEEDS)), tuple(rows), levels=levels)


def test_an_arm_that_is_decided_is_trained_no_more() -> None:
    chance = np.random.default_rng(0)
    accuracies = np.array([0.7, 0.9, 0.7])[:, None] + chance.normal(0, 0.002, (3, SEEDS))
    asked: list[tuple[int, int]] = []
    rows, levels = in_waves(plan(3), trained(accuracies, asked))
    assert {seed for number, seed in asked if number == 1} == {0, 1, 2}
    assert {seed for number, seed in asked if number == 2} == set(range(SEEDS))
    found = comparison(3, rows, levels)
    assert [found.verdicts()[f"arm {number}"].says for number in (1, 2)] == ["better", "undecided"]
    assert found.verdicts()["arm 1"].seeds == 3
    assert any("ended once it was decided" in each for each in sentences(found))


def test_where_all_are_decided_nothing_more_is_trained() -> None:
    accuracies = np.array([0.5, 0.7])[:, None] + np.random.default_rng(1).normal(0, 0.001, (2, SEEDS))
    asked: list[tuple[int, int]] = []
    rows, _ = in_waves(plan(2), trained(accuracies, asked))
    assert len(rows) == 2 * 3
    assert max(seed for _, seed in asked) == 2


def test_an_arm_whose_trainings_fail_is_left_alone() -> None:
    accuracies = np.full((2, SEEDS), 0.5)
    accuracies[1] = np.nan
    rows, levels = in_waves(plan(2), trained(accuracies))
    found = comparison(2, rows, levels)
    assert set(found.failed()["arm 1"]) == {0, 1, 2}
    assert not found.verdicts()


@pytest.mark.parametrize("arms", [2, 4])
def test_arms_that_are_the_same_are_rarely_called_different(arms: int) -> None:
    """400 comparisons: 5 % and three standard errors at most."""
    chance = np.random.default_rng(arms)
    wrong = 0
    for _ in range(400):
        rows, levels = in_waves(plan(arms), trained(0.8 + chance.normal(0, 0.004, (arms, SEEDS))))
        differences = comparison(arms, rows, levels).differences()
        wrong += any(t_test(each) < levels[arm] for arm, each in differences.items())
    assert wrong / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_the_levels_are_those_of_the_number_of_seeds() -> None:
    few = replace(plan(2), seeds=(0, 1))
    _, levels = in_waves(few, trained(np.random.default_rng(0).normal(0.5, 0.1, (2, 2))))
    assert levels == {"arm 1": pytest.approx(0.05)}
