"""From a source and a recipe to all that a training stands on: records, split, pixels, resolved recipe, statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import augmentation, data, preprocessing, transfer_learning
from sightline.data import Catalogue, Pixels, Progress, Silent, Split
from sightline.errors import DataError, RecipeError
from sightline.recipe import Recipe
from sightline.recipe.choices import Auto, settled
from sightline.recipe.facts import DataFacts, Machine
from sightline.training import directory
from sightline.training.affordable import affordable
from sightline.training.forgetting import require_validation, source_pictures
from sightline.training.hardware import machine
from sightline.training.held_out import HeldOut
from sightline.training.resolve import Resolved, resolve
from sightline.transfer_learning import Weights

FITTING_BATCH = 256


@dataclass(frozen=True)
class Survey:
    """What is known before any pixel is decoded: enough to resolve the recipe and to give advice."""

    place: str
    """Where the source is, from wherever it is looked for again."""
    folder: str
    """Where relative paths in the recipe begin."""
    catalogue: Catalogue
    split: Split
    facts: DataFacts
    machine: Machine
    resolved: Resolved
    weights: Weights | None
    """That the training begins from, where they were trained before."""

    @property
    def limits(self) -> data.Limits:
        """What a single picture may cost."""
        chosen = self.resolved.recipe.data
        return data.Limits(chosen.max_pixels, chosen.max_bytes, chosen.max_seconds)


@dataclass(frozen=True)
class Prepared:
    """What a training stands on. Nothing here changes while it runs."""

    source: str
    """What it is called."""
    place: str
    folder: str
    """As in `Survey`."""
    catalogue: Catalogue
    split: Split
    pixels: Pixels
    """At the size that the network sees: what is judged, and what is trained on without augmentation."""
    training_pixels: Pixels
    """At the size that augmentation draws from; the same where both sizes agree."""
    facts: DataFacts
    machine: Machine
    resolved: Resolved
    weights: Weights | None
    statistics: preprocessing.Statistics
    remarks: tuple[str, ...]
    """What speaks against how the pictures and transferred weights go together, one sentence each."""
    source_pictures: HeldOut | None
    """That forgetting is measured on, where the recipe names such."""
    cache: Path | None
    """Folder for what is computed once; None for the user's."""
    data_digest: str
    """Of the catalogue before decoding, by which the same source is known again."""

    @property
    def height_width(self) -> tuple[int, int]:
        """The size that every picture was brought to."""
        return pair(self.resolved.recipe.data.image_size)


def survey(
    source: Any,
    recipe: Recipe,
    *,
    progress: Progress | None = None,
    reread: bool = False,
    folder: Path | None = None,
) -> Survey:
    """Read and check every picture's header, split, and resolve the recipe.

    Args:
        source: anything that `data.open_source` takes: a folder, a table, arrays, the name of an embedded set.
        recipe: as the user wrote it.
        progress: told of the long parts.
        reread: read every file anew, even one that has not changed by its stamp since it was read before.
        folder: where relative paths in the recipe begin; None for where this process is.

    Raises:
        DataError: the source cannot be trained on.
        RecipeError: the recipe asks for what this machine or these pictures cannot give.
    """
    progress = progress or Silent()
    folder = (folder or Path()).resolve()
    named = recipe.transfer.weights
    weights = transfer_learning.read(named, folder=folder) if named else None
    wanted_threads = recipe.training.threads
    device = machine(recipe.training.device, None if wanted_threads == "auto" else wanted_threads)
    if recipe.data.decoder != "auto":
        data.require_decoder(recipe.data.decoder)
    catalogue = data.build_catalogue(
        data.open_source(source, progress=progress),
        limits=data.Limits(recipe.data.max_pixels, recipe.data.max_bytes, recipe.data.max_seconds),
        threads=device.threads,
        progress=progress,
        max_refused_fraction=recipe.data.max_refused,
        reread=reread,
    )
    split = divide(catalogue, recipe)
    facts = data.facts(catalogue, split)
    if recipe.training.early_stopping > 0 and not len(split.validation):
        raise RecipeError(
            f"training.early_stopping: found {recipe.training.early_stopping}, but nothing is held out for "
            "validation, so that nothing could ever stop it. Hold something out: --set data.validation_fraction=0.1"
        )
    require_validation(recipe, len(split.validation))
    again = partial(
        resolve,
        facts=facts,
        machine=device,
        decoder=data.best_decoder(),
        source=weights.facts if weights is not None else None,
    )
    resolved = affordable(again(recipe), facts, again=again)
    return Survey(directory.place_of(source), str(folder), catalogue, split, facts, device, resolved, weights)


