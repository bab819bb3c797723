"""All that is known of a training so far, as its log tells it; what findings are functions of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sightline.recipe import Recipe

Line = Mapping[str, Any]
"""One line of the log."""


@dataclass(frozen=True)
class Predicted:
    """What the finished model said of one picture that was held out."""

    side: str
    name: str
    true: str
    predicted: str
    confidence: float
    """Probability of the predicted class."""
    of_class: float
    """Probability of the true one."""


@dataclass
class History:
    """A training, in the order in which it happened."""

    recipe: Recipe
    """As it was resolved."""
    start: Line = field(default_factory=dict)
    probes: list[Line] = field(default_factory=list)
    epochs: list[Line] = field(default_factory=list)
    """All but the last without their confusion matrices, which grow with the square of the number of classes."""
    stages: list[Line] = field(default_factory=list)
    found: list[Line] = field(default_factory=list)
    failure: Line = field(default_factory=dict)
    replanned: Line = field(default_factory=dict)
    """What became of its length last, where a time budget was planned anew."""
    sealed: Line = field(default_factory=dict)
    said: tuple[Predicted, ...] = ()
    """Of the pictures that were held out, once the training has ended."""
    transfer: Line = field(default_factory=dict)
    """What a transfer measured at its end."""

    def add(self, line: Line) -> None:
        """Take the next line of the log."""
        match line.get("event"):
            case "probe":
                self.probes.append(line)
            case "epoch":
                if self.epochs:
                    self.epochs[-1] = _without_confusion(self.epochs[-1])
                self.epochs.append(line)
            case "stage":
                self.stages.append(line)
            case "finding":
                self.found.append(line)
            case "start":
                self.start = line
            case "failure":
                self.failure = line
            case "replanned":
                self.replanned = line
            case "sealed":
                self.sealed = line

    @property
    def classes(self) -> int:
        """How many there are; 0 where the log does not say so yet."""
        return int(self.start.get("classes", 0))

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called; empty where the log does not say so."""
        return tuple(self.start.get("class_names", ()))

    @property
    def step(self) -> int:
        """The last one that the log knows of."""
        last = [each[-1].get("step", 0) for each in (self.probes, self.epochs) if each]
        return int(max([*last, self.failure.get("step", 0)], default=0))

    @property
    def length(self) -> int:
        """Epochs that the training is to have."""
        return int((self.replanned or self.start).get("epochs", 0))

    @property
    def ended(self) -> bool:
        """Whether the last epoch is over."""
        return bool(self.epochs) and (len(self.epochs) >= self.length > 0 or bool(self.sealed))

    def of(self, name: str) -> list[tuple[int, float]]:
        """Return a number of every probe that has it, with its step."""
        return [(int(each["step"]), float(each[name])) for each in self.probes if each.get(name) is not None]

    def of_part(self, kind: str, part: str, name: str) -> list[tuple[int, float]]:
        """Return a number of one layer or activation over the probes, with its step."""
        return [
            (int(probe["step"]), float(each[name]))
            for probe in self.probes
            for each in probe[kind]
            if each["name"] == part and each.get(name) is not None
        ]

    def recent(self, name: str, *, last: int = 3) -> float | None:
        """Return the median of a number over the last probes; None before there are so many."""
        found = [value for _, value in self.of(name)][-last:]
        return median(found) if len(found) == last else None

    def validation(self, name: str) -> list[tuple[int, float]]:
        """Return a metric of the validation pictures by epoch."""
        return [
            (int(each["epoch"]), float(each["validation"][name]))
            for each in self.epochs
            if (each.get("validation") or {}).get(name) is not None
        ]

    def training(self, name: str) -> list[tuple[int, float]]:
        """Return `loss` or `accuracy` of the training pictures by epoch, as seen while the weights changed."""
        return [(int(each["epoch"]), float(each[f"training_{name}"])) for each in self.epochs]


def _without_confusion(epoch: Line) -> Line:
    validation = epoch.get("validation")
    if not validation:
        return epoch
    return {**epoch, "validation": {name: value for name, value in validation.items() if name != "confusion"}}
