"""How weights and new pictures go together: what they were standardized with, and what they were told apart as."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.preprocessing import Statistics
from sightline.transfer_learning.weights import Weights

FAR = 1.5
"""Deviations of the source between the means from which new pictures are called unlike."""
SPREAD = 2.5
"""Ratio of the deviations from which they are."""
NAMED = 5


def for_channels(statistics: Statistics, channels: int) -> Statistics:
    """Return statistics by channel for another number of channels: gray has the mean of the colors, colors have gray's.

    The first convolution is made to fit by the sum of its colors (`fit`), so that both together see a gray picture as
    the three equal channels of it were seen.
    """
    mean, deviation = statistics.mean, statistics.deviation
    if mean is None or deviation is None or mean.shape == (channels,):
        return statistics
    if mean.ndim == 1:
        return Statistics(np.full(channels, mean.mean()), np.full(channels, deviation.mean()), None)
    return statistics


def unlike(inherited: Statistics, fitted: Statistics) -> tuple[str, ...]:
    """Return a sentence where new pictures lie far outside what the weights were trained on; both by channel."""
    found = (inherited.mean, inherited.deviation, fitted.mean, fitted.deviation)
    if any(each is None or each.ndim != 1 for each in found):
        return ()
    mean, deviation, own_mean, own_deviation = found
    assert mean is not None and deviation is not None and own_mean is not None and own_deviation is not None  # noqa: S101, PT018
    distance = float((np.abs(own_mean - mean) / deviation).max())
    ratio = own_deviation / deviation
    if distance <= FAR and ratio.max() <= SPREAD and ratio.min() >= 1 / SPREAD:
        return ()
    says = (
        f"The pictures' mean is {_listed(own_mean)} and their deviation {_listed(own_deviation)}; the weights were "
        f"trained on {_listed(mean)} and {_listed(deviation)}, so that their first layer sees what it never saw. "
        "Statistics of these pictures may serve better: --set preprocessing.statistics=fitted"
    )
    return (says,)


def overlapping(weights: Weights, names: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence where classes have the names of classes that the weights tell apart already."""
    shared = sorted(set(weights.class_names) & set(names))
    if not shared:
        return ()
    listed = ", ".join(shared[:NAMED]) + (" …" if len(shared) > NAMED else "")
    says = (
        f"{len(shared)} of the classes ({listed}) have the names of classes that the weights know already. The last "
        "layer is drawn anew all the same and learns them again from these pictures; the old one is left with the "
        "weights."
    )
    return (says,)


def _listed(numbers: np.ndarray) -> str:
    return " / ".join(f"{number:.2f}" for number in numbers)
