"""The append-only log of a run: one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sightline.errors import DataError, OutputError
from sightline.training.events import EpochEnd
from sightline.writing import sync_folder


class Log:
    """`events.jsonl` of a run, opened for appending. A line is on its way to the disk when `write` returns.

    Args:
        path: the file.
        listener: told of each line that is written.
    """

    def __init__(self, path: Path, listener: Callable[[Mapping[str, Any]], None] = lambda _: None) -> None:
        self._path, self._listener = path, listener
        try:
            with contextlib.ExitStack() as opened:
                # Without a buffer nothing is left to be written when it is closed.
                self._file = opened.enter_context(path.open("ab", buffering=0))
                sync_folder(path.parent)
                opened.pop_all()
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}). Choose another --out.") from error

    def write(self, kind: str, **values: Any) -> None:
        """Append one event.

        Raises:
            OutputError: the disk is full or failing.
        """
        try:
            event = {"event": kind, **values}
            line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
            left = memoryview(line.encode())
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            says = f"{self._path}: cannot be written ({error.strerror}). Make room and train again."
            raise OutputError(says) from error
        self._listener(event)

    @property
    def size(self) -> int:
        """Bytes written so far, those of earlier processes included."""
        return self._file.tell()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a run's log, which may be cut off in its last line.

    Raises:
        DataError: it cannot be read.
    """
    try:
        whole, _, torn = path.read_bytes().rpartition(b"\n")
        # The last line may end within a letter; only a line feed ends one, whatever a name has in it.
        found = [*whole.decode().split("\n"), torn.decode(errors="replace")]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Wanted the directory of a run.") from error
    for line in found:
        with contextlib.suppress(json.JSONDecodeError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def of_epoch(event: EpochEnd) -> dict[str, Any]:
    """Return what the log says of an epoch."""
    values: dict[str, Any] = {
        "epoch": event.epoch,
        "step": event.step,
        "learning_rate": event.learning_rate,
        "training_loss": event.training_loss,
        "training_accuracy": event.training_accuracy,
        "best": event.best,
    }
    if event.validation is not None:
        values["validation"] = finite(event.validation.as_dict())
    return values


def finite(metrics: dict[str, Any]) -> dict[str, Any]:
    """Replace a loss that JSON cannot hold by None."""
    return {**metrics, "loss": metrics["loss"] if math.isfinite(metrics["loss"]) else None}
