"""The search for each arm's learning rate: of the same size for all, and not won by one lucky seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_trainings import SMALL

from sightline.comparison import rates
from sightline.comparison.arms import varied
from sightline.comparison.plan import Plan, planned
from sightline.comparison.store import Row, Trial
from sightline.recipe import Recipe, apply_overrides

Accuracy = Callable[[str, float, int], float | None]
RATES = {"sgd": (0.005, 0.015, 0.05, 0.15, 0.5), "adam": (0.00015, 0.00045, 0.0015, 0.0045, 0.015)}
"""A tenth to ten times the usual ones at a batch of 32."""


@pytest.fixture(scope="module")
def plan(digits) -> Plan:
    return planned(digits, varied(apply_overrides(Recipe(), SMALL), ["optimizer=sgd,adam"]), [0, 1])


def found(plan: Plan, accuracy: Accuracy) -> tuple[Plan, dict[str, rates.Search], list[tuple[str, float, int]]]:
    """Return what a search comes to whose trainings have these validation accuracies; None for one that fails."""
    asked = []

    def carried_out(part: Plan) -> list[Row]:
        rows = []
        for seed in part.seeds:
            for arm in part.arms:
                rule, rate = arm.recipe.optimizer.name, float(arm.recipe.optimizer.learning_rate)
                asked.append((rule, rate, seed))
                value = accuracy(rule, rate, rates.SEEDS.index(seed))
                result = {} if value is None else {"sides": {"validation": {"accuracy": value}}}
                trial = Trial(f"{rule} {rate} {seed}", arm.name, seed, "")
                rows.append(Row(trial, "failed" if value is None else "done", 1, "", result))
        return rows

    return *rates.search(plan, carried_out), asked


def chosen(plan: Plan) -> list[float]:
    return [float(arm.recipe.optimizer.learning_rate) for arm in plan.arms]


def test_a_rate_that_is_best_with_one_seed_and_falls_apart_with_another_is_not_taken(plan: Plan) -> None:
    def accuracy(rule: str, rate: float, seed: int) -> float:
        place = RATES[rule].index(rate)
        if place == 3:
            return (0.9, 0.1, 0.9)[seed]
        return 0.5 + 0.1 * place if place < 3 else 0.1

    after, searches, asked = found(plan, accuracy)
    assert chosen(after) == [RATES["sgd"][2], RATES["adam"][2]]
    assert [arm.name for arm in after.arms] == [arm.name for arm in plan.arms]
    assert searches["optimizer=sgd"].tried[0.15] == (0.9, 0.1, 0.9)
    assert searches["optimizer=sgd"].tried[0.05] == (0.7, 0.7, 0.7)
    assert searches["optimizer=sgd"].tried[0.005] == (0.5,)
    assert not searches["optimizer=sgd"].at_the_edge
    # The same number for each arm: five, and two more of two.
    assert {rule: len({each for each in asked if each[0] == rule}) for rule in RATES} == {"sgd": 9, "adam": 9}


def test_a_rate_that_fails_with_any_seed_comes_after_one_that_does_not(plan: Plan) -> None:
    def accuracy(rule: str, rate: float, seed: int) -> float | None:
        place = RATES[rule].index(rate)
        if place == 4:
            return None
        return None if place == 3 and seed == 2 else 0.5 + 0.1 * place

    after, searches, _ = found(plan, accuracy)
    assert chosen(after) == [RATES["sgd"][2], RATES["adam"][2]]
    assert searches["optimizer=adam"].tried[0.0045] == (0.8, 0.8, None)
    assert searches["optimizer=adam"].tried[0.015] == (None,)


def test_one_lucky_seed_does_not_beat_the_mean_of_three(plan: Plan) -> None:
    def accuracy(rule: str, rate: float, seed: int) -> float:
        return {1: (0.7,), 2: (0.8, 0.6, 0.6), 3: (0.9, 0.1, 0.1)}.get(RATES[rule].index(rate), (0.2,))[seed]

    after, _, _ = found(plan, accuracy)
    assert chosen(after) == [RATES["sgd"][2], RATES["adam"][2]]


def test_where_both_that_were_best_fail_the_next_is_taken(plan: Plan) -> None:
    def accuracy(rule: str, rate: float, seed: int) -> float | None:
        place = RATES[rule].index(rate)
        return None if place >= 3 and seed else 0.5 + 0.1 * place

    after, _, _ = found(plan, accuracy)
    assert chosen(after) == [RATES["sgd"][2], RATES["adam"][2]]


def test_of_rates_that_are_as_good_the_lowest_is_taken_and_an_edge_is_told(plan: Plan) -> None:
    after, searches, _ = found(plan, lambda *_: 0.5)
    assert chosen(after) == [RATES["sgd"][0], RATES["adam"][0]]
    assert all(search.at_the_edge for search in searches.values())


def test_an_arm_all_of_whose_trainings_fail_keeps_its_own_rate(plan: Plan) -> None:
    after, searches, _ = found(plan, lambda rule, rate, seed: None if rule == "sgd" else rate)
    assert after.arms[0] == plan.arms[0]
    assert set(searches) == {"optimizer=adam"}
    assert after.arms[1].recipe.optimizer.learning_rate == RATES["adam"][4]
