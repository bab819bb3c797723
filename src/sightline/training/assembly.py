"""Putting a training together: from what was prepared and a resolved recipe to a session before its first step."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from sightline import augmentation, network, optimization, preprocessing
from sightline.allocation import keep_freed_memory
from sightline.augmentation.layout import png
from sightline.data import Progress, Silent
from sightline.recipe import Recipe, write_recipe
from sightline.recipe.choices import settled
from sightline.recipe.training import Training
from sightline.training import directory, records, thread_count
from sightline.training.budget import MOST_EPOCHS, Costs, epochs_within, fixed_share, seconds_in_parts, share_of_work
from sightline.training.compiling import compiled
from sightline.training.course import Course, course_of
from sightline.training.feed import AHEAD, Feed
from sightline.training.loss import LossFunction, balanced_weights, cross_entropy
from sightline.training.memory import FEWEST, OF_ALL
from sightline.training.numerics import numerics
from sightline.training.pace import Pace
from sightline.training.prepare import Prepared
from sightline.training.resolve import Resolved, with_batch_size, with_epochs, with_threads
from sightline.training.session import Session
from sightline.training.stage import Stage
from sightline.training.state import begin
from sightline.training.step import Forward, Lookahead, Objective, Standardize, Step, in_bfloat16, make_step, supervised
from sightline.training.transfer_stages import TransferStages
from sightline.training.watching import Observer, sample, watch_of
from sightline.transfer_learning import Fit, fit
from sightline.writing import write_whole


def start(
    prepared: Prepared, path: Path, *, begun: float | None = None, ending: float = 0.0, progress: Progress | None = None
) -> Session:
    """Return the training that `prepared` describes, before its first step, with its files in the run's directory.

    Args:
        prepared: what it stands on.
        path: the run's directory.
        begun: when the work began that a time budget is for, on the clock of `time.monotonic`; None for now.
        ending: seconds that the caller wants of a time budget once the model is sealed.
        progress: told of what takes long before the first step.
    """
    now = time.monotonic()
    begun = now if begun is None else begun
    session = assemble(prepared, prepared.resolved, path, progress=progress)
    assembling = time.monotonic() - now
    if (fitted := _within_memory(session)) is not None:
        prepared = replace(prepared, resolved=fitted)
        session = assemble(prepared, fitted, path, progress=progress)
    if prepared.resolved.recipe.training.time_budget_minutes > 0:
        if (fewer := _fewer_threads(session)) is not None:
            prepared = replace(prepared, resolved=fewer)
            session = assemble(prepared, fewer, path)
        # The steps that are timed change the weights, so the training itself is put together afresh.
        resolved, pace = _within_budget(session, begun, ending, assembling)
        session = assemble(prepared, resolved, path)
        session.pace = pace
    directory.clear(path)
    records.write(path, prepared.catalogue, prepared.split)
    write_recipe(path / directory.RECIPE, session.recipe, session.resolved.reasons)
    if session.recipe.augmentation.operations:
        write_whole(path / directory.SHEET, png(_sheet(prepared, session.recipe)))
    return session


def _within_memory(session: Session) -> Resolved | None:
    """Return the recipe with a smaller batch where the one that was chosen automatically needs too much memory."""
    resolved, training = session.resolved, session.recipe.training
    with session.numerics(), session.enough_memory():
        memory = session.measure_memory()
    batch_size, parts = settled(training.batch_size), training.parts
    fits = memory.fitting(OF_ALL[settled(training.device)] * memory.total, parts)
    if "training.batch_size" not in resolved.reasons or fits >= batch_size:
        return None
    fewest = FEWEST * parts
    fits = max(fewest, 1 << (fits.bit_length() - 1)) if fits else fewest
    reason = (
        f"what fits {memory.total / 1e9:.3g} GB of memory; {batch_size} would need about "
        f"{memory.needed(batch_size, parts) / 1e9:.3g} GB"
    )
    return with_batch_size(resolved, fits, reason)


def _sheet(prepared: Prepared, recipe: Recipe) -> Image.Image:
    """Return what augmentation makes of a few training pictures, for a person to see that they are still valid."""
    catalogue = prepared.catalogue
    return augmentation.sheet(
        prepared.pixels,
        catalogue.class_names,
        catalogue.labels,
        catalogue.keys,
        recipe.augmentation,
        training=np.sort(prepared.split.train),
        sources=prepared.training_pixels,
        seed=recipe.training.seed,
    )


def _fewer_threads(session: Session) -> Resolved | None:
    """Return the recipe with fewer threads where their number is open and a step is faster with fewer."""
    resolved, training = session.resolved, session.recipe.training
    most = settled(training.threads)
    if settled(training.device) != "cpu" or "training.threads" not in resolved.reasons or most == 1:
        return None
    threads, seconds = thread_count.measured(session)
    if threads == most:
        return None
    more = max(seconds)
    reason = f"a step takes {seconds[more] / seconds[threads]:.2f} times as long with {more}"
    return with_threads(resolved, threads, reason)


def _within_budget(session: Session, begun: float, ending: float, assembling: float) -> tuple[Resolved, Pace]:
    """Return the recipe with as many epochs as fit, and what holds the training to its budget."""
    training, split = session.recipe.training, session.prepared.split
    batch_size, minutes = settled(training.batch_size), training.time_budget_minutes
    # The first of many epochs has the smallest pictures, the only one has whole ones.
    growing = replace(session.feed, course=Course(MOST_EPOCHS, session.steps_per_epoch()))
    session.state.network.train()
    with session.numerics(), session.enough_memory():
        records = split.train[:batch_size]
        step = partial(session.stage.step, session.state)

        def seconds_with(feed: Feed) -> float:
            return seconds_in_parts(
                lambda parts: step(feed.load(1, records)[:parts], 0.0), training.parts, minutes=minutes
            )

        whole, fixed = seconds_with(session.feed), 0.0
        if training.smallest_size < 1.0:
            fixed = fixed_share(whole, seconds_with(growing), area=training.smallest_size**2)
        before = time.monotonic()
        session.predict(records)
        judging = (time.monotonic() - before) / len(records)
    costs = Costs(whole, judging, spent=time.monotonic() - begun + assembling, ending=ending, fixed=fixed)
    judged = len(split.validation) + len(split.test) + len(sample(session.prepared))
    epochs = epochs_within(
        minutes,
        costs,
        batch_size=batch_size,
        training=len(split.train),
        validation=len(split.validation),
        judged=judged,
        share_of_work=partial(share_of_work, training, fixed=fixed),
    )
    reason = f"what fits {minutes:g} minutes, all work counted, at {batch_size / whole:,.0f} pictures a second"
    pace = Pace(
        begun,
        minutes,
        training,
        costs,
        per_step=len(split.train) / session.steps_per_epoch(),
        validation=len(split.validation),
        judged=judged,
    )
    return with_epochs(session.resolved, epochs, reason), pace


def assemble(prepared: Prepared, resolved: Resolved, path: Path, *, progress: Progress | None = None) -> Session:
    """Return a training before its first step; nothing is written.

    Raises:
        ModelFileError: the weights to begin from are those of another network.
        RecipeError: a choice that this machine cannot honor.
    """
    keep_freed_memory()
    prepared = replace(prepared, resolved=resolved)  # the feed looks there, too
    recipe = resolved.recipe
    training = recipe.training
    device = settled(training.device)
    made, fitted = _network(prepared, recipe)
    _by_steps(made, training.parts)
    made = made.to(device)
    if training.channels_last:
        made = made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    forward: Forward = compiled(made, device=device) if training.compile else made
    standardize = _standardize(prepared, device, channels_last=bool(settled(training.channels_last)))
    # On a processor, preparing ahead would compete with the network for the same cores.
    course = course_of(recipe, len(prepared.split.train))
    feed = Feed(prepared, standardize, device, course, ahead=0 if device == "cpu" else AHEAD)
    loss = _loss(prepared, recipe, device)

    def lowered(part: Forward) -> Forward:
        return in_bfloat16(part, device) if training.precision == "bfloat16" else part

    def step(objective: Objective, l2_sp: float = 0.0) -> Step:
        return make_step(
            objective=objective,
            device=device,
            clip_norm=recipe.optimizer.clip_norm,
            average_decay=training.weight_averaging,
            lookahead=_lookahead(training, course),
            seed=training.seed,
            l2_sp=l2_sp,
        )

    stages: tuple[Stage, ...]
    if prepared.weights is not None and fitted is not None:
        stages = TransferStages(
            prepared=prepared,
            recipe=recipe,
            weights=prepared.weights,
            network=made,
            fitted=fitted,
            forward=lowered(forward),
            lowered=lowered,
            feed=feed,
            loss=loss,
            make_step=step,
            progress=progress or Silent(),
        ).stages()
    else:
        stages = (
            Stage(
                course=course,
                learning_rate=settled(recipe.optimizer.learning_rate),
                begin=lambda: optimization.build(recipe.optimizer, made),
                feed=feed,
                step=step(supervised(lowered(forward), loss)),
                mode=lambda _: _train(made),
            ),
        )
    state = begin(made, stages[0].begin(), averaged=training.weight_averaging > 0 or training.lookahead > 0)
    session = Session(prepared, resolved, path, state, feed, stages, exact=training.deterministic)
    if training.diagnosis:
        session.watch = Observer(watch_of(session, lowered(made), loss))
    return session


def _lookahead(training: Training, course: Course) -> Lookahead | None:
    """Return how the weights go back, once at least: what is judged and sealed has moved by then alone."""
    if not training.lookahead:
        return None
    return Lookahead(min(training.lookahead, course.planned_steps), training.lookahead_share)


def _network(prepared: Prepared, recipe: Recipe) -> tuple[nn.Module, Fit | None]:
    """Return the network as it begins: drawn, and filled with the weights to begin from, where there are such."""
    made = network.build(
        recipe.network,
        channels=settled(recipe.data.channels),
        classes=len(prepared.catalogue.class_names),
        image_size=prepared.height_width,
    )
    network.initialize(made, network.build_scheme(recipe.network), seed=recipe.training.seed)
    if recipe.network.first_layer == "whitening":
        _whiten(made, prepared, recipe)
    return made, None if prepared.weights is None else fit(made, prepared.weights)


def _by_steps(made: nn.Module, parts: int) -> None:
    """Have running statistics of batch normalization move by their share with a step, not with each of its parts."""
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.momentum is not None:
            layer.momentum = network.share_of_part(layer.momentum, parts)


def _whiten(made: nn.Module, prepared: Prepared, recipe: Recipe) -> None:
    """Give the first layer its filters from training pictures; the first ones by content are as good as drawn ones."""
    training = recipe.training
    shown = np.sort(prepared.split.train)[: network.pictures_to_see(*prepared.height_width)]
    # With the threads of the training: sums in another order would have other last bits.
    with numerics(threads=settled(training.threads), deterministic=training.deterministic, device="cpu"):
        pixels = torch.from_numpy(prepared.pixels.gather(shown))
        network.whiten(made, preprocessing.module(prepared.statistics)(pixels))


def _standardize(prepared: Prepared, device: str, *, channels_last: bool) -> Standardize:
    module = preprocessing.module(prepared.statistics).to(device)
    # Pixels are stored NHWC, so what comes out has channels-last strides by itself.
    return module if channels_last else lambda pixels: module(pixels).contiguous()


def _loss(prepared: Prepared, recipe: Recipe, device: str) -> LossFunction:
    weights = None
    if recipe.loss.class_weights == "balanced":
        labels = prepared.catalogue.labels[prepared.split.train]
        balanced = balanced_weights(labels, len(prepared.catalogue.class_names))
        weights = torch.from_numpy(balanced).float().to(device)
    return cross_entropy(label_smoothing=recipe.loss.label_smoothing, class_weights=weights)


def _train(network: nn.Module) -> None:
    network.train()
