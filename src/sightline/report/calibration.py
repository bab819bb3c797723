"""Calibration: whether a model that says 90 % is right nine times of ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence."""

    low: float
    """Confidences from here …"""
    high: float
    """… to here, this included."""
    images: int
    confidence: float
    """Their mean."""
    accuracy: float
    """Share of them that is right."""


def reliability(
    confidence: Float[np.ndarray, " image"], right: Bool[np.ndarray, " image"], *, bins: int = BINS
) -> tuple[Bin, ...]:
    """Return mean confidence and accuracy in bins of equal width over (0, 1], without the empty ones.

    Args:
        confidence: the probability of the predicted class.
        right: whether the prediction is.
        bins: their number.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (ICML 2017), section 2.
    """
    of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return tuple(
        Bin(
            number / bins,
            (number + 1) / bins,
            int(inside.sum()),
            float(confidence[inside].mean()),
            float(right[inside].mean()),
        )
        for number in range(bins)
        if (inside := of == number).any()
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of confidence and accuracy.

    With n_b of all n pictures in bin b:

        ECE = Σ_b n_b / n · |accuracy_b − confidence_b|

    It is 0 for a model whose confidence is its accuracy, and grows with few pictures by chance alone.

    Source: Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning (AAAI 2015);
        Guo et al. (ICML 2017), equation 3.
    """
    total = sum(each.images for each in bins)
    return sum(each.images * abs(each.accuracy - each.confidence) for each in bins) / total
