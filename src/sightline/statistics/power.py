"""How many seeds a comparison needs."""

from __future__ import annotations

import numpy as np
from scipy import special

MOST = 10_000


def power(effect: float, seeds: int, *, level: float) -> float:
    """Return the probability that Student's paired test finds an effect that is there.

    With the effect δ = |mean difference| / standard deviation of differences, n seeds, the critical value t of
    Student's distribution with n − 1 degrees of freedom at 1 − level / 2, and F of the noncentral one with the
    parameter δ √n:

        power = 1 − F(t) + F(−t)

    Args:
        effect: δ, in units of the standard deviation of differences, at least 0.
        seeds: n, two at least.
        level: the share of false verdicts that is allowed, in (0, 1).

    Source: Cohen, Statistical power analysis for the behavioral sciences (1988), chapter 2.
    """
    freedom = seeds - 1
    critical = special.stdtrit(freedom, 1.0 - level / 2.0)
    # Far from the parameter, where next to nothing lies, SciPy has no number.
    inside, below = np.nan_to_num(special.nctdtr(freedom, effect * seeds**0.5, (critical, -critical)))
    return float(1.0 - inside + below)


def seeds_needed(effect: float, *, level: float, wanted: float) -> int | None:
    """Return the fewest seeds with which an effect is found with the wanted probability.

    Args:
        effect: in units of the standard deviation of differences, at least 0.
        level: the share of false verdicts that is allowed, in (0, 1).
        wanted: power, in (level, 1).

    Returns:
        The number, or None where it would be more than 10,000.
    """
    low, high = 1, 2
    while power(effect, high, level=level) < wanted:
        if high >= MOST:
            return None
        low, high = high, min(MOST, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle, level=level) >= wanted else (middle, high)
    return high
