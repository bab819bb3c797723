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
    whole_by: str = ""
    """A measure of which an arm must have a number from each trial to be judged by this one: a trial that lacks it did
    worse than any number says, and the others would stand for all. Empty where what is lacking says nothing."""


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


def measures(reach: float | None = None) -> dict[str, Measure]:
    """Return the numbers that arms are compared by, by name.

    Args:
        reach: an accuracy on the validation pictures, 0 to 1; how soon it is reached is then compared as well. A
            training that does not reach it has no such number.
    """
    if reach is None:
        return MEASURES
    text = f"until {100 * reach:g} % of the validation pictures are right"
    return MEASURES | {
        measure.name: measure
        for measure in (
            Measure("epochs_to", f"epochs {text}", "", 1.0, False, _until(reach, lambda _: 1.0), whole_by="epochs_to"),
            Measure(
                "seconds_to",
                f"seconds {text}",
                "s",
                1.0,
                False,
                _until(reach, lambda epoch: epoch["seconds"]),
                whole_by="epochs_to",
            ),
        )
    }


def _until(
    reach: float, cost: Callable[[Mapping[str, Any]], float | None]
) -> Callable[[Mapping[str, Any], str], float | None]:
    """Return what adds the costs of the epochs up to the first whose validation accuracy is as high."""

    def of(result: Mapping[str, Any], _side: str) -> float | None:
        spent = 0.0
        for epoch in result["curve"]:
            if (costs := cost(epoch)) is None:
                return None
            spent += costs
            if epoch["accuracy"] is not None and epoch["accuracy"] >= reach:
                return spent
        return None

    return of
