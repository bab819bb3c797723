"""Calibration against the definition, written as a loop, and where the answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.training.calibration import BINS, expected_calibration_error, reliability


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_the_definition(given_):
    confidence, right = np.array([c for c, _ in given_]), np.array([r for _, r in given_])
    expected = 0.0
    for number in range(BINS):
        inside = [(c, r) for c, r in given_ if number < c * BINS <= number + 1]
        if inside:
            accuracy = sum(r for _, r in inside) / len(inside)
            sure = sum(c for c, _ in inside) / len(inside)
            expected += len(inside) / len(given_) * abs(accuracy - sure)
    bins = reliability(confidence, right)
    assert expected_calibration_error(bins) == pytest.approx(expected, abs=1e-9)
    assert sum(each.images for each in bins) == len(given_)


def test_who_is_right_as_often_as_it_says_has_no_error():
    confidence, right = np.array([0.75] * 4 + [1.0] * 2), np.array([True, True, True, False, True, True])
    assert expected_calibration_error(reliability(confidence, right)) == pytest.approx(0)
    sure = np.ones(4), np.array([True, False, False, False])
    assert expected_calibration_error(reliability(*sure)) == pytest.approx(0.75)
