"""How fast this machine is at each part of a training on somebody's pictures, and what that buys in a given time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import data
from sightline.data import Progress
from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.choices import settled
from sightline.recipe.network import Swift
from sightline.recipe.training import WHOLE_FROM
from sightline.training import bench_compiled, thread_count
from sightline.training.affordable import affordable, operations
from sightline.training.arithmetic import arithmetic
from sightline.training.assembly import assemble
from sightline.training.bench_compiled import Compiled
from sightline.training.budget import Costs, epochs_within, share_of_work
from sightline.training.peak import convolution_peak, seconds_of
from sightline.training.prepare import Prepared, pair, prepare, survey
from sightline.training.resolve import resolve
from sightline.training.session import Session

NETWORKS = ("swift", "vgg", "resnet")
MINUTES = (5.0, 30.0, 120.0)
READ_AT_ONCE = 32


@dataclass(frozen=True)
class Part:
    """One part of the way from a file to an answer."""

    name: str
    images_per_second: float


@dataclass(frozen=True)
class Network:
    """How fast a network is trained here."""

    name: str
    chosen: bool
    """Whether it is the recipe's."""
    parameters: int
    batch_size: int
    images_per_second: float
    """In training steps, with pictures that are ready."""
    gigaflops: float
    """Of a training step, for one picture, in 10⁹ operations."""
    share_of_peak: float


@dataclass(frozen=True)
class WithThreads:
    """How fast the recipe's network is trained with a number of threads."""

    threads: int
    images_per_second: float
    """With loading and augmenting the pictures, and an update for each part of a batch."""


@dataclass(frozen=True)
class Bought:
    """What a time budget comes to with the recipe's network."""

    minutes: float
    epochs: int
    """0 where not even one fits."""
    side: int | None
    """Pixels that pictures are brought to, where they follow from the budget."""
    widths: tuple[int, ...] | None
    """Maps of its stages, where they do."""


@dataclass(frozen=True)
class Bench:
    """What was measured."""

    machine: str
    device: str
    threads: int
    precision: str
    peak: float
    """Operations a second of the fastest 3×3 convolution, forth and back."""
    image_size: tuple[int, int]
    pictures: int
    parts: tuple[Part, ...]
    networks: tuple[Network, ...]
    by_threads: tuple[WithThreads, ...]
    """From one on, twice as many each, as far as that is faster; empty where a processor is not what trains."""
    compiled: Compiled | None
    """What compiling the recipe's training steps comes to; None where that was not asked for."""
    bought: tuple[Bought, ...]
    """What time budgets come to."""


def bench(
    source: Any, recipe: Recipe, *, seconds: float = 2.0, compiling: bool = False, progress: Progress | None = None
) -> Bench:
    """Measure every part on pictures of `source`, as the recipe would train on them. Nothing is written but the cache.

    Args:
        source: anything that can be trained on.
        recipe: whose resolved choices are measured.
        seconds: for each measurement.
        compiling: whether to measure what compiling the steps gains, which may take minutes.
        progress: told of the long parts.

    Raises:
        SightlineError: as for a training.
    """
    begun = time.monotonic()
    recipe = apply_overrides(recipe, {"training.replanned": []})  # a run's may have been cut short; others are not
    surveyed = survey(source, recipe, progress=progress)
    as_trained = prepare(surveyed, progress=progress)
    prepared = _whole(as_trained)
    spent = time.monotonic() - begun
    own = prepared.resolved.recipe
    device = settled(own.training.device)
    with tempfile.TemporaryDirectory() as folder:
        session = assemble(prepared, prepared.resolved, Path(folder), progress=progress)
        with session.numerics(), session.enough_memory():
            peak = convolution_peak(device=device, bfloat16=own.training.precision == "bfloat16", seconds=seconds / 4)
            parts = tuple(_parts(session, seconds))
            networks = [_network(session, seconds, peak, chosen=True)]
        by_threads = tuple(_by_threads(session, seconds)) if device == "cpu" else ()
        for name in NETWORKS:
            if name != own.network.name and (other := _with(prepared, recipe, name)) is not None:
                session = assemble(other, other.resolved, Path(folder))
                with session.numerics(), session.enough_memory():
                    networks.append(_network(session, seconds, peak, chosen=False))
        gained = bench_compiled.compiled(as_trained, Path(folder), seconds=seconds) if compiling else None
    seconds_of_one = {part.name: 1.0 / part.images_per_second for part in parts}
    bought = partial(
        _bought,
        prepared,
        recipe,
        peak=peak,
        own=1.0 / networks[0].images_per_second,
        others=seconds_of_one,
        spent=spent,
    )
    return Bench(
        machine=prepared.machine.name,
        device=device,
        threads=settled(own.training.threads),
        precision=own.training.precision,
        peak=peak,
        image_size=prepared.height_width,
        pictures=len(prepared.catalogue),
        parts=parts,
        networks=tuple(networks),
        by_threads=by_threads,
        compiled=gained,
        bought=tuple(bought(minutes) for minutes in MINUTES),
    )


def _whole(prepared: Prepared) -> Prepared:
    """Return what is prepared with pictures that are whole from the first epoch on."""
    resolved, training = prepared.resolved, prepared.resolved.recipe.training
    whole = training.model_copy(update={"smallest_size": 1.0, "whole_from": WHOLE_FROM})
    return replace(prepared, resolved=replace(resolved, recipe=resolved.recipe.model_copy(update={"training": whole})))


