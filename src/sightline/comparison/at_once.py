"""How many trials at once, with how many threads each, get most done on this machine: measured."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import processes
from sightline.comparison.plan import as_asked, from_asked
from sightline.recipe import apply_overrides
from sightline.recipe.choices import settled
from sightline.training import Session, Survey, prepare, survey
from sightline.training.assembly import assemble

SECONDS = 1.5
WARM_UP = 2
POLL = 0.5


@dataclass(frozen=True)
class Crew:
    """Trials at once, and the threads of each."""

    workers: int
    threads: int
    speeds: dict[str, float]
    """Pictures a second in all, by "workers x threads"; empty where nothing had to be measured."""


def crew(source: Any, surveyed: Survey, *, cache: Path | None = None) -> Crew:
    """Return the crew that trains most pictures a second, of one that has all threads and some that share them.

    Args:
        source: as for `train`.
        surveyed: with the recipe that is measured; one with threads of its own, or for an accelerator, has one worker.
        cache: as for `train`.
    """
    recipe, asked = surveyed.resolved.recipe, surveyed.resolved.asked
    threads = settled(recipe.training.threads)
    if settled(recipe.training.device) != "cpu" or asked.training.threads != "auto" or threads == 1:
        return Crew(1, threads, {})
    found = {pair: _together(source, as_asked(asked), *pair, cache) for pair in _pairs(threads)}
    workers, each = max(found, key=lambda pair: found[pair])
    return Crew(workers, each, {f"{w} x {t}": round(speed, 1) for (w, t), speed in found.items()})


def _pairs(threads: int) -> Iterator[tuple[int, int]]:
    workers = 1
    while workers <= threads:
        yield workers, threads // workers
        workers *= 2


def _together(source: Any, recipe: str, workers: int, threads: int, cache: Path | None) -> float:
    """Return the pictures a second of so many processes at once, together; 0 where one of them does not get ready."""
    context = processes.context()
    ready, go, speeds = context.Queue(), context.Event(), context.Queue()
    begun = [
        processes.begun(context, _speed, source, recipe, threads, cache, ready, go, speeds) for _ in range(workers)
    ]
    try:
        if len(_answers(ready, begun)) < workers:
            return 0.0
        go.set()
        found = _answers(speeds, begun)
        return sum(found) if len(found) == workers else 0.0
    finally:
        for process in begun:
            process.terminate()
            process.join()


def _answers(answers: Any, begun: Sequence[BaseProcess]) -> list[float]:
    """Return an answer of each process; fewer where one ended without, since memory was too small for all, say."""
    found: list[float] = []
    while len(found) < len(begun):
        try:
            found.append(float(answers.get(timeout=POLL)))
        except queue.Empty:
            if any(process.exitcode not in (None, 0) for process in begun):
                break
    return found


def _speed(source: Any, recipe: str, threads: int, cache: Path | None, ready: Any, go: Any, speeds: Any) -> None:
    chosen = apply_overrides(from_asked(recipe), {"training.threads": threads})
    prepared = prepare(survey(source, chosen), cache=cache)
    with TemporaryDirectory() as folder:
        session = assemble(prepared, prepared.resolved, Path(folder))
        step = _step(session, np.resize(prepared.split.train, settled(session.recipe.training.batch_size)))
        with session.numerics():
            for _ in range(WARM_UP):
                step()
            ready.put(1.0)
            go.wait()
            done, begun = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - begun) < SECONDS or done == 0:
                step()
                done += settled(session.recipe.training.batch_size)
        speeds.put(done / elapsed)


def _step(session: Session, batch: NDArray[np.int64]) -> Callable[[], object]:
    """Return what a training does most of the time: a step of its last stage on pictures.

    Where a transfer only trains a head on features that are computed once, computing them takes most of the time.
    """
    stage = next((stage for stage in reversed(session.stages) if stage.feed is session.feed), None)
    if stage is not None:
        session.state.optimizer = stage.begin()
        stage.mode(1)
        return lambda: stage.step(session.state, session.feed.load(1, batch), 0.0)

    @torch.inference_mode()
    def features() -> None:
        for shard in session.feed.load(1, batch):
            session.state.network(shard.inputs)

    session.state.network.eval()
    return features
