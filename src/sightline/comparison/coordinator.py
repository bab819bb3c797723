"""Trials side by side: processes that train them, begun again where one dies."""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from sightline.comparison.store import Row, Store
from sightline.comparison.worker import name_of, work
from sightline.errors import OutputError

POLL = 0.2
OPEN = ("waiting", "running")


def carry_out(
    store: Store,
    url: str,
    source: Any,
    runs: Path,
    digests: Sequence[str],
    *,
    workers: int,
    cache: Path | None = None,
    told: Callable[[list[Row]], None] = lambda _: None,
) -> list[Row]:
    """Have trials trained until each is done or has failed, and return them.

    Several may do so at once, on one machine or on several: a trial is claimed by one worker, and one that another
    coordinator's worker has is waited for.

    Args:
        store: that has them.
        url: of the store, for the workers.
        source: as for `train`.
        runs: the folder of the trials' runs.
        digests: of the trials that are wanted.
        workers: processes at once.
        cache: as for `train`.
        told: how far the trials are, a few times a second.

    Raises:
        OutputError: nothing can be written, to a run or to the store.
    """
    context = multiprocessing.get_context("spawn")  # libraries have threads, which a fork would not have
    faults: Any = context.Queue()
    crew: list[SpawnProcess] = []
    try:
        while True:
            rows = store.rows(digests)
            told(rows)
            if not any(row.state in OPEN for row in rows):
                return rows
            for process in [each for each in crew if not each.is_alive()]:
                crew.remove(process)
                process.join()
                store.give_back(name_of(process.pid or 0))
            if (fault := _taken(faults)) is not None:
                raise OutputError(fault)
            # One that finds nothing left ends by itself; what another coordinator's worker loses comes back as waiting.
            for _ in range(min(workers - len(crew), store.free(digests))):
                process = context.Process(target=work, args=(url, source, runs, cache, faults), daemon=True)
                process.start()
                crew.append(process)
            time.sleep(POLL)
    finally:
        for process in crew:
            process.terminate()
        for process in crew:
            process.join()
            store.give_back(name_of(process.pid or 0))


def _taken(faults: Any) -> str | None:
    try:
        return str(faults.get_nowait())
    except queue.Empty:
        return None
