"""What a run's directory tells of its training: numbers and names, read and not computed anew."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import model, transfer_learning
from sightline.diagnosis import Finding, Predicted, diagnose, passed
from sightline.errors import DataError, SightlineError
from sightline.recipe import Recipe
from sightline.report import cost, predicted
from sightline.report.cost import Cost
from sightline.report.predicted import Shown
from sightline.statistics.counted import wilson
from sightline.statistics.interval import Interval
from sightline.training import directory
from sightline.training.watching import history_of

SIDES = ("train", "validation", "test", "unused")
JUDGED = ("test", "validation")
DRAWINGS = (directory.SHEET, directory.TRANSFER_PLOT)


@dataclass(frozen=True)
class Judged:
    """Metrics of the sealed weights on one side of the split."""

    side: str
    values: Mapping[str, Any]
    """As the log has them."""

    @property
    def images(self) -> int:
        """Pictures judged."""
        return int(self.values["images"])

    @property
    def accuracy(self) -> float:
        """Share of pictures that are right."""
        return float(self.values["accuracy"])

    @property
    def interval(self) -> Interval:
        """Of the accuracy."""
        return wilson(int(self.confusion.trace()), self.images)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Row: true class; column: predicted class."""
        return np.array(self.values["confusion"], np.int64)


@dataclass(frozen=True)
class Story:
    """A run as its files tell it. Whatever came to no end, or was never begun, is empty."""

    path: Path
    class_names: tuple[str, ...]
    source: str
    """What the pictures are called."""
    recipe: Recipe
    reasons: Mapping[str, str]
    """Dotted field to why it was chosen; empty where no model is there that would tell."""
    counts: Mapping[str, Mapping[str, int]]
    """Class to side to pictures."""
    refused: tuple[tuple[str, str], ...]
    """File and reason."""
    epochs: tuple[Mapping[str, Any], ...]
    planned: int
    """Epochs that the training is to have; 0 where it has not begun."""
    under_way: bool
    """Whether a process is at work in a run that is not finished."""
    judged: tuple[Judged, ...]
    """Test before validation, as far as there are such pictures; empty where the run was not finished."""
    predicted: tuple[Predicted, ...]
    """Of each picture that was held out; test before validation."""
    pictures: Mapping[str, tuple[Shown, ...]]
    """The most remarkable, by kind."""
    filters: NDArray[np.float32] | None
    """Of the first convolution, shape (filter, channel, height, width); None where they are of a single weight."""
    drawings: Mapping[str, bytes]
    """The run's own pictures by their names, PNG."""
    transfer: Mapping[str, Any]
    """What a transfer measured; empty where there was none."""
    sealed: Mapping[str, Any]
    """The log's last word."""
    failure: str
    """Why the training failed; empty where it did not."""
    versions: Mapping[str, str]
    data_digest: str
    findings: tuple[Finding, ...]
    """What is wrong with the training, the gravest first."""
    passed: tuple[Finding, ...]
    """What was found on the way, and does not hold any more."""
    cost: Cost
    parameters: int
    """Numbers of the network that are trained; 0 where there is no model."""
    model_bytes: int
    """Of the model's file; 0 where there is none."""

    @property
    def finished(self) -> bool:
        """Whether the training came to its end and its model was judged."""
        return bool(self.sealed)


def read(path: Path) -> Story:
    """Return what a run tells.

    Raises:
        DataError: `path` is no run, or its files cannot be read.
    """
    history = history_of(path)
    sealed = history.sealed
    made = _model(path)
    described = made.description if made is not None else None
    counts = _counts(path / directory.CATALOGUE)
    return Story(
        path=path,
        class_names=described.class_names if described else tuple(counts),
        source=described.source if described else path.name,
        recipe=history.recipe,
        reasons=described.reasons if described else {},
        counts=counts,
        refused=tuple((row["name"], row["reason"]) for row in rows(path / directory.REFUSED)),
        epochs=tuple(history.epochs),
        planned=history.length,
        under_way=not sealed and directory.at_work(path),
        judged=tuple(Judged(side, sealed[side]) for side in JUDGED if side in sealed),
        predicted=history.said,
        pictures=predicted.read(path, history.said) if sealed else {},
        filters=_filters(made),
        drawings={name: found for name in DRAWINGS if (found := _bytes(path / name))},
        transfer=history.transfer,
        sealed=sealed,
        failure="" if sealed else str(history.failure.get("says", "")),
        versions=described.versions if described else {},
        data_digest=described.data_digest if described else "",
        findings=diagnose(history),
        passed=passed(history),
        cost=cost.read(path),
        parameters=made.parameters if made is not None else 0,
        model_bytes=(path / directory.MODEL).stat().st_size if made is not None else 0,
    )


def _model(path: Path) -> model.Model | None:
    try:
        return model.load(path / directory.MODEL)
    except SightlineError:  # a run that was cut off before its first model
        return None


def _filters(sealed: model.Model | None) -> NDArray[np.float32] | None:
    found = None if sealed is None else transfer_learning.first_convolution(sealed.weights)
    return None if found is None or found.shape[2] * found.shape[3] == 1 else found.astype(np.float32)


def rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of one of a run's lists by column; none where there is no such list.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}). Wanted the list that the training wrote.") from error


def _counts(path: Path) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in rows(path):
        found.setdefault(row["class"], Counter())[row["side"]] += 1
    return {name: found[name] for name in sorted(found)}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # a run has them where there was something to draw
        return b""
