"""How many threads a training step is fastest with on this machine, as measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from sightline.recipe.choices import settled
from sightline.training.peak import seconds_of
from sightline.training.resolve import with_threads
from sightline.training.session import Session

SECONDS = 0.2
"""For each number of threads that is tried."""
ENOUGH_FASTER = 0.97
"""Share of the time of twice as many threads that fewer have to stay below: measuring varies by less."""


def fastest(seconds: Callable[[int], float], most: int) -> tuple[int, dict[int, float]]:
    """Return the number of threads to take, and what a step took by number of threads.

    `most` is tried, half of it, a quarter, and so on while that is faster: two threads of one core share its
    arithmetic, small layers take less time than sharing them out does, and where other programs run, all threads wait
    for the one that was interrupted.

    Args:
        seconds: measures a step with so many threads.
        most: that this process may use, at least 1.
    """
    chosen, found = most, {most: seconds(most)}
    while chosen > 1:
        fewer = chosen // 2
        found[fewer] = seconds(fewer)
        if found[fewer] > ENOUGH_FASTER * found[chosen]:
            break
        chosen = fewer
    return chosen, found


def measured(session: Session, *, seconds: float = SECONDS) -> tuple[int, dict[int, float]]:
    """Return what is `fastest` for a training on a processor, with loading and augmenting the pictures.

    A part of a batch is measured, which changes the weights. Number of threads to seconds of that part.
    """
    state, stage, resolved = session.state, session.stage, session.resolved
    records = session.prepared.split.train[: session.at_once]
    stage.mode(1)

    def step(threads: int) -> None:
        prepared = replace(session.prepared, resolved=with_threads(resolved, threads, ""))
        stage.step(state, [replace(session.feed, prepared=prepared).shard(1, records)], 0.0)

    def seconds_with(threads: int) -> float:
        torch.set_num_threads(threads)
        return seconds_of(partial(step, threads), device="cpu", seconds=seconds, warm_up=1)

    with session.numerics(), session.enough_memory():
        step(settled(session.recipe.training.threads))  # the first of all is no measure of any
        return fastest(seconds_with, settled(session.recipe.training.threads))
