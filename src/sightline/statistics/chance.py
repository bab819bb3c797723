"""Whether a difference between two arms may be chance: tests of paired differences."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import special

MOST_COUNTED = 16
"""Seeds up to which all signs are tried, 65,536 for sixteen, instead of some drawn."""
DRAWS = 99_999
ROUNDING = 1e-12
"""Share of what is added up by which sums may differ that are the same but for the order of adding."""


def t_test(differences: Float64[ndarray, " seed"]) -> float:
    """Return the two-sided p-value of Student's test that the mean of paired differences is 0.

    With n differences of mean d̄ and standard deviation s, and T of Student's distribution with n − 1 degrees of
    freedom:

        p = P(|T| ≥ |d̄| / (s / √n))

    Differences that are all the same have no spread to hold them against. Of few pictures that are right or wrong, that
    happens by chance, so that then p = 2 / 2^n, as their signs alone would have it, or 1 where they are 0.

    Args:
        differences: a number for each seed; two at least.

    Source: Student, The probable error of a mean (Biometrika 1908).
    """
    mean, spread = differences.mean(), differences.std(ddof=1)
    if spread <= ROUNDING * abs(mean):
        return 1.0 if mean == 0.0 else 2.0 / 2 ** len(differences)
    return float(2.0 * special.stdtr(len(differences) - 1, -abs(mean) / (spread / np.sqrt(len(differences)))))


def sign_flip_test(differences: Float64[ndarray, " seed"], *, seed: int = 0) -> float:
    """Return the two-sided p-value of the sign-flip permutation test that differences lie evenly about 0.

    Were two arms the same, each difference d_i could as well be −d_i. With signs σ that are tried, all 2^n up to
    sixteen seeds:

        p = share of σ with |Σ σ_i d_i| ≥ |Σ d_i|

    It assumes nothing else, and has a smallest value, 2 / 2^n: 0.0625 for five seeds, 0.031 for six, so that fewer than
    six seeds can never be significant at 0.05 by it.

    Args:
        differences: a number for each seed.
        seed: of the draw of signs, for more than sixteen seeds, where the observed ones count as one of the draws.

    Source: Fisher, The design of experiments (1935), section 21; Phipson and Smyth, Permutation p-values should never
        be zero (2010), for draws.
    """
    count = len(differences)
    # Not a share of the sum itself: where large differences cancel, rounding is larger than any share of what is left.
    observed = abs(differences.sum()) - ROUNDING * np.abs(differences).sum()
    if count <= MOST_COUNTED:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
        return float(np.mean(np.abs(signs @ differences) >= observed))
    signs = 1 - 2 * np.random.default_rng(seed).integers(2, size=(DRAWS, count))
    return float((1 + np.count_nonzero(np.abs(signs @ differences) >= observed)) / (DRAWS + 1))


def equivalence_test(differences: Float64[ndarray, " seed"], *, margin: float) -> float:
    """Return the p-value of two one-sided tests that the mean difference lies beyond a margin on either side.

    With n differences of mean d̄ and standard deviation s, and T of Student's distribution with n − 1 degrees of
    freedom:

        p = max(P(T ≥ (d̄ + margin) / (s / √n)), P(T ≤ (d̄ − margin) / (s / √n)))

    and 1 / 2^n or 1 where all differences are the same, within the margin or not. A small value says that the arms are
    equivalent for all that the margin is about. An absence of evidence does not.

    Args:
        differences: a number for each seed; two at least.
        margin: that is stated beforehand, above 0, in the unit of the differences.

    Source: Schuirmann, A comparison of the two one-sided tests procedure and the power approach (1987).
    """
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    if error <= ROUNDING * margin:
        return 1.0 / 2 ** len(differences) if abs(mean) < margin else 1.0
    freedom = len(differences) - 1
    return float(max(special.stdtr(freedom, -(mean + margin) / error), special.stdtr(freedom, (mean - margin) / error)))
