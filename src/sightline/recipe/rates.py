"""Usual learning rates of the update rules: plain numbers for `"auto"` and for advice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

REFERENCE_BATCH = 128


@dataclass(frozen=True)
class UsualRate:
    """What is usual for one update rule."""

    value: float
    """Peak rate at a batch of 128 pictures."""
    low: float
    high: float
    """Bounds of the range in which the rule usually works, whatever the batch."""
    scaling: Literal["linear", "root", "none"]
    """How the rate follows the batch: in proportion (Goyal et al. 2017), by the root (Malladi et al. 2022), or not."""


USUAL_RATES = {
    "sgd": UsualRate(0.2, 1e-3, 1.0, "linear"),
    "momentum": UsualRate(0.05, 1e-4, 0.5, "linear"),
    "nesterov": UsualRate(0.05, 1e-4, 0.5, "linear"),
    "rmsprop": UsualRate(1e-3, 1e-5, 1e-2, "root"),
    "adadelta": UsualRate(1.0, 0.1, 10.0, "none"),
    "adam": UsualRate(3e-3, 1e-5, 1e-2, "root"),
    "adamw": UsualRate(3e-3, 1e-5, 1e-2, "root"),
    "muon": UsualRate(0.06, 1e-3, 1.0, "root"),
}


TRANSFERRED = 5.0
"""Of a transfer's rate: how many times the usual one it is. A last layer alone bears larger steps, and a tenth of this
rate, for layers that are trained already, is half of what is usual from random weights."""

HEAD_OF_MUON = 0.1
HEAD_OF_SWIFT, MAPS_OF_SWIFT = 0.085, 256
"""Of the last layer's rate with muon, as published: 0.67 · 2000 / 256² over 0.24, the matrices' own (Jordan 2024)."""


def usual_rate(name: str, batch_size: int, *, transferred: bool = False) -> tuple[float, str]:
    """Return the rate that `"auto"` stands for and the reason, for update rule `name` at `batch_size` pictures a step.

    The average of a larger batch is less noisy and bears a longer step: in proportion for the SGD family, by the square
    root for rules that divide by the gradient's size. Where weights are transferred, `TRANSFERRED` times as much is
    usual. The result never leaves the usual range.
    """
    usual = USUAL_RATES[name]
    ratio = batch_size / REFERENCE_BATCH
    factor = {"linear": ratio, "root": math.sqrt(ratio), "none": 1.0}[usual.scaling]
    if transferred:
        factor *= TRANSFERRED
    value = float(f"{min(max(usual.value * factor, usual.low), usual.high):.3g}")
    at = "any batch size" if usual.scaling == "none" else f"batch {REFERENCE_BATCH}"
    reason = f"usual for {name} at {at}"
    if usual.scaling != "none" and ratio != 1:
        how = "in proportion" if usual.scaling == "linear" else "with the square root"
        reason += f" ({usual.value:g}), scaled {how} to batch {batch_size}"
    if transferred:
        reason += f", times {TRANSFERRED:g} for a new last layer"
    if value in (usual.low, usual.high):
        reason += ", kept in the usual range"
    return value, reason


def usual_head_rate(rule: str, *, last_maps: int | None) -> tuple[float, str]:
    """Return the factor on the last layer's rate that `"auto"` stands for, and the reason.

    A step of rate α along the gradient G of a last layer W changes the scores W h by α ‖h‖² for each unit of the
    scores' own gradient, and ‖h‖² goes with the number M of maps that h has one number of each of. So for swift, which
    was published with 256, factor = 0.085 · 256 / M.

    Args:
        rule: the update rule.
        last_maps: M of a swift; None for other networks.
    """
    if rule != "muon":
        return 1.0, "the rate of all layers"
    if last_maps is None:
        return HEAD_OF_MUON, "usual with muon, whose matrices take long steps"
    value = float(f"{HEAD_OF_SWIFT * MAPS_OF_SWIFT / last_maps:.3g}")
    return value, f"{HEAD_OF_SWIFT} was published for {MAPS_OF_SWIFT} maps, and fewer bear longer steps in proportion"


def usual_range(name: str) -> tuple[float, float]:
    """Return the lowest and highest usual learning rate of update rule `name`."""
    usual = USUAL_RATES[name]
    return usual.low, usual.high
