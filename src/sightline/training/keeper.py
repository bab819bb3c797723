"""Keeping checkpoints while a training runs: when one is due, and writing it without holding up the steps."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from sightline.errors import OutputError
from sightline.training import checkpoint
from sightline.training.checkpoint import Checkpoint
from sightline.writing import sync_folder

LAST_STEP = "last-step"
SHARE = 0.01
"""Of the time that checkpoints which nobody asked for may take: short epochs do not each end with one."""


class Keeper:
    """Writes checkpoints to a folder on a thread of its own, one at a time.

    Args:
        folder: where.
        steps: updates between two; 0 does not count.
        minutes: minutes between two; 0 does not look at the clock.
        kept: how many stay.
    """

    def __init__(self, folder: Path, *, steps: int, minutes: float, kept: int) -> None:
        self._folder, self._steps, self._seconds, self._kept = folder, steps, 60.0 * minutes, kept
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sightline-checkpoint")
        self._writing: Future[None] | None = None
        self._last = time.monotonic()
        self._cost = 0.0
        try:
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
            self._mark = os.open(folder / LAST_STEP, os.O_WRONLY | os.O_CREAT, 0o666)
        except OSError as error:
            says = f"{folder}: cannot be written ({error.strerror}). Make room, or choose another --out."
            raise OutputError(says) from error

    @property
    def idle(self) -> bool:
        """Whether nothing is being written."""
        return self._writing is None or self._writing.done()

    @property
    def worth_it(self) -> bool:
        """Whether the last one is so long ago that another slows the training by no more than `SHARE`."""
        return self.idle and SHARE * (time.monotonic() - self._last) >= self._cost

    def note(self, step: int) -> None:
        """Leave word of the last step that was taken, so that whoever goes on can say how many were lost."""
        with contextlib.suppress(OSError):  # it is a convenience, and the next checkpoint will tell of a failing disk
            os.lseek(self._mark, 0, os.SEEK_SET)
            os.write(self._mark, b"%012d" % step)

    def due(self, step: int) -> bool:
        """Return whether a checkpoint is to be taken after this step; never while one is still being written."""
        if not self.idle:
            return False
        if self._steps and step % self._steps == 0:
            return True
        return self._seconds > 0 and time.monotonic() - self._last >= self._seconds

    def keep(self, take: Callable[[], Checkpoint]) -> None:
        """Take a checkpoint and have it written; wait for the one before, and raise what befell it."""
        self.wait()
        begun = time.monotonic()
        taken = take()
        self._writing = self._thread.submit(self._write, taken, begun)
        self._last = begun

    def _write(self, taken: Checkpoint, begun: float) -> None:
        checkpoint.write(self._folder, taken, kept=self._kept)
        self._cost = time.monotonic() - begun

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            OutputError: it could not be.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        os.close(self._mark)
        if error is None:
            self.wait()


def last_step(folder: Path) -> int:
    """Return the last step that a run took, as far as word of it is left."""
    try:
        return int((folder / LAST_STEP).read_bytes())
    except (OSError, ValueError):
        return 0
