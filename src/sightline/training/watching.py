"""What a session's diagnosis looks at: a few of its training pictures, always the same, as they are judged."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.diagnosis import Finding, History, Watch
from sightline.diagnosis.probe import Forward, LossFunction, Probe
from sightline.errors import DataError
from sightline.keys import purpose
from sightline.recipe import read_recipe
from sightline.training import directory
from sightline.training.events import Found, StepEnd
from sightline.training.log import Log, finite, lines
from sightline.training.metrics import Metrics
from sightline.training.predictions import read_list
from sightline.training.prepare import Prepared

if TYPE_CHECKING:
    from sightline.training.session import Session

Judge = Callable[[NDArray[np.int64]], Metrics]
"""Metrics on some pictures."""
MOST = 32
"""Pictures of a probe, an even number; never more than a step takes at once, so that memory is enough."""
SAMPLE = 512
"""Training pictures that are judged once more at the end, as held-out ones are."""


class Observer:
    """What watches a session, or does nothing where the recipe wants no diagnosis.

    Args:
        watch: None for no diagnosis.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch
        self.ending: tuple[Finding, ...] = ()
        """What was found at the end alone; the rest came as events."""

    def log(self, path: Path) -> Log:
        """Open a run's log, to which the watch listens."""
        log = path / directory.EVENTS
        if self.watch is None:
            return Log(log)
        if not self.watch.history.start:
            # Only now: a run that goes on has its log cut back to its checkpoint once it is put together.
            read_log(self.watch.history, path)
        return Log(log, self.watch.history.add)

    def before(self, step: int, *, probed: bool) -> None:
        """Look at the network before a step, where that is due; the very first is looked at in every stage."""
        if self.watch is not None and (probed or step == 1):
            self.watch.before(step)

    def after(self, event: StepEnd, log: Log) -> list[Found]:
        """Write what a probe saw of a step that was taken, and return what that says of the training."""
        seen = None if self.watch is None else self.watch.after(event.step, event.learning_rate)
        if seen is None:
            return []
        log.write("probe", epoch=event.epoch, step=event.step, **seen)
        return self.found(log)

    def found(self, log: Log) -> list[Found]:
        """Return what is newly found, once it is in the log."""
        found = [] if self.watch is None else list(self.watch.found())
        for finding in found:
            log.write("finding", **finding.as_dict())
        return [Found(finding) for finding in found]

    def learned(self, prepared: Prepared, judge: Judge) -> dict[str, dict[str, Any]]:
        """Return how good the sealed weights are on some training pictures, judged as held-out ones are.

        Nothing without diagnosis.
        """
        return {} if self.watch is None else {"training": finite(judge(sample(prepared)).brief())}

    def end(self, path: Path, log: Log) -> None:
        """See what is found once everything was judged."""
        if self.watch is not None:
            read_ending(self.watch.history, path)
            self.ending = tuple(each.finding for each in self.found(log))


def watch_of(session: Session, forward: Forward, loss: LossFunction) -> Watch:
    """Return what watches a training.

    Args:
        session: before its first step, or where it goes on.
        forward: its network in the precision that it is trained in, not compiled.
        loss: as its steps make it small.
    """
    prepared = session.prepared

    def probe() -> Probe:
        records = _drawn(prepared, min(MOST, session.at_once))
        labels = torch.from_numpy(prepared.catalogue.labels[records].astype(np.int64)).to(session.feed.device)
        return Probe(session.state.network, forward, loss, session.shown(records), labels)

    history = History(session.recipe)
    steps = sum(stage.course.planned_steps for stage in session.stages)
    return Watch(history, probe, steps=steps)


def sample(prepared: Prepared) -> NDArray[np.int64]:
    """Return training pictures to be judged once more at the end, without augmentation and dropout."""
    return _drawn(prepared, SAMPLE)


def history_of(path: Path) -> History:
    """Return all that a run's files tell of its training, finished, broken off or still going on.

    Raises:
        DataError: `path` is no run, or its files cannot be read.
    """
    history = History(read_recipe(directory.required(path) / directory.RECIPE))
    read_log(history, path)
    if history.sealed:
        read_ending(history, path)
    return history


def read_log(history: History, path: Path) -> None:
    """Add what a run's log says so far; nothing where there is none yet."""
    log = path / directory.EVENTS
    for line in lines(log) if log.is_file() else ():
        history.add(line)


def read_ending(history: History, path: Path) -> None:
    """Add what a finished run says of each held-out picture, and what a transfer measured.

    Raises:
        DataError: these files are altered.
    """
    try:
        history.said = tuple(read_list(path / directory.PREDICTIONS))
        if (path / directory.TRANSFER).is_file():
            history.transfer = json.loads((path / directory.TRANSFER).read_text(encoding="utf-8"))
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path}: {directory.PREDICTIONS} or {directory.TRANSFER} is not what the training wrote ({error}). Remove "
            "it for a diagnosis without it."
        ) from error


def _drawn(prepared: Prepared, most: int) -> NDArray[np.int64]:
    """Return training pictures by chance, in the catalogue's order, which the seed and their content decide."""
    train = prepared.split.train
    stream = purpose(prepared.resolved.recipe.training.seed, "probe")
    order = stream.permutation(prepared.catalogue.keys[train])
    found: NDArray[np.int64] = np.sort(train[order[:most]])
    return found