def prepare(surveyed: Survey, *, cache: Path | None = None, progress: Progress | None = None) -> Prepared:
    """Decode every picture once and measure the training split.

    Args:
        surveyed: what `survey` found.
        cache: folder for the pixels; None for the user's, where the next training finds them again.
        progress: told of the long parts.

    Raises:
        DataError: too many pictures cannot be decoded.
        OutputError: the pixels cannot be stored.
        RecipeError: the statistics asked for do not fit these pictures.
    """
    progress = progress or Silent()
    recipe = surveyed.resolved.recipe
    chosen = recipe.data
    stored = _store(surveyed, chosen.image_size, cache=cache, progress=progress)
    larger = stored
    if pair(chosen.stored_size) != pair(chosen.image_size):
        larger = _store(surveyed, chosen.stored_size, cache=cache, progress=progress)
        if [u.position for u in larger.refused] != [u.position for u in stored.refused]:
            raise DataError(f"{surveyed.catalogue.source.name}: pictures changed while they were read. Run again.")
    undecoded = stored.refused
    catalogue = surveyed.catalogue.without([u.position for u in undecoded], [u.reason for u in undecoded])
    data.require_enough(catalogue, max_refused_fraction=chosen.max_refused)
    split = divide(catalogue, recipe)
    if recipe.augmentation.operations:
        progress.start("making augmentation ready (half a minute the first time on a machine)", None)
        augmentation.make_ready()
        progress.finish()
    held = source_pictures(
        recipe, surveyed.weights, folder=Path(surveyed.folder), threads=surveyed.machine.threads, progress=progress
    )
    statistics, remarks = _statistics(stored.pixels, split.train, surveyed, progress)
    return Prepared(
        source=catalogue.source.name,
        place=surveyed.place,
        folder=surveyed.folder,
        catalogue=catalogue,
        split=split,
        pixels=stored.pixels,
        training_pixels=larger.pixels,
        facts=data.facts(catalogue, split),
        machine=surveyed.machine,
        resolved=surveyed.resolved,
        weights=surveyed.weights,
        statistics=statistics,
        remarks=remarks,
        source_pictures=held,
        cache=cache,
        data_digest=surveyed.catalogue.digest,
    )


def _store(
    surveyed: Survey, size: Auto | int | tuple[int, int], *, cache: Path | None, progress: Progress
) -> data.Stored:
    chosen = surveyed.resolved.recipe.data
    return data.store_pixels(
        surveyed.catalogue,
        size=pair(size),
        channels=settled(chosen.channels),
        resize=chosen.resize,
        padding_value=chosen.padding_value,
        decoder=settled(chosen.decoder),
        limits=surveyed.limits,
        threads=surveyed.machine.threads,
        cache=cache,
        progress=progress,
    )


def pair(size: Auto | int | tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) of a resolved size, which may be the one side of a square."""
    if isinstance(size, tuple):
        return size
    side = settled(size)
    return side, side


def divide(catalogue: Catalogue, recipe: Recipe) -> Split:
    """Return which pictures are trained on, validated on and tested on, as a recipe divides them."""
    return data.split(
        catalogue,
        seed=recipe.data.seed,
        validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction,
        training_per_class=recipe.data.training_per_class,
    )


def _statistics(
    pixels: Pixels, training: NDArray[np.int64], surveyed: Survey, progress: Progress
) -> tuple[preprocessing.Statistics, tuple[str, ...]]:
    """Return the statistics that the recipe wants, and what is to be said of how they fit."""
    recipe, weights = surveyed.resolved.recipe, surveyed.weights
    fitted = _fit(pixels, training, recipe, progress)
    if weights is None:
        return fitted, ()
    remarks = transfer_learning.overlapping(weights, surveyed.catalogue.class_names)
    if recipe.preprocessing.statistics == "fitted" or weights.statistics is None:
        return fitted, remarks
    inherited = transfer_learning.for_channels(weights.statistics, settled(recipe.data.channels))
    return inherited, (*remarks, *transfer_learning.unlike(inherited, fitted))


def _fit(pixels: Pixels, training: NDArray[np.int64], recipe: Recipe, progress: Progress) -> preprocessing.Statistics:
    choices = recipe.preprocessing

    def batches() -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(training), FITTING_BATCH):
            part = training[start : start + FITTING_BATCH]
            yield pixels.gather(part)
            progress.advance(len(part))

    progress.start("measuring pixels", len(training))
    try:
        return preprocessing.fit(
            batches(),
            center=choices.center,
            scale=choices.scale,
            decorrelate=choices.decorrelate,
            epsilon=choices.whitening_epsilon,
        )
    finally:
        progress.finish()
