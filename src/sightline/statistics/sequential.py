"""Looking at results while they come in, without erring more often for it."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import optimize, special

NODES = 240
"""Of the quadrature over where a path that goes on may stand."""
FARTHEST = 12.0
"""Standard deviations beyond which no boundary is looked for."""


def spent(information: float, *, level: float) -> float:
    """Return how much of the allowed error may be spent by a share of all information.

    With the share t of the seeds that are there, and Φ the normal distribution:

        α(t) = 4 − 4 Φ(Φ⁻¹(1 − level / 4) / √t)

    half of it on either side. Next to nothing is spent early, so that the last look costs little more than a single one
    would: about what O'Brien and Fleming's boundaries spend.

    Args:
        information: t in (0, 1].
        level: the error in all.

    Source: Lan and DeMets, Discrete sequential boundaries for clinical trials (Biometrika 1983).
    """
    return float(4.0 * special.ndtr(-special.ndtri(1.0 - level / 4.0) / np.sqrt(information)))


@cache
def nominal_levels(looks: tuple[int, ...], *, level: float) -> tuple[float, ...]:
    """Return the two-sided p-value that is to be undercut at each look, so that all together err no more than `level`.

    Of a path of normally distributed sums S(t) with independent steps, the boundary b_k at look k is where

        P(|S(t_j)| < b_j for all j < k and |S(t_k)| ≥ b_k) = α(t_k) − α(t_{k−1})

    found one after the other by integrating over where the path stands that has not stopped; the nominal level is
    2 − 2 Φ(b_k / √t_k). It is applied to the p-values of Student's test, which makes up for the unknown variance.

    Args:
        looks: how many seeds there are at each, ascending; the last has all of them.
        level: the error in all, in (0, 1).

    Source: Armitage, McPherson and Rowe, Repeated significance tests on accumulating data (1969), for the integration;
        Jennison and Turnbull, Group sequential methods (2000), section 4.4, for applying the levels to Student's test.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    times = np.asarray(looks, np.float64) / looks[-1]
    found, before = [], 0.0
    places, density = np.zeros(1), np.ones(1)  # the path begins at 0
    for time, earlier in zip(times, (0.0, *times[:-1]), strict=True):
        step = np.sqrt(time - earlier)
        allowed = spent(time, level=level) - before
        before += allowed

        most = FARTHEST * np.sqrt(time)
        given = (places, density, step, allowed)
        inside = _beyond(most, *given) < 0.0 < _beyond(0.0, *given)
        boundary = optimize.brentq(_beyond, 0.0, most, args=given, xtol=1e-10) if inside else most
        found.append(float(2.0 * special.ndtr(-boundary / np.sqrt(time))))
        ahead = boundary * nodes
        moved = np.exp(-0.5 * ((ahead[:, None] - places) / step) ** 2) / (step * np.sqrt(2.0 * np.pi))
        places, density = ahead, (moved @ density) * boundary * weights
    return tuple(found)


def _beyond(
    boundary: float, places: Float64[ndarray, " node"], density: Float64[ndarray, " node"], step: float, allowed: float
) -> float:
    """Return by how much the probability to leave with the next step is above what is allowed."""
    out = special.ndtr((places - boundary) / step) + special.ndtr((-places - boundary) / step)
    return float(density @ out - allowed)
