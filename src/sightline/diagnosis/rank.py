"""How many directions the units of a layer really use."""

from __future__ import annotations

import torch
from torch import Tensor

HELD = 0.99
"""Share of the variance that the counted directions hold."""
PLACES = 2048
"""Places of maps that are looked at, spread evenly; it is enough for any usual number of units."""


def used_share(units: Tensor) -> float:
    """Return how many directions hold 99 % of the variance of a layer's units, as a share of the units.

    With λ_1 ≥ λ_2 ≥ … the eigenvalues of the covariance of n units over pictures and places:

        min k / min(n, m − 1) such that Σ_{i ≤ k} λ_i ≥ 0.99 · Σ_i λ_i

    where m places were looked at, which have m − 1 directions at most.

    Args:
        units: shape (unit, place).

    Returns:
        0 where nothing varies, 1 where every unit says something that the others do not; not a number where there is
        one place only, or a unit's number is none.

    Source: Raghu, Gilmer, Yosinski and Sohl-Dickstein, SVCCA (NeurIPS 2017), section 2.1, for the 99 %.
    """
    # In float64, where squares of large numbers are finite too, and on the processor, since not every device has it.
    seen = units[:, :: max(1, units.shape[1] // PLACES)].cpu().double()
    if seen.shape[1] < 2 or not torch.isfinite(seen).all():
        return float("nan")
    seen = seen - seen.mean(dim=1, keepdim=True)
    # Both products have the same eigenvalues but for zeros; the smaller is much sooner decomposed.
    product = seen @ seen.T if seen.shape[0] <= seen.shape[1] else seen.T @ seen
    variances = torch.linalg.eigvalsh(product).clamp_min(0.0).flip(0)
    total = variances.sum()
    if total <= 0:
        return 0.0
    held = float((torch.cumsum(variances, 0) < HELD * total).sum() + 1)
    return held / min(seen.shape[0], seen.shape[1] - 1)
