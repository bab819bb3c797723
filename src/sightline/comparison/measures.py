"""The numbers that arms are compared by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One number of a trial."""

    name: str
    says: str
    """In words."""
    unit: str
    """Of what is shown; empty for a plain number."""
    factor: float
    """From what a trial has to what is shown."""
    higher_is_better: bool
    of: Callable[[Mapping[str, Any], str], float | None]
    """From a trial's result and a side."""


def _on_side(name: str) -> Callable[[Mapping[str, Any], str], float | None]:
    return lambda result, side: result["sides"].get(side, {}).get(name)


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("accuracy", "accuracy", "points", 100.0, True, _on_side("accuracy")),
        Measure("balanced_accuracy", "balanced accuracy", "points", 100.0, True, _on_side("balanced_accuracy")),
        Measure("worst_class", "recall of the worst class", "points", 100.0, True, _on_side("worst_class")),
        Measure("loss", "loss", "", 1.0, False, _on_side("loss")),
        Measure("calibration", "expected calibration error", "points", 100.0, False, _on_side("calibration")),
        Measure("seconds", "seconds of training", "s", 1.0, False, lambda result, _: result["seconds"]),
    )
}
