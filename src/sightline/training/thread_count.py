"""How many threads a training step is fastest with on this machine, as measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from sightline.recipe.choices import settled
from sightline.training.peak import seconds_of
from sightline.training.resolve import with_threads
from sightline.training.session import Session

SECONDS = 0.2
"""For each number of threads that is tried."""
ENOUGH_FASTER = 0.97
"""Share of the time of half as many threads that more have to stay below: fewer leave other programs their place."""


def fastest(seconds: Callable[[int], float], most: int) -> tuple[int, dict[int, float]]:
    """Return the number of threads to take, and what a step took by number of threads.

    One is tried, twice as many, and so on up to `most`, while more are faster: two threads of one core share its
    arithmetic, small layers take less time than sharing them out does, and where other programs run, all threads wait
    for the one that was interrupted. The numbers are `most` halved and halved again, in rising order.

    Args:
        seconds: measures a step with so many threads.
        most: that this process may use, at least 1.
    """
    ladder = [most >> halvings for halvings in reversed(range(most.bit_length()))]
    found: dict[int, float] = {}
    for fewer, threads in zip([0, *ladder], ladder, strict=False):
        found[threads] = seconds(threads)
        if fewer and found[threads] > ENOUGH_FASTER * found[fewer]:
            return fewer, found
    return most, found


def measured(session: Session, *, seconds: float = SECONDS) -> tuple[int, dict[int, float]]:
    """Return what is `fastest` for a training on a processor, with loading and augmenting the pictures.

    A part of a batch is measured, which changes the weights. Number of threads to seconds of that part.
    """
    prepared, stage = session.prepared, session.stage
    records = prepared.split.train[: session.at_once]
    stage.mode(1)

    def seconds_with(threads: int) -> float:
        own = replace(prepared, resolved=with_threads(session.resolved, threads, ""))
        feed = replace(session.feed, prepared=own)
        torch.set_num_threads(threads)
        return seconds_of(
            lambda: stage.step(session.state, [feed.shard(1, records)], 0.0), device="cpu", seconds=seconds
        )

    with session.numerics(), session.enough_memory():
        return fastest(seconds_with, settled(session.recipe.training.threads))
