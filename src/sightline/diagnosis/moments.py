"""When a training is probed, and how its numbers are written down."""

from __future__ import annotations

import math

EARLY = 4
"""The first probes are at steps 1, 4, 16 and 64: most that goes wrong does so at once."""
EVERY = 200
"""Steps between two probes afterwards, where a training has no more than `MOST` times as many."""
MOST = 50
DIGITS = 5
"""Significant digits in the log: enough for every rule, and short."""


def probed(step: int, steps: int) -> bool:
    """Return whether a step is probed.

    With n_t the steps of a whole training, those are the powers of 4 below 200, and every multiple of

        max(200, ⌈n_t / 50⌉)

    so that probes, which cost up to two steps each, stay about a hundredth of a training of some hundred steps or more.

    Args:
        step: 1 for the first.
        steps: of the whole training.
    """
    if step < EVERY:
        return bool(step == EARLY ** round(math.log(step, EARLY)))
    return not step % max(EVERY, -(-steps // MOST))


def rounded(number: float) -> float | None:
    """Return a number as it stands in the log; None for what JSON cannot hold."""
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None
