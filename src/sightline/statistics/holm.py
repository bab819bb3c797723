"""Several tests at once; a file of its own, since every page of a run needs it, and nothing of SciPy with it."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values of several tests, adjusted so that all together err as rarely as one would.

    In ascending order, with m of them:

        p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) · p₍ⱼ₎)

    Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    found = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        found[index] = largest
    return tuple(found)
