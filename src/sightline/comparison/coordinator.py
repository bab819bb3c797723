"""Trials side by side: processes that train them, begun again where one dies."""

from __future__ import annotations

import os
import queue
import re
import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from sightline import processes
from sightline.comparison.store import Row, Store
from sightline.comparison.worker import work
from sightline.errors import OutputError, TrainingError

POLL = 0.2
MOST_STILLBORN = 3
"""Workers, one after the other, that ended before they had a trial."""
HOST = 50
"""Characters of a machine's name at most, so that a worker's fits into the store."""
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
        TrainingError: workers end before they begin.
    """
    context = processes.context()
    faults: Any = context.Queue()
    crew: dict[str, BaseProcess] = {}
    born, stillborn = 0, 0
    _bury_the_dead(store)
    try:
        while True:
            rows = store.rows(digests)
            told(rows)
            if not any(row.state in OPEN for row in rows):
                return rows
            for name in [name for name, process in crew.items() if not process.is_alive()]:
                process = crew.pop(name)
                process.join()
                given_back = store.give_back(name, died=True)
                stillborn = 0 if process.exitcode == 0 or given_back else stillborn + 1
            if (fault := _taken(faults)) is not None:
                raise OutputError(fault)
            if stillborn >= MOST_STILLBORN:
                raise TrainingError(
                    f"{stillborn} processes ended before they began to train (exit code {process.exitcode}). Memory "
                    "may be too small for so many at once (--workers 1); a script that compares has to do so below "
                    'if __name__ == "__main__":'
                )
            # One that finds nothing left ends by itself; what another coordinator's worker loses comes back as waiting.
            for _ in range(min(workers - len(crew), store.free(digests))):
                born += 1
                name = f"{_own(os.getpid())}{time.time_ns()}-{born}"
                crew[name] = processes.begun(context, work, url, name, source, runs, digests, cache, faults)
            time.sleep(POLL)
    finally:
        for process in crew.values():
            process.terminate()
        for name, process in crew.items():
            process.join()
            store.give_back(name, died=False)


def _own(process: int) -> str:
    """Return what the names of a coordinator's workers on this machine begin with."""
    return f"{socket.gethostname()[:HOST]}/{process}/"


def _bury_the_dead(store: Store) -> None:
    """Give back what workers of coordinators had that were killed on this machine, without waiting for their signs."""
    for name in store.at_work():
        found = re.fullmatch(r"(.*/(\d+)/)[^/]*", name)
        if found and found[1] == _own(int(found[2])) and not psutil.pid_exists(int(found[2])):
            store.give_back(name, died=True)


def _taken(faults: Any) -> str | None:
    try:
        return str(faults.get_nowait())
    except queue.Empty:
        return None
