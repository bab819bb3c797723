"""Intervals for the mean of paired differences, against SciPy and on simulated seeds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from sightline.statistics import effect
from sightline.statistics.effect import bca_interval, t_interval
from sightline.statistics.interval import Interval

few = st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=9).map(np.array)


@given(few, st.sampled_from([0.8, 0.95, 0.99]))
def test_students_interval_is_scipys(differences, confidence) -> None:
    assume(np.ptp(differences) > 0)
    wanted = stats.ttest_1samp(differences, 0.0).confidence_interval(confidence)
    found = t_interval(differences, confidence=confidence)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("count", [6, 9, 10, 25])
@pytest.mark.parametrize("skewed", [False, True])
def test_the_bootstraps_is_scipys(count, skewed) -> None:
    """Which draws, so that its bounds are random by about a hundredth of the interval. Of fewer seeds many bootstrap
    means are the mean itself, which SciPy tells by the last bit of a sum."""
    chance = np.random.default_rng(count)
    differences = chance.exponential(size=count) if skewed else chance.normal(size=count)
    wanted = stats.bootstrap(
        (differences,), np.mean, n_resamples=200_000, batch=10_000, confidence_level=0.95, method="BCa", rng=chance
    ).confidence_interval
    found = bca_interval(differences, confidence=0.95)
    assert found.low == pytest.approx(wanted.low, abs=0.02 * (wanted.high - wanted.low))
    assert found.high == pytest.approx(wanted.high, abs=0.02 * (wanted.high - wanted.low))


def test_what_is_counted_out_is_what_would_be_drawn(monkeypatch) -> None:
    differences = np.array([0.1, 0.4, -0.2, 0.9, 0.3])
    counted = bca_interval(differences, confidence=0.9)
    monkeypatch.setattr(effect, "MOST_ENUMERATED", 1)
    drawn = bca_interval(differences, confidence=0.9)
    assert (drawn.low, drawn.high) == pytest.approx((counted.low, counted.high), abs=0.03)
    assert bca_interval(differences, confidence=0.9) == drawn
    many = np.random.default_rng(1).normal(size=20)
    assert bca_interval(many, confidence=0.9, seed=1) != bca_interval(many, confidence=0.9)


@given(few)
def test_turning_the_arms_around_turns_the_interval_around(differences) -> None:
    assume(np.ptp(differences) > 0)
    student, turned = (t_interval(sign * differences, confidence=0.95) for sign in (1, -1))
    assert (turned.low, turned.high) == pytest.approx((-student.high, -student.low))


@pytest.mark.parametrize("differences", [[-1, 1], [-2, -1, 1, 2], [-3, -1, 0, 1, 3]])
def test_what_lies_evenly_has_an_even_interval(differences) -> None:
    """Many bootstrap means are the mean itself, and half of them count as below it."""
    found = bca_interval(np.array(differences, np.float64), confidence=0.8)
    assert found.low == pytest.approx(-found.high)


def test_differences_that_are_all_the_same_leave_no_doubt() -> None:
    same = np.array([0.5, 0.5, 0.5])
    assert bca_interval(same, confidence=0.95) == t_interval(same, confidence=0.95) == Interval(0.5, 0.5)


@pytest.mark.parametrize("count", [3, 5, 10])
def test_students_interval_holds_the_truth_as_often_as_it_says(count) -> None:
    """4,000 comparisons of normally distributed seeds: 95 % ± 1.4, four standard errors."""
    chance = np.random.default_rng(count)
    drawn = chance.normal(0.3, 0.4, size=(4000, count))
    held = np.mean([0.3 in t_interval(each, confidence=0.95) for each in drawn])
    assert abs(held - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5
