"""McNemar's test against scipy's binomial test and exact fractions; Holm's correction against its definition."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sightline.statistics.holm import holm
from sightline.statistics.mcnemar import mcnemar


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test(only_first, only_second):
    total = only_first + only_second
    expected = binomtest(only_first, total, 0.5).pvalue if total else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    tail = sum(comb(total, k) for k in range(min(only_first, only_second) + 1))
    assert mcnemar(only_first, only_second) == pytest.approx(float(min(Fraction(1), Fraction(2 * tail, 2**total))))


def test_a_known_value():
    """Two against seventeen: 2 · (1 + 19 + 171) / 2¹⁹."""
    assert mcnemar(2, 17) == pytest.approx(2 * 191 / 2**19)
    assert mcnemar(5, 5) == 1.0


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_the_largest_of_what_comes_before(chances):
    corrected = holm(chances)
    ordered = sorted(range(len(chances)), key=lambda i: chances[i])
    for place, index in enumerate(ordered):
        before = [(len(chances) - j) * chances[ordered[j]] for j in range(place + 1)]
        assert corrected[index] == min(1.0, max(before))


def test_one_test_needs_no_correction():
    assert holm([0.03]) == (0.03,)
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
