"""Judging a sealed model on labelled pictures: the same decoding, statistics and metrics as in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import log_softmax

from sightline import data
from sightline.data import Catalogue, Pixels, Progress, Refusal, Silent
from sightline.data.source import TEST
from sightline.errors import DataError
from sightline.model import Model
from sightline.model.views import TestTime
from sightline.training.hardware import machine
from sightline.training.metrics import Metrics, measure
from sightline.training.numerics import numerics

Side = Literal["auto", "train", "validation", "test", "all"]

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
    progress: Progress | None = None,
) -> Judgment:
    """Return how good `model` is on `source`.

    Args:
        model: a sealed model.
        source: as for `train`; its classes must be among the model's, by name.
        side: which pictures count. A picture's side follows from its content, so that pictures the model was trained
            on are known again. `auto`: the test side where the source is what the model was trained on or has a test
            set of its own, otherwise all.
        device: where to compute.
        test_time: judge flipped and moved views of each picture too; the judgment then has both figures.
        progress: told of the long parts.

    Raises:
        DataError: classes that the model does not know, no pictures on that side, or a source that cannot be read.
    """
    progress = progress or Silent()
    here = machine(device, None)
    recipe = model.recipe
    limits = data.Limits(recipe.data.max_pixels, recipe.data.max_bytes, recipe.data.max_seconds)
    data.require_decoder(model.description.inputs.decoder)
    catalogue = data.build_catalogue(
        data.open_source(source, progress=progress),
        limits=limits,
        threads=here.threads,
        progress=progress,
        max_refused_fraction=recipe.data.max_refused,
        minimum_classes=1,
    )
    to_model = _classes(catalogue, model)
    chosen, why = _choose(catalogue, model, side)
    records = _records(catalogue, model, chosen)
    rules = model.description.inputs
    stored = data.store_pixels(
        catalogue.take(records),
        size=rules.image_size,
        channels=rules.channels,
        resize=rules.resize,
        padding_value=rules.padding_value,
        decoder=rules.decoder,
        limits=limits,
        threads=here.threads,
        progress=progress,
    )
    undecoded = stored.refused
    judged = catalogue.take(records).without([u.position for u in undecoded], [u.reason for u in undecoded])
    refused_share = len(judged.refused) / (len(judged) + len(judged.refused))
    if not len(judged) or refused_share > recipe.data.max_refused:
        raise DataError(
            f"{catalogue.source.name}: {len(judged.refused):,} pictures cannot be judged ({refused_share:.0%}), over "
            f"{recipe.data.max_refused:.0%}. First: {judged.refused[0]}. Mend or remove them."
        )
    labels, plain = to_model[judged.labels], None
    with numerics(threads=here.threads, deterministic=True, device=here.device):
        logs = np.concatenate(list(_log_probabilities(model, stored.pixels, progress, here.device)))
        if test_time != "none":
            plain = measure(logs, labels)
            logs = np.concatenate(list(_log_of_means(model, stored.pixels, progress, here.device, test_time)))
    return Judgment(measure(logs, labels), chosen, why, judged.refused, plain)


def _classes(catalogue: Catalogue, model: Model) -> NDArray[np.int64]:
    """Return the model's class for each class of the source."""
    known = {name: position for position, name in enumerate(model.class_names)}
    unknown = [name for name in catalogue.class_names if name not in known]
    if unknown:
        raise DataError(
            f"{catalogue.source.name}: found the classes {', '.join(unknown[:5])}, which the model does not know; "
            f"wanted classes among {', '.join(model.class_names[:10])}. Rename the folders or labels."
        )
    return np.array([known[name] for name in catalogue.class_names], dtype=np.int64)


def _choose(catalogue: Catalogue, model: Model, side: Side) -> tuple[str, str]:
    if side != "auto":
        return side, "as asked"
    same_pictures = catalogue.digest == model.description.data_digest
    if same_pictures or catalogue.source.name == model.description.source:
        held_out = "test" if model.recipe.data.test_fraction > 0 or (catalogue.subsets == TEST).any() else "validation"
        return held_out, "the model was trained on this source, so only what was held out counts"
    if (catalogue.subsets == TEST).any():
        return "test", "the source has a test set of its own"
    return "all", "the source is another one than the model was trained on"


def _records(catalogue: Catalogue, model: Model, side: str) -> NDArray[np.int64]:
    if side == "all":
        return np.arange(len(catalogue), dtype=np.int64)
    chosen = model.recipe.data
    split = data.split(
        catalogue,
        seed=chosen.seed,
        validation_fraction=chosen.validation_fraction,
        test_fraction=chosen.test_fraction,
    )
    records: NDArray[np.int64] = np.sort(getattr(split, side))
    if not len(records):
        raise DataError(f"{catalogue.source.name}: no pictures are on the {side} side. Try --side all.")
    return records


def _log_probabilities(model: Model, pixels: Pixels, progress: Progress, device: str) -> Iterator[NDArray[np.float64]]:
    progress.start("evaluating", len(pixels))
    try:
        for start in range(0, len(pixels), GATHERED):
            part = np.arange(start, min(start + GATHERED, len(pixels)), dtype=np.int64)
            logits = model.scores(pixels.gather(part), device=device)
            yield log_softmax(logits.double(), dim=1).numpy()
            progress.advance(len(part))
    finally:
        progress.finish()


def _log_of_means(
    model: Model, pixels: Pixels, progress: Progress, device: str, test_time: TestTime
) -> Iterator[NDArray[np.float64]]:
    progress.start("evaluating views", len(pixels))
    try:
        for start in range(0, len(pixels), GATHERED):
            part = np.arange(start, min(start + GATHERED, len(pixels)), dtype=np.int64)
            means = model.probabilities(pixels.gather(part), device=device, test_time=test_time).double().numpy()
            yield np.log(np.maximum(means, np.finfo(np.float32).tiny))
            progress.advance(len(part))
    finally:
        progress.finish()
