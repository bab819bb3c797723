"""Whether compiling the training steps pays on this machine, as measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from sightline.recipe.choices import settled
from sightline.training.assembly import assemble
from sightline.training.peak import seconds_of
from sightline.training.prepare import Prepared
from sightline.training.resolve import Resolved
from sightline.training.session import Session

ROUNDS = 5


@dataclass(frozen=True)
class Compiled:
    """What `training.compile` costs and gains."""

    shapes: int
    """Sizes of inputs that the training has at least, each compiled by itself."""
    seconds: float
    """For one of them; less where an earlier process has left it in torch's cache."""
    times_as_fast: float
    """As a step that is not compiled: the median of rounds in turns."""
    pays_after_minutes: float | None
    """Minutes of training that compiling all of them is made up for; None where it never is."""


def compiled(prepared: Prepared, path: Path, *, seconds: float) -> Compiled:
    """Return what compiling gains a training, from steps with and without it in turns.

    With c seconds for each of n shapes and steps that are g times as fast, it pays after t seconds without it, where
    t = n · c + t / g.

    Args:
        prepared: what is trained on, with its recipe.
        path: a folder for what a training writes.
        seconds: for each round.

    Raises:
        RecipeError: no compiler is installed.
    """
    plain, form = (assemble(prepared, _with(prepared.resolved, compiling=each), path) for each in (False, True))
    device = settled(plain.recipe.training.device)
    with plain.numerics(), plain.enough_memory():
        steps = [_step(session) for session in (plain, form)]
        first = [seconds_of(step, device=device, seconds=0.0, warm_up=0) for step in steps]
        rounds = [[seconds_of(step, device=device, seconds=seconds / ROUNDS) for step in steps] for _ in range(ROUNDS)]
    gain = median(before / after for before, after in rounds)
    compiling = max(0.0, first[1] - median(after for _, after in rounds))
    count = shapes(plain)
    pays = count * compiling / (1.0 - 1.0 / gain) / 60.0 if gain > 1.0 else None
    return Compiled(count, compiling, gain, pays)


def shapes(session: Session) -> int:
    """Return how many sizes of inputs steps have at least: of pictures that grow, and of batches and their parts.

    Where easy pictures are left out, epochs have batches of other sizes, too, which cannot be known before.
    """
    training = session.recipe.training
    fewest, more = divmod(len(session.prepared.split.train), session.steps_per_epoch())
    batches = {fewest, fewest + 1} if more else {fewest}
    parts = {len(part) for batch in batches for part in np.array_split(np.arange(batch), training.parts)}
    sides = {session.feed.size(epoch) for epoch in range(1, session.feed.course.epochs + 1)}
    return len(parts) * len(sides)


def _step(session: Session) -> Callable[[], object]:
    last = session.feed.course.epochs  # which has whole pictures
    shards = [session.feed.shard(last, np.resize(session.prepared.split.train, session.at_once))]
    session.stage.mode(last)
    return lambda: session.stage.step(session.state, shards, 0.0)


def _with(resolved: Resolved, *, compiling: bool) -> Resolved:
    recipe = resolved.recipe
    training = recipe.training.model_copy(update={"compile": compiling})
    return replace(resolved, recipe=recipe.model_copy(update={"training": training}))