def _parts(session: Session, seconds: float) -> Iterator[Part]:
    """Yield the parts before and after the training step, on samples of the pictures."""
    prepared, recipe = session.prepared, session.recipe
    catalogue, chosen = prepared.catalogue, recipe.data
    threads, device = settled(recipe.training.threads), settled(recipe.training.device)
    limits = data.Limits(chosen.max_pixels, chosen.max_bytes, chosen.max_seconds)
    size = pair(chosen.image_size)
    # In the order of the source, as a training reads it: rows of a table come in groups.
    where = catalogue.index[catalogue.reading_order].tolist()
    read = catalogue.source.read
    yield Part("read", _in_threads(read, where, threads, seconds))

    files = [read(index) for index in where[: 64 * threads]]

    def decoded(file: Any) -> NDArray[np.uint8]:
        return data.decode(
            file,
            size=size,
            channels=settled(chosen.channels),
            resize=chosen.resize,
            padding_value=chosen.padding_value,
            decoder=settled(chosen.decoder),
            limits=limits,
        )

    yield Part("decode and resize", _in_threads(decoded, files, threads, seconds))
    batch = np.resize(prepared.split.train, settled(recipe.training.batch_size))
    yield Part("augment", len(batch) / seconds_of(lambda: session.feed.load(1, batch), device="cpu", seconds=seconds))
    held = np.resize(prepared.split.train, 4 * len(batch))
    yield Part("predict", len(held) / seconds_of(lambda: session.predict(held), device=device, seconds=seconds))


def _in_threads(work: Callable[[Any], object], items: Sequence[Any], threads: int, seconds: float) -> float:
    """Return how many items a second some threads get done, which begin anew with the first where there are few."""
    done, endless = 0, cycle(items)
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        while done == 0 or time.perf_counter() - begun < seconds:
            done += sum(1 for _ in pool.map(work, islice(endless, READ_AT_ONCE * threads)))
        return done / (time.perf_counter() - begun)


def _network(session: Session, seconds: float, peak: float, *, chosen: bool) -> Network:
    recipe, network = session.recipe, session.state.network
    batch = np.resize(session.prepared.split.train, settled(recipe.training.batch_size))
    asked = arithmetic(network, session.shown(batch[:1]))
    session.stage.mode(1)
    shards = session.feed.load(1, batch)
    speed = len(batch) / seconds_of(
        lambda: session.stage.step(session.state, shards, 0.0),
        device=settled(recipe.training.device),
        seconds=seconds,
        warm_up=1,
    )
    return Network(
        name=recipe.network.name,
        chosen=chosen,
        parameters=sum(each.numel() for each in network.parameters()),
        batch_size=len(batch),
        images_per_second=speed,
        gigaflops=asked.training / 1e9,
        share_of_peak=speed * asked.training / peak,
    )


def _by_threads(session: Session, seconds: float) -> Iterator[WithThreads]:
    pictures = min(session.at_once, len(session.prepared.split.train))
    for threads, taken in thread_count.measured(session, seconds=seconds)[1].items():
        yield WithThreads(threads, pictures / taken)


def _with(prepared: Prepared, recipe: Recipe, name: str) -> Prepared | None:
    """Return what is prepared with another network; None where the recipe's other choices do not go with it."""
    try:
        changed = apply_overrides(recipe, {"network": name})
        resolved = resolve(changed, prepared.facts, prepared.machine, decoder=data.best_decoder())
    except RecipeError:
        return None
    # The pixels are there in the sizes of the recipe itself.
    own = prepared.resolved.recipe.data
    resolved = replace(resolved, recipe=resolved.recipe.model_copy(update={"data": own}))
    return _whole(replace(prepared, resolved=resolved))


def _bought(
    prepared: Prepared,
    recipe: Recipe,
    minutes: float,
    *,
    peak: float,
    own: float,
    others: Mapping[str, float],
    spent: float,
) -> Bought:
    """Return what a budget comes to, with the seconds for a picture of the recipe's own network and of other parts."""
    asked = apply_overrides(recipe, {"training.epochs": "auto", "training.time_budget_minutes": minutes})
    again = partial(resolve, facts=prepared.facts, machine=prepared.machine, decoder=data.best_decoder())
    resolved = affordable(again(asked), prepared.facts, again=again, peak=peak)
    network, training, measured = resolved.recipe.network, resolved.recipe.training, prepared.resolved.recipe
    widths = settled(network.widths) if isinstance(network, Swift) else None
    side = pair(resolved.recipe.data.image_size)[0] if "data.image_size" in resolved.reasons else None
    # By arithmetic: pictures of that size are not there, and timing each network would take too long.
    share = operations(resolved.recipe, prepared.facts.classes) / operations(measured, prepared.facts.classes)
    own, judging = own * share, others["predict"] * share
    split, batch = prepared.split, settled(training.batch_size)
    try:
        epochs = epochs_within(
            minutes,
            Costs((others["augment"] + own) * batch, judging, spent=spent, ending=0.0),
            batch_size=batch,
            training=len(split.train),
            validation=len(split.validation),
            judged=len(split.validation) + len(split.test),
            share_of_work=partial(share_of_work, training),
        )
    except RecipeError:
        epochs = 0
    return Bought(minutes, epochs, side, widths)
