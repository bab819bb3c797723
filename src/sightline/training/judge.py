"""Judging a sealed model on labelled pictures: the same decoding, statistics and metrics as in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import log_softmax

from sightline.data import Pixels, Progress, Refusal, Silent
from sightline.model import Model
from sightline.model.backends import Backend, require
from sightline.model.views import TestTime, check_certain
from sightline.training.calibration import tempered
from sightline.training.hardware import machine
from sightline.training.held_out import Side, held_out
from sightline.training.metrics import Metrics, measure
from sightline.training.numerics import numerics

GATHERED = 256


@dataclass(frozen=True)
class Judgment:
    """A model's metrics on one side of a source."""

    metrics: Metrics
    side: str
    why: str
    """Why this side was looked at."""
    refused: tuple[Refusal, ...]
    plain: Metrics | None = None
    """What it would be without test-time augmentation; None where there was none."""


def judge(
    model: Model,
    source: Any,
    *,
    side: Side = "auto",
    device: str = "auto",
    test_time: TestTime = "none",
    certain: float = 1.0,
    backend: Backend = "exact",
    progress: Progress | None = None,
) -> Judgment:
    """Return how good `model` is on `source`, by its probabilities with their temperature, as `predict` gives them.

    Args:
        model: a sealed model.
        source: as for `train`; its classes must be among the model's, by name.
        side: which pictures count. A picture's side follows from its content, so that pictures the model was trained
            on are known again. `auto`: the test side where the source is what the model was trained on or has a test
            set of its own, otherwise all.
        device: where to compute. auto: the best there is, but the processor for a backend other than exact.
        test_time: judge flipped and moved views of each picture too; the judgment then has both figures.
        certain, backend: as for the model's `predict`.
        progress: told of the long parts.

    Raises:
        DataError: classes that the model does not know, no pictures on that side, or a source that cannot be read.
    """
    check_certain(certain, test_time)
    progress = progress or Silent()
    here = machine("cpu" if device == "auto" and backend != "exact" else device, None)
    require(backend, here.device)
    found = held_out(model, source, side=side, threads=here.threads, progress=progress)
    labels, plain = found.labels, None
    with numerics(threads=here.threads, deterministic=True, device=here.device):
        look = partial(_logs, found.pixels, progress)

        def as_it_is(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
            scores = model.scores(pixels, device=here.device, backend=backend)
            return tempered(log_softmax(scores.double(), dim=1).numpy(), model.temperature)

        def in_views(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
            shares = model.probabilities(
                pixels, device=here.device, test_time=test_time, certain=certain, backend=backend
            )
            return np.asarray(np.log(np.maximum(shares.double().numpy(), np.finfo(np.float32).tiny)))

        logs = look("evaluating", as_it_is)
        if test_time != "none":
            plain = measure(logs, labels)
            logs = look("evaluating views", in_views)
    return Judgment(measure(logs, labels), found.side, found.why, found.refused, plain)


def _logs(
    pixels: Pixels, progress: Progress, what: str, apply: Callable[[NDArray[np.uint8]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return log-probabilities of all pictures, some of them at a time.

    Evenly divided, since what computes them is made ready for a size: a rest would ask for another one.
    """
    found = []
    progress.start(what, len(pixels))
    try:
        for part in np.array_split(np.arange(len(pixels), dtype=np.int64), -(-len(pixels) // GATHERED)):
            found.append(apply(pixels.gather(part)))
            progress.advance(len(part))
    finally:
        progress.finish()
    return np.concatenate(found)
