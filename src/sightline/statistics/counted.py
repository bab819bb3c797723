"""How sure a measured share is: intervals for what was counted on a limited number of pictures."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sightline.statistics.interval import Interval

CONFIDENCE = 0.95
DRAWS = 1_000
AT_ONCE = 50
"""Draws that are held in memory together."""


def wilson(right: int, total: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's score interval for a share.

    With the share p̂ = right / total, n = total and the normal quantile z at 1 − (1 − confidence) / 2:

        center = (p̂ + z² / 2n) / (1 + z² / n)
        half = z / (1 + z² / n) · √(p̂ (1 − p̂) / n + z² / 4n²)

    Unlike p̂ ± z √(p̂ (1 − p̂) / n) it never leaves [0, 1], and is not of no width where all were right.

    Args:
        right: pictures that were right, 0 to total.
        total: pictures, at least 1.
        confidence: in (0, 1).

    Source: Wilson, Probable inference, the law of succession, and statistical inference (JASA 1927); Brown, Cai and
        DasGupta, Interval estimation for a binomial proportion (2001), for why this one.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = right / total, z * z / total
    center = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / total + spread / (4 * total)) ** 0.5
    # Where all or none are right, a bound is the share itself but for rounding.
    return Interval(max(0.0, min(share, center - half)), min(1.0, max(share, center + half)))


def bootstrap(
    confusion: NDArray[np.int64],
    measure: Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    *,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the percentile bootstrap interval of a measure of a confusion matrix.

    Pictures are drawn with replacement, as many as there are, `DRAWS` times; since only class and prediction of each
    count, that is a draw of the matrix's cells from the multinomial distribution. The draws are always the same.

    Args:
        confusion: row: true class; column: predicted class; at least one picture.
        measure: returns a value for each draw from three arrays of shape (draw, class): pictures of the class that are
            right, pictures of the class, pictures taken for the class.
        confidence: in (0, 1).

    Source: Efron and Tibshirani, An introduction to the bootstrap (1993), chapter 13.
    """
    classes = len(confusion)
    true, chosen = np.nonzero(confusion)
    counts = confusion[true, chosen]
    total = int(counts.sum())
    generator = np.random.default_rng(0)
    found = []
    for start in range(0, DRAWS, AT_ONCE):
        drawn = generator.multinomial(total, counts / total, size=min(AT_ONCE, DRAWS - start)).astype(np.float64)
        right = _by_class(np.where(true == chosen, drawn, 0), true, classes)
        found.append(measure(right, _by_class(drawn, true, classes), _by_class(drawn, chosen, classes)))
    values = np.concatenate(found)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _by_class(drawn: NDArray[np.float64], of: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return the sums of each draw's cells by the class they are of, shape (draw, class)."""
    order = np.argsort(of, kind="stable")
    present, starts = np.unique(of[order], return_index=True)
    sums = np.zeros((len(drawn), classes))
    sums[:, present] = np.add.reduceat(drawn[:, order], starts, axis=1)
    return sums


def balanced_accuracy(
    right: NDArray[np.float64], of_class: NDArray[np.float64], _taken: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean recall over the classes that occur, of each draw."""
    occurs = of_class > 0
    recall = np.divide(right, of_class, out=np.zeros_like(right), where=occurs)
    mean: NDArray[np.float64] = recall.sum(axis=1) / occurs.sum(axis=1)
    return mean


def macro_f1(
    right: NDArray[np.float64], of_class: NDArray[np.float64], taken: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean F1 over the classes that occur or were predicted, of each draw."""
    seen = of_class + taken
    f1 = np.divide(2 * right, seen, out=np.zeros_like(right), where=seen > 0)
    mean: NDArray[np.float64] = f1.sum(axis=1) / (seen > 0).sum(axis=1)
    return mean
