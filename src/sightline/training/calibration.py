"""Calibration: whether a model that says 90 % is right nine times of ten, and the temperature that brings it there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.model.compute import keep_likeliest
from sightline.model.description import COLDEST, HOTTEST
from sightline.training.metrics import measure
from sightline.training.predictions import Judged

BINS = 15
UNSURE = 0.3
"""Standard error of log T beyond which the temperature stays at 1: it could easily be a third off, which may be worse
than none."""


@dataclass(frozen=True)
class Temperature:
    """What the scores are divided by before they become probabilities."""

    value: float
    """1 leaves them as they are; above it the model becomes less sure, below it more."""
    why: str


@dataclass(frozen=True)
class OfSide:
    """How well calibrated one side is, before and after scores are divided by the temperature."""

    loss_before: float | None
    """Mean cross-entropy in nats; None where it is not finite. After the temperature it is the metrics' loss."""
    error_before: float | None
    """Expected calibration error, from 0 to 1; None where a confidence is not finite."""
    error_after: float | None


@dataclass(frozen=True)
class Calibration:
    """The temperature of a sealed model and what it does to what the model says."""

    temperature: Temperature
    sides: Mapping[str, OfSide]
    """By side. The temperature is fitted on `validation`, so that its gain is told by `test`."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts for JSON."""
        sides = {side: asdict(found) for side, found in self.sides.items()}
        return {"temperature": self.temperature.value, "why": self.temperature.why, **sides}


def calibrate(judged: Sequence[Judged], labels: Int[np.ndarray, " image"]) -> tuple[tuple[Judged, ...], Calibration]:
    """Return what the model with its temperature says of each side, and what the temperature does.

    Args:
        judged: what the network says of each side, without a temperature.
        labels: the true class of every picture of the catalogue.
    """
    found = next((each for each in judged if each.side == "validation"), None)
    if found is None:
        temperature = Temperature(1.0, "no pictures are held out for validation that it could be fitted on")
    else:
        temperature = fit(found.log_probabilities, labels[found.records])
    after = tuple(
        replace(each, log_probabilities=tempered(each.log_probabilities, temperature.value)) for each in judged
    )
    sides = {
        one.side: OfSide(
            loss_before=_finite(measure(one.log_probabilities, labels[one.records]).loss),
            error_before=_error(one.log_probabilities, labels[one.records]),
            error_after=_error(other.log_probabilities, labels[one.records]),
        )
        for one, other in zip(judged, after, strict=True)
    }
    return after, Calibration(temperature, sides)


def fit(log_probabilities: Float[np.ndarray, "image class"], labels: Int[np.ndarray, " image"]) -> Temperature:
    """Return the temperature by which a network says of pictures what they are with the least loss.

    With scores z_i, true class y_i and T > 0, p_i = softmax(z_i / T), over n pictures:

        T = argmin  −(1/n) Σ_i log p_i(y_i)

    In u = 1/T this is convex, and its slope, (1/n) Σ_i (Σ_k p_i(k) z_i(k) − z_i(y_i)), is followed to its only zero by
    Brent's method in float64; T stays from 0.05 to 20. Dividing by T changes no order, so that the accuracy stays. From
    the variance of the scores under p follows how sure T is:

        standard error of log T = 1 / √(Σ_i Var_{p_i}(z_i / T))

    T is 1 where that exceeds `UNSURE`, since few pictures, or few that are in doubt, do not tell it; where all pictures
    are right, since T would then go to 0, which is a model that never doubts; and where a score is not finite.

    Args:
        log_probabilities: natural logarithms without a temperature, which are scores up to a constant per picture.
        labels: true classes, at least one.

    Torch and the slides have no such thing. Guo et al. fit T with L-BFGS, to the same minimum.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (ICML 2017), section 4.2; Platt,
        Probabilistic outputs for support vector machines (1999), for the idea; Brent, Algorithms for minimization
        without derivatives (1973), chapter 4.
    """
    count = len(labels)
    if not np.isfinite(log_probabilities).all():
        return Temperature(1.0, "scores of validation pictures are not finite")
    scores = log_probabilities.astype(np.float64)
    of_label = scores[np.arange(count), labels]
    if (of_label == scores.max(axis=1)).all():
        says = "is right" if count == 1 else "are right"
        return Temperature(1.0, f"all {count:,} validation pictures {says}, so that the best one would be 0")

    value = _least(scores, of_label)
    error = _standard_error(scores / value)
    if error > UNSURE:
        return Temperature(
            1.0,
            f"what {count:,} validation pictures tell of it is too little: its logarithm would have a standard error "
            f"of {error:.2g}, wanted {UNSURE} at most",
        )
    bound = {COLDEST: ", as low as it may be", HOTTEST: ", as high as it may be"}.get(value, "")
    return Temperature(value, f"the least loss on {count:,} validation pictures{bound}")


def tempered(
    log_probabilities: Float[np.ndarray, "image class"], temperature: float
) -> Float[np.ndarray, "image class"]:
    """Return log softmax(z / T) from log softmax(z), which are scores z up to a constant that softmax takes away.

    The likeliest class stays the same one, also among equals and where rounding would make two equal. With a
    temperature of 1 every bit stays.
    """
    if temperature == 1:
        return log_probabilities
    from scipy.special import log_softmax

    found: Float[np.ndarray, "image class"] = log_softmax(log_probabilities / temperature, axis=1)
    return keep_likeliest(found, log_probabilities)


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


def _least(scores: Float[np.ndarray, "image class"], of_label: Float[np.ndarray, " image"]) -> float:
    """Return the temperature within its bounds that has the least loss."""
    from scipy.optimize import brentq
    from scipy.special import softmax

    def slope(inverse: float) -> float:
        return float(((softmax(scores * inverse, axis=1) * scores).sum(axis=1) - of_label).mean())

    # The slope only grows with 1/T: one of a single sign has the least loss at a bound.
    if slope(1 / COLDEST) <= 0:
        return COLDEST
    if slope(1 / HOTTEST) >= 0:
        return HOTTEST
    return 1 / float(brentq(slope, 1 / HOTTEST, 1 / COLDEST, xtol=1e-12))


def _standard_error(scaled: Float[np.ndarray, "image class"]) -> float:
    """Return that of log T where scores, divided by T, are `scaled`."""
    from scipy.special import softmax

    shares = softmax(scaled, axis=1)
    around = scaled - (shares * scaled).sum(axis=1, keepdims=True)
    information = float((shares * around**2).sum())
    return 1 / math.sqrt(information) if information > 0 else math.inf


def _error(log_probabilities: Float[np.ndarray, "image class"], labels: Int[np.ndarray, " image"]) -> float | None:
    confidence = np.exp(log_probabilities.max(axis=1))
    if not np.isfinite(confidence).all():
        return None
    right = log_probabilities.argmax(axis=1) == labels
    return expected_calibration_error(reliability(confidence, right))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
