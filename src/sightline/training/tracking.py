"""What the log of a training says goes to other tools too, whichever `training.tracking` names.

A tracker is fed from the run's log and writes what its tool does not have yet. So a training that goes on leaves no
epoch out and none twice, and a tool that was away for some epochs has them all in the end.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from sightline.errors import MissingLibraryError
from sightline.recipe import Recipe
from sightline.training import directory, to_mlflow, to_tensorboard

Outcome = Literal["finished", "failed", "stopped"]
OPEN: Mapping[str, Callable[[Path, Recipe], Tracker]] = {
    "tensorboard": to_tensorboard.ToTensorBoard,
    "mlflow": to_mlflow.ToMLflow,
}
NEEDS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "tensorboard": lambda: ("tensorboard", "torch.utils.tensorboard"),
    "mlflow": to_mlflow.needs,
}


@dataclass
class Told:
    """What the log has said so far, as numbers by name."""

    epochs: dict[int, Mapping[str, float]] = field(default_factory=dict)
    sealed: Mapping[str, float] = field(default_factory=dict)
    """Of the sealed weights; empty until they were judged."""
    best_epoch: int = 0


class Tracker(Protocol):
    """One of the tools. Anything may fail in it."""

    def feed(self, told: Told) -> None:
        """Write what the tool does not have yet."""

    def end(self, outcome: Outcome) -> None:
        """Say how the training ended, and let go of the tool."""


def require(recipe: Recipe) -> None:
    """Raise MissingLibraryError where a tool that the recipe names is not installed.

    It is asked before a training begins: what was chosen is not left out.
    """
    for name in recipe.training.tracking:
        try:
            with _quiet():
                for module in NEEDS[name]():
                    import_module(module)
        except Exception as error:
            raise MissingLibraryError(
                f'training.tracking: found "{name}", which cannot be imported here ({_first_line(error)}). Install it: '
                f'pip install "sightline[{name}]", or leave it out.'
            ) from error


def warn_by_logging(says: str) -> None:
    """Show a warning where nobody else shows it; unlike one of `warnings`, it can never end a training."""
    logging.getLogger("sightline").warning(says)


class Tracking:
    """The tools that one run is followed by. Whatever happens to them, the training goes on.

    Args:
        path: the run's directory.
        recipe: resolved.
        warn: told once of each tool that fails.
    """

    def __init__(self, path: Path, recipe: Recipe, *, warn: Callable[[str], None]) -> None:
        self._path, self._recipe, self._warn = path, recipe, warn
        self._open: dict[str, Tracker] = {}
        self._failed: set[str] = set()
        self._told, self._read = Told(), 0

    def update(self) -> None:
        """Have the tools write what is new in the log."""
        self._each(lambda tracker: tracker.feed(self._told), without=frozenset(self._failed))

    def end(self, outcome: Outcome) -> None:
        """Have the tools write what is left. One that has failed is tried once more: it may be back."""

        def last(tracker: Tracker) -> None:
            tracker.feed(self._told)
            tracker.end(outcome)

        self._each(last, without=frozenset())

    def _each(self, do: Callable[[Tracker], None], *, without: frozenset[str]) -> None:
        names = [name for name in self._recipe.training.tracking if name not in without]
        if not names:
            return
        self._read = read_on(self._path / directory.EVENTS, self._read, self._told)
        for name in names:
            try:
                with _quiet():
                    if name not in self._open:
                        self._open[name] = OPEN[name](self._path, self._recipe)
                    do(self._open[name])
            except Exception as error:  # a full disk, a server that is gone, a fault of the tool's own
                self._open.pop(name, None)
                if name not in self._failed:
                    self._failed.add(name)
                    self._warn(
                        f"{name} cannot be written to ({_first_line(error)}); the training goes on without it, and it "
                        "is tried once more at the end."
                    )


def read_on(log: Path, start: int, told: Told) -> int:
    """Add to `told` what the log has from a byte on, and return the byte after its last whole line."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            text = file.read()
    except OSError:
        return start
    whole = text[: text.rfind(b"\n") + 1]
    for line in whole.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        match event:
            case {"event": "epoch", "epoch": int(epoch)}:
                told.epochs[epoch] = of_epoch(event)
            case {"event": "sealed"}:
                told.best_epoch = int(event.get("best_epoch", 0))
                told.sealed = of_sealed(event)
    return start + len(whole)


def of_epoch(event: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an epoch by the names that the tools show."""
    validation = event.get("validation") or {}
    found = {
        "training/loss": event.get("training_loss"),
        "training/accuracy": event.get("training_accuracy"),
        "validation/loss": validation.get("loss"),
        "validation/accuracy": validation.get("accuracy"),
        "learning_rate": event.get("learning_rate"),
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def of_sealed(event: Mapping[str, Any]) -> dict[str, float]:
    """Return the single numbers of the sealed weights, such as `sealed/test/accuracy`."""
    return {
        f"sealed/{side}/{name}": float(value)
        for side in ("validation", "test")
        for name, value in (event.get(side) or {}).items()
        if isinstance(value, int | float)
    }


class _quiet(warnings.catch_warnings):  # noqa: N801 - used as the function that it is
    """Other libraries' warnings say nothing of the training."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")


def _first_line(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
