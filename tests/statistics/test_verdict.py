"""Verdicts err as rarely as they say, and hold what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.statistics.verdict import judged

POINT = 0.01


def arms(*means: float, spread: float = 0.002, seeds: int = 5, chance: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(chance)
    return [generator.normal(mean, spread, seeds) for mean in means]


def test_each_verdict_is_given_where_it_is_due() -> None:
    better, worse, equivalent, undecided = judged(
        [
            np.array([0.021, 0.019, 0.020, 0.022, 0.018]),
            np.array([-0.021, -0.019, -0.020, -0.022, -0.018]),
            np.array([0.0002, -0.0003, 0.0001, 0.0, -0.0001]),
            np.array([0.03, -0.02, 0.02, -0.01, 0.01]),
        ],
        margin=0.002,
    )
    assert [each.says for each in (better, worse, equivalent, undecided)] == [
        "better",
        "worse",
        "equivalent",
        "undecided",
    ]
    assert better.mean == pytest.approx(0.02)
    assert better.spread == pytest.approx(0.0015811, rel=1e-4)
    assert better.in_spreads == pytest.approx(0.02 / 0.0015811, rel=1e-4)
    assert better.sign_flip == 2 / 2**5
    assert 0.02 in better.interval
    assert 0.0 not in better.interval
    assert better.needed in {2, 3}
    assert undecided.needed > 5
    assert undecided.equivalence > 0.05


def test_without_a_margin_nothing_is_equivalent() -> None:
    (found,) = judged([np.array([0.0001, -0.0001, 0.00005, -0.00005, 0.0])])
    assert found.says == "undecided"
    assert found.equivalence is None


def test_less_of_a_loss_is_better() -> None:
    falls = [np.array([-0.2, -0.21, -0.19])]
    assert judged(falls, higher_is_better=False)[0].says == "better"
    assert judged(falls)[0].says == "worse"


def test_two_intervals_that_are_far_apart_are_said_to_disagree() -> None:
    agreeing, skewed = judged([arms(0.01, seeds=12)[0], np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])])
    assert agreeing.agree
    assert not skewed.agree


def test_all_the_same_is_as_certain_as_the_signs() -> None:
    same, other = judged([np.zeros(8), np.full(8, 0.01)])
    assert (same.says, same.needed, same.in_spreads) == ("undecided", None, 0.0)
    assert (other.says, other.needed, other.in_spreads) == ("better", 2, float("inf"))
    assert judged([np.full(4, 0.01)])[0].says == "undecided"


@pytest.mark.parametrize("count", [1, 4])
def test_of_comparisons_of_the_same_with_the_same_at_most_one_in_twenty_decides(count) -> None:
    """1,000 of them: 5 % and four standard errors at most. Arms share the one they are compared with."""
    chance = np.random.default_rng(count)
    wrong = 0
    for _ in range(1000):
        base = chance.normal(0.0, 0.003, 5)
        wrong += any(
            each.says != "undecided" for each in judged([chance.normal(0.0, 0.003, 5) - base for _ in range(count)])
        )
    assert wrong / 1000 < 0.05 + 4 * (0.05 * 0.95 / 1000) ** 0.5
    assert wrong > 0


def test_equivalence_is_rarely_claimed_of_what_lies_at_the_margin() -> None:
    chance = np.random.default_rng(5)
    claimed = [judged([chance.normal(0.01, 0.005, 6)], margin=0.01)[0].says == "equivalent" for _ in range(2000)]
    assert np.mean(claimed) < 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5
