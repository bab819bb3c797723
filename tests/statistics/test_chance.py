"""Tests of paired differences, against SciPy and statsmodels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from sightline.statistics import chance as module
from sightline.statistics.chance import equivalence_test, sign_flip_test, t_test
from sightline.statistics.holm import holm

hundredths = st.lists(st.integers(-500, 500), min_size=2, max_size=9).map(np.array)
few = hundredths.map(lambda x: x / 100)


@given(few)
def test_students_test_is_scipys(differences) -> None:
    assume(np.ptp(differences) > 0)
    assert t_test(differences) == pytest.approx(stats.ttest_1samp(differences, 0.0).pvalue)


def test_differences_without_spread_are_no_more_than_their_signs() -> None:
    assert t_test(np.zeros(3)) == 1.0
    assert t_test(np.full(3, 0.1)) == sign_flip_test(np.full(3, 0.1)) == 2 / 2**3
    assert equivalence_test(np.zeros(3), margin=0.1) == 1 / 2**3
    assert equivalence_test(np.full(3, 0.2), margin=0.1) == 1.0


@pytest.mark.parametrize(("seeds", "pictures"), [(2, 48), (3, 48), (5, 360)])
def test_few_pictures_are_not_called_different_for_their_ties(seeds, pictures) -> None:
    """Accuracies are counts: with two seeds and 48 pictures, a tenth of all comparisons has no spread."""
    counts = np.random.default_rng(seeds).binomial(pictures, 0.95, size=(4000, 2, seeds)) / pictures
    wrong = np.mean([t_test(one - other) < 0.05 for one, other in counts])
    assert wrong < 0.05 + 4 * (0.05 * 0.95 / 4000) ** 0.5


@settings(deadline=None, max_examples=30)
@given(hundredths)
def test_signs_are_flipped_as_scipy_flips_them(hundredths) -> None:
    # SciPy has whole numbers, which it adds up exactly: it takes sums for different that differ by rounding.
    wanted = stats.permutation_test(
        (hundredths, np.zeros_like(hundredths)),
        lambda one, other, axis: np.sum(one - other, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert sign_flip_test(hundredths / 100) == pytest.approx(wanted)


@settings(deadline=None)
@given(st.lists(st.integers(-30, 30), min_size=1, max_size=4), st.integers(1, 30), st.integers(1, 10**6))
def test_sums_that_are_equal_but_for_rounding_are_equal(some, small, large) -> None:
    """Differences that nearly cancel: all that is left of the sum is as small as what rounding makes of it, or 0."""
    whole = [*some, large, small - large - sum(some), -small]
    signs = itertools.product((-1, 1), repeat=len(whole))
    sums = [abs(sum(s * d for s, d in zip(each, whole, strict=True))) for each in signs]
    share = sum(each >= abs(sum(whole)) for each in sums) / len(sums)
    assert sign_flip_test(np.array(whole) / 1e6) == pytest.approx(share)


def test_five_seeds_cannot_be_significant_by_signs_alone_and_six_can() -> None:
    assert sign_flip_test(np.full(5, 1.0)) == 2 / 2**5
    assert sign_flip_test(np.arange(1.0, 7.0)) == 2 / 2**6


def test_signs_that_are_drawn_come_close_to_all_of_them(monkeypatch) -> None:
    differences = np.random.default_rng(0).normal(0.4, 1.0, size=12)
    wanted = sign_flip_test(differences)
    monkeypatch.setattr(module, "MOST_COUNTED", 2)
    assert sign_flip_test(differences) == pytest.approx(wanted, abs=0.005)
    assert sign_flip_test(np.full(40, 1.0)) == 1 / (module.DRAWS + 1)


@given(few, st.sampled_from([0.05, 0.5, 2.0]))
def test_equivalence_is_that_of_statsmodels(differences, margin) -> None:
    assume(np.ptp(differences) > 0)
    wanted, *_ = DescrStatsW(differences).ttost_mean(-margin, margin)
    assert equivalence_test(differences, margin=margin) == pytest.approx(wanted, abs=1e-12)


@settings(deadline=None, max_examples=10)  # statsmodels collects garbage each time, which takes a second
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_adjustment_is_that_of_statsmodels(p_values) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_the_order_of_the_arms_changes_nothing(p_values) -> None:
    found = dict(zip(p_values, holm(p_values), strict=True))
    for order in itertools.islice(itertools.permutations(p_values), 10):
        assert dict(zip(order, holm(order), strict=True)) == found
