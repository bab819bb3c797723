"""Intervals against scipy's and against drawing pictures one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sightline.statistics.counted import balanced_accuracy, bootstrap, macro_f1, wilson
from sightline.statistics.interval import Interval
from sightline.training.metrics import measure


@given(st.integers(1, 5_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_is_scipys(counts):
    right, total = counts
    expected = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    found = wilson(right, total)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)
    assert 0 <= found.low <= right / total <= found.high <= 1


def test_of_ten_that_are_all_right_the_truth_may_be_lower():
    """Known value: 1 / (1 + z² / n) with z² = 3.8415."""
    assert wilson(10, 10) == Interval(pytest.approx(1 / 1.38415, abs=1e-4), 1.0)


def drawn(seed: int, images: int = 300, classes: int = 4):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    scores = random.normal(size=(images, classes)) + 2 * np.eye(classes)[labels]
    scores[labels == 1] += [0.0, -1.0, 1.0, 0.0]
    return labels, scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("name", "of_draws"), [("balanced_accuracy", balanced_accuracy), ("macro_f1", macro_f1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_bootstrap_is_that_of_pictures_drawn_with_replacement(name, of_draws, seed):
    labels, log_probabilities = drawn(seed)
    metrics = measure(log_probabilities, labels)
    confusion = np.array(metrics.confusion, np.int64)
    random, values = np.random.default_rng(7), []
    for _ in range(1_000):
        rows = random.integers(0, len(labels), len(labels))
        values.append(getattr(measure(log_probabilities[rows], labels[rows]), name))
    low, high = np.quantile(values, [0.025, 0.975])
    found = bootstrap(confusion, of_draws)
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)
    assert found.low < getattr(metrics, name) < found.high
    assert found == bootstrap(confusion, of_draws)


def test_measures_of_the_matrix_itself_are_those_of_the_run():
    labels, log_probabilities = drawn(3)
    metrics = measure(log_probabilities, labels)
    confusion = np.array(metrics.confusion, np.float64)
    parts = np.diag(confusion)[None], confusion.sum(axis=1)[None], confusion.sum(axis=0)[None]
    assert balanced_accuracy(*parts)[0] == pytest.approx(metrics.balanced_accuracy)
    assert macro_f1(*parts)[0] == pytest.approx(metrics.macro_f1)


def test_a_class_without_pictures_is_left_out():
    confusion = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]], np.int64)
    found = bootstrap(confusion, balanced_accuracy)
    assert 0.5 < found.low < 0.85 < found.high <= 1
