"""Labelled pictures that a sealed model can be judged on: decoded as in its training, without those it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline import data
from sightline.data import Catalogue, Pixels, Progress, Refusal
from sightline.data.source import TEST
from sightline.errors import DataError
from sightline.model import Model

Side = Literal["auto", "train", "validation", "test", "all"]


@dataclass(frozen=True)
class HeldOut:
    """Labelled pictures that a model is judged on."""

    pixels: Pixels
    labels: NDArray[np.int64]
    """Positions in the model's class names."""
    side: str
    why: str
    refused: tuple[Refusal, ...]


def held_out(model: Model, source: Any, *, side: Side, threads: int, progress: Progress) -> HeldOut:
    """Return pictures of a source as a model sees them, with the model's number of their class.

    Args:
        model, source, side: as for `judge`.
        threads: to decode with.
        progress: told of the long parts.

    Raises:
        DataError: as `judge`.
    """
    recipe = model.recipe
    limits = data.Limits(recipe.data.max_pixels, recipe.data.max_bytes, recipe.data.max_seconds)
    data.require_decoder(model.description.inputs.decoder)
    catalogue = data.build_catalogue(
        data.open_source(source, progress=progress),
        limits=limits,
        threads=threads,
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
        threads=threads,
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
    return HeldOut(stored.pixels, to_model[judged.labels], chosen, why, judged.refused)


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
        chosen = model.recipe.data
        tested = chosen.test_fraction > 0 or chosen.training_per_class > 0 or (catalogue.subsets == TEST).any()
        held_out = "test" if tested else "validation"
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
        training_per_class=chosen.training_per_class,
    )
    records: NDArray[np.int64] = np.sort(getattr(split, side))
    if not len(records):
        raise DataError(f"{catalogue.source.name}: no pictures are on the {side} side. Try --side all.")
    return records
