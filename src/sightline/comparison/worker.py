"""A process that trains the trials of a comparison, one after the other, until none is left."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.comparison.outcome import outcome
from sightline.comparison.plan import from_asked
from sightline.comparison.store import STALE, Store, Trial
from sightline.comparison.trained import trained
from sightline.errors import BusyError, OutputError, SightlineError

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

WAIT = 5.0
"""Seconds before a worker tries again what another is at."""
LOOK = 1.0
"""Seconds after which a worker looks whether it is still wanted."""
ORPHANED = 70
"""Exit code of a worker that is not."""


def work(
    url: str, name: str, source: Any, runs: Path, digests: Sequence[str], cache: Path | None, faults: Queue[str]
) -> None:
    """Train trials until none of them is left to be begun.

    Args:
        url: of the store.
        name: of this worker, which no other has.
        source: as for `train`.
        runs: the folder of the trials' runs, which are called by their digests.
        digests: of the trials that are wanted.
        cache: as for `train`.
        faults: takes why nothing can be written, so that no other trial could be trained either; the process ends.
    """
    # Whoever began this process ends it, and has a word to say first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work(Store(url), url, name, source, runs, digests, cache)
    except OutputError as error:
        faults.put(str(error))


def _work(
    store: Store, url: str, name: str, source: Any, runs: Path, digests: Sequence[str], cache: Path | None
) -> None:
    while (trial := store.claim(name, digests)) is not None:
        with _signs_of_life(url, name):
            try:
                result = _train(trial, source, runs, cache)
            except BusyError:
                # Who was given up for dead, after the machine slept, say, is still at it.
                store.give_back(name, died=False)
                time.sleep(WAIT)
            except OutputError:
                store.give_back(name, died=False)
                raise
            except SightlineError as error:
                store.failed(trial.digest, name, str(error))
            except Exception as error:  # a defect, or a library's; the other trials may be trained all the same
                store.failed(trial.digest, name, f"{type(error).__name__}: {error}")
            else:
                store.done(trial.digest, name, result)
    store.close()


def _train(trial: Trial, source: Any, runs: Path, cache: Path | None) -> dict[str, Any]:
    return outcome(trained(source, from_asked(trial.recipe), runs / trial.digest, cache=cache))


class _signs_of_life:  # noqa: N801 - used as a function is
    """Tell the store every few seconds that a worker is at work, while the body runs.

    A worker ends where the process that began it is no more: nobody would know of it.
    """

    def __init__(self, url: str, worker: str) -> None:
        self._url, self._worker = url, worker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def _tell(self) -> None:
        store, parent, last = Store(self._url), parent_process(), time.monotonic()
        while not self._over.wait(LOOK):
            if parent is not None and not parent.is_alive():
                os._exit(ORPHANED)
            if time.monotonic() - last > STALE / 5.0:
                with contextlib.suppress(OutputError):  # one that is kept by another may be free the next time
                    store.alive(self._worker)
                last = time.monotonic()
        store.close()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
