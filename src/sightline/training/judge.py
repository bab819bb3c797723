"""Judging a sealed model on labelled pictures: the same decoding, statistics and metrics as in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import log_softmax

from sightline.data import Pixels, Progress, Refusal, Silent
from sightline.model import Model
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
    progress: Progress | None = None,
) -> Judgment:
    """Return how good `model` is on `source`, by its probabilities with their temperature, as `predict` gives them.

    Args:
        model: a sealed model.
        source: as for `train`; its classes must be among the model's, by name.
        side: which pictures count. A picture's side follows from its content, so that pictures the model was trained
            on are known again. `auto`: the test side where the source is what the model was trained on or has a test
            set of its own, otherwise all.
        device: where to compute.
        test_time: judge flipped and moved views of each picture too; the judgment then has both figures.
        certain: as for the model's `predict`.
        progress: told of the long parts.

    Raises:
        DataError: classes that the model does not know, no pictures on that side, or a source that cannot be read.
    """
    check_certain(certain, test_time)
    progress = progress or Silent()
    here = machine(device, None)
    found = held_out(model, source, side=side, threads=here.threads, progress=progress)
    labels, plain = found.labels, None
    with numerics(threads=here.threads, deterministic=True, device=here.device):
        logs = np.concatenate(list(_log_probabilities(model, found.pixels, progress, here.device)))
        if test_time != "none":
            plain = measure(logs, labels)
            logs = np.concatenate(list(_log_of_means(model, found.pixels, progress, here.device, test_time, certain)))
    return Judgment(measure(logs, labels), found.side, found.why, found.refused, plain)


def _log_probabilities(model: Model, pixels: Pixels, progress: Progress, device: str) -> Iterator[NDArray[np.float64]]:
    progress.start("evaluating", len(pixels))
    try:
        for start in range(0, len(pixels), GATHERED):
            part = np.arange(start, min(start + GATHERED, len(pixels)), dtype=np.int64)
            logits = model.scores(pixels.gather(part), device=device)
            yield tempered(log_softmax(logits.double(), dim=1).numpy(), model.temperature)
            progress.advance(len(part))
    finally:
        progress.finish()


def _log_of_means(
    model: Model, pixels: Pixels, progress: Progress, device: str, test_time: TestTime, certain: float
) -> Iterator[NDArray[np.float64]]:
    progress.start("evaluating views", len(pixels))
    try:
        for start in range(0, len(pixels), GATHERED):
            part = np.arange(start, min(start + GATHERED, len(pixels)), dtype=np.int64)
            found = model.probabilities(pixels.gather(part), device=device, test_time=test_time, certain=certain)
            yield np.log(np.maximum(found.double().numpy(), np.finfo(np.float32).tiny))
            progress.advance(len(part))
    finally:
        progress.finish()
