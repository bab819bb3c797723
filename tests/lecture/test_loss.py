"""Cross-entropy, label smoothing and class weights are the published equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.training.loss import balanced_weights, cross_entropy

IMAGES, CLASSES = 40, 5
LOGITS = np.random.default_rng(0).normal(0.0, 4.0, size=(IMAGES, CLASSES))
LABELS = np.random.default_rng(1).integers(0, CLASSES, IMAGES)
WEIGHTS = np.array([0.5, 1.0, 2.0, 0.1, 3.0])


def by_equation(smoothing: float, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the sum over images and its gradient by the logits."""
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    target = (1.0 - smoothing) * np.eye(CLASSES)[LABELS] + smoothing / CLASSES
    weighted = weights * target
    return float(-(weighted * np.log(shares)).sum()), shares * weighted.sum(axis=1, keepdims=True) - weighted


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_loss_and_gradient(smoothing: float, weights: np.ndarray | None) -> None:
    logits = torch.tensor(LOGITS, requires_grad=True)
    function = cross_entropy(
        label_smoothing=smoothing, class_weights=None if weights is None else torch.from_numpy(weights)
    )
    loss = function(logits, torch.from_numpy(LABELS))
    loss.backward()
    expected, gradient = by_equation(smoothing, np.ones(CLASSES) if weights is None else weights)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=1e-11, atol=1e-13)


def test_balanced_classes_weigh_the_same_in_total() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int32), [10, 30, 60])
    weights = balanced_weights(labels, 3)
    np.testing.assert_allclose(weights * [10, 30, 60], 100 / 3)
    assert weights[labels].mean() == pytest.approx(1.0)
