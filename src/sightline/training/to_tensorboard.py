"""A run's numbers as TensorBoard's event files, in the folder `tensorboard` of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.recipe import Recipe
from sightline.recipe.flat import flat, plain
from sightline.training import directory

if TYPE_CHECKING:
    from sightline.training.tracking import Outcome, Told

HPARAMS = "_hparams_/session_start_info"
SHOWN = ("validation/loss", "validation/accuracy")
"""Metrics beside the parameters in TensorBoard's table."""


class ToTensorBoard:
    """Adds to the event files what they do not have yet, a step for each epoch.

    Event files are only ever added to. What an earlier process wrote of epochs that come again is declared void by a
    new file's start (`purge_step`), which TensorBoard heeds.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self._folder = path / directory.TENSORBOARD
        self._recipe = recipe
        self._writer: Any = None
        self._has: dict[str, dict[int, float]] = {}
        """Of each name, the values by step."""

    def feed(self, told: Told) -> None:
        """Write the epochs that are missing, and the sealed weights' numbers once they are known."""
        if self._writer is None:
            self._begin(told)
        for epoch, numbers in told.epochs.items():
            self._add(numbers, epoch)
        self._add(told.sealed, told.best_epoch)
        self._writer.flush()

    def end(self, outcome: Outcome) -> None:
        """Say in the table of parameters that the training has ended, where it came to its end."""
        if outcome == "finished":
            self._writer.file_writer.add_summary(self._parameters()[2])
        self._writer.close()

    def _begin(self, told: Told) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._has, described = _written(self._folder)
        steps = {step for name, values in self._has.items() if not name.startswith("sealed/") for step in values}
        void = [step for step in sorted(steps) if not self._agrees(told.epochs.get(step), step)]
        first = min(void, default=1 + max(steps, default=0))
        self._writer = SummaryWriter(str(self._folder), purge_step=first)
        self._has = {
            name: {step: value for step, value in values.items() if step < first} for name, values in self._has.items()
        }
        if not described:
            for summary in self._parameters()[:2]:
                self._writer.file_writer.add_summary(summary)

    def _agrees(self, numbers: Mapping[str, float] | None, step: int) -> bool:
        """Return whether all that was written of an epoch is what the log says of it."""
        written = {name: values[step] for name, values in self._has.items() if step in values}
        written = {name: value for name, value in written.items() if not name.startswith("sealed/")}
        return numbers is not None and all(_same(numbers.get(name), value) for name, value in written.items())

    def _add(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            has = self._has.setdefault(name, {})
            if not _same(has.get(step), value):
                self._writer.add_scalar(name, value, step)
                has[step] = value

    def _parameters(self) -> Any:
        from torch.utils.tensorboard.summary import hparams

        fields = {field: _typed(plain(text)) for field, text in flat(self._recipe).items()}
        return hparams(fields, dict.fromkeys(SHOWN, 0.0))  # type: ignore[no-untyped-call]


def _written(folder: Path) -> tuple[dict[str, dict[int, float]], bool]:
    """Return what the folder's event files have of each name by step, and whether they have the parameters."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not any(folder.glob("events.out.tfevents.*")):
        return {}, False
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    names = found.Tags()["scalars"]
    has = {name: {event.step: event.value for event in found.Scalars(name)} for name in names}
    return has, HPARAMS in found.summary_metadata


def _same(one: float | None, other: float) -> bool:
    # The files have single precision.
    return one is not None and bool(np.float32(one) == np.float32(other))


def _typed(text: str) -> str | float | bool:
    """Return a number as such, which the table of parameters sorts and filters by."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
