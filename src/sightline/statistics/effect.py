"""How large the difference between two arms is, and how sure that is: intervals for the mean of paired differences."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import special

from sightline.statistics.interval import Interval

MOST_ENUMERATED = 9
"""Seeds up to which each way to draw them again is counted, 24,310 for nine, instead of some drawn."""
DRAWS = 20_000


def t_interval(differences: Float64[ndarray, " seed"], *, confidence: float) -> Interval:
    """Return Student's interval for the mean of paired differences.

    With n differences of mean d̄ and standard deviation s (n − 1 in its denominator), and the quantile t of Student's
    distribution with n − 1 degrees of freedom at 1 − (1 − confidence) / 2:

        d̄ ± t · s / √n

    It is exact where differences are normally distributed, and what training with another seed changes nearly is.

    Args:
        differences: of one arm against another, a number for each seed; two at least.
        confidence: in (0, 1).

    Source: Student, The probable error of a mean (Biometrika 1908).
    """
    count = len(differences)
    half = special.stdtrit(count - 1, (1.0 + confidence) / 2.0) * differences.std(ddof=1) / np.sqrt(count)
    mean = differences.mean()
    return Interval(float(mean - half), float(mean + half))


def bca_interval(differences: Float64[ndarray, " seed"], *, confidence: float, seed: int = 0) -> Interval:
    """Return the bias-corrected and accelerated bootstrap interval for the mean of paired differences.

    With Φ the normal distribution, z = Φ⁻¹((1 ± confidence) / 2), the share b of bootstrap means below the mean (half
    of those at it), ẑ₀ = Φ⁻¹(b), and the acceleration from means d̄₍ᵢ₎ without the i-th and their mean d̄₍·₎

        a = Σ (d̄₍·₎ − d̄₍ᵢ₎)³ / (6 · (Σ (d̄₍·₎ − d̄₍ᵢ₎)²)^(3/2))

    the bounds are the quantiles of the bootstrap means at Φ(ẑ₀ + (ẑ₀ + z) / (1 − a (ẑ₀ + z))). Up to nine seeds the
    bootstrap distribution is counted out, so that nothing about it is drawn.

    It assumes no distribution, and is too narrow for few seeds, where it stands beside Student's to say whether that
    is far off.

    Args:
        differences: of one arm against another, a number for each seed; two at least.
        confidence: in (0, 1).
        seed: of the draw, for more than nine seeds.

    Source: Efron, Better bootstrap confidence intervals (JASA 1987).
    """
    mean = float(differences.mean())
    if np.ptp(differences) == 0.0:
        return Interval(mean, mean)
    means, weights = _bootstrap_means(differences, seed)
    at = np.isclose(means, mean, rtol=1e-12, atol=1e-12 * np.ptp(differences))  # whatever the order of the sum
    below = float(weights[(means < mean) & ~at].sum() + 0.5 * weights[at].sum())
    bias = special.ndtri(below)
    without = (differences.sum() - differences) / (len(differences) - 1)
    away = without.mean() - without
    acceleration = (away**3).sum() / (6.0 * (away**2).sum() ** 1.5)
    bounds = []
    for share in ((1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0):
        moved = bias + special.ndtri(share)
        bounds.append(special.ndtr(bias + moved / (1.0 - acceleration * moved)))
    order = np.argsort(means, kind="stable")
    reached = np.cumsum(weights[order])
    places = np.minimum(np.searchsorted(reached, bounds), len(means) - 1)
    low, high = means[order][places]
    return Interval(float(low), float(high))


def _bootstrap_means(
    differences: Float64[ndarray, " seed"], seed: int
) -> tuple[Float64[ndarray, " mean"], Float64[ndarray, " mean"]]:
    """Return means of differences drawn with replacement, and the probability of each."""
    count = len(differences)
    if count > MOST_ENUMERATED:
        drawn = np.random.default_rng(seed).integers(count, size=(DRAWS, count))
        return differences[drawn].mean(axis=1), np.full(DRAWS, 1.0 / DRAWS)
    drawn = np.array(list(combinations_with_replacement(range(count), count)))
    often = (drawn[:, :, None] == np.arange(count)).sum(axis=1)
    # n! / (k₁! · k₂! · …) orders of n^n draw the same multiset.
    logarithms = special.gammaln(count + 1) - special.gammaln(often + 1).sum(axis=1) - count * np.log(count)
    return often @ differences / count, np.exp(logarithms)
