"""A stage of a training: what is trained, on what, how fast and how long. Training from scratch has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch.optim import Optimizer

from sightline.training.course import Course
from sightline.training.events import StageStart
from sightline.training.metrics import Metrics
from sightline.training.state import State
from sightline.training.step import Shard, Step


class Batches(Protocol):
    """What gives the batches of an epoch."""

    def epoch(self, epoch: int, order: Sequence[NDArray[np.int64]]) -> Iterator[Sequence[Shard]]:
        """Yield the shards of each batch, in order."""
        ...


@dataclass(frozen=True)
class Stage:
    """One stage over a network that all stages share."""

    course: Course
    learning_rate: float
    """At the peak of the schedule."""
    begin: Callable[[], Optimizer]
    """Says which parameters are trained, and returns the optimizer for them in a clean state."""
    feed: Batches
    step: Step
    mode: Callable[[int], None]
    """Puts the network into the mode of training for an epoch of the stage, counted from 1."""
    judge: Callable[[NDArray[np.int64]], Metrics] | None = None
    """Metrics on pictures, the network in the mode of evaluation; None: from their pixels, as at the end."""
    ready: Callable[[State], None] = lambda _: None
    """Does what takes long before the stage's first step in this process."""
    probed: bool = True
    """Whether probes look at the network after its first step; among steps on cached features they would be most of the
    work."""
    about: StageStart | None = None
    """What is told when the stage begins; None where there is only one."""
