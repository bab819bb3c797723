"""Metrics against scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from sightline.training.metrics import measure


def predictions(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, classes)) * 3
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return log_probabilities, generator.integers(0, classes, size=count)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(2, 12))
def test_every_metric_is_scikit_learns(seed, count, classes):
    log_probabilities, labels = predictions(seed, count, classes)
    found = measure(log_probabilities, labels)
    predicted = log_probabilities.argmax(axis=1)
    everything = np.arange(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes that do not occur
        precision, recall, _, _ = oracle.precision_recall_fscore_support(
            labels, predicted, labels=everything, zero_division=0
        )
        assert found.macro_f1 == pytest.approx(oracle.f1_score(labels, predicted, average="macro"))
        assert found.balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(labels, predicted))
    assert found.images == count
    assert found.accuracy == pytest.approx(oracle.accuracy_score(labels, predicted))
    assert found.loss == pytest.approx(oracle.log_loss(labels, np.exp(log_probabilities), labels=everything), rel=1e-9)
    np.testing.assert_allclose(found.precision, precision)
    np.testing.assert_allclose(found.recall, recall)
    np.testing.assert_array_equal(found.confusion, oracle.confusion_matrix(labels, predicted, labels=everything))
    if classes > 5:
        top5 = oracle.top_k_accuracy_score(labels, log_probabilities, k=5, labels=everything)
        assert found.top5 == pytest.approx(top5)
    else:
        assert found.top5 == 1.0


def test_equal_probabilities_are_no_find_by_luck():
    flat = np.full((1, 10), -np.log(10))
    assert measure(flat, np.array([9])).top5 == 0.0
    assert measure(flat, np.array([4])).top5 == 1.0
    assert measure(flat, np.array([0])).accuracy == 1.0
