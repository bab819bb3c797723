"""A run that is looked at again and again, and the readers who are told when it has changed."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError
from sightline.serving.view import View, look, trace

if TYPE_CHECKING:
    import anyio


@dataclass(frozen=True)
class Pace:
    """How often and how long, in seconds."""

    look: float = 0.5
    """Between two looks at the size and the time of the run's files."""
    render: float = 2.0
    """At least, between two pages."""
    share: float = 0.25
    """Of one core at most is spent on pages while a training is at work."""
    heartbeat: float = 10.0
    """At most, between two words to a reader: one who has gone without a word is noticed by them."""
    grace: float = 3.0
    """A page that is loaded again has no reader for so long."""
    linger: float = 60.0
    """A run that has ended is served for so long at most."""


class Following:
    """A run under observation. All of it belongs to one event loop; only pages are made on another thread."""

    def __init__(self, path: Path, pace: Pace | None = None) -> None:
        """Look at the run for the first time.

        Raises:
            DataError: `path` is no run.
        """
        import anyio

        self._path, self._pace = path, pace or Pace()
        self._seen = trace(path)
        self._made, self._cost = time.monotonic(), 0.0
        self.view: View = look(path)
        self._ended = time.monotonic() if self.view.ended else None
        self._left = -math.inf
        self.readers = 0
        """Who listens now."""
        self.over = False
        """Whether the server ends by itself."""
        self._closing = False
        self._changed: anyio.Event = anyio.Event()

    async def follow(self, leave: Callable[[], bool] = lambda: False) -> None:
        """Keep the view up to date until the run has ended and been read, or somebody wants to leave.

        Args:
            leave: asked at every look.
        """
        import anyio

        while not (leave() or self.over):
            await anyio.sleep(self._pace.look)
            await self._refresh()
            self.over = self._enough(time.monotonic())
        self._closing = True
        self._tell()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events for one reader: where the run stands at once, and whenever that changes."""
        import anyio

        self.readers += 1
        try:
            told: View | None = None
            while not self._closing:
                changed = self._changed
                # A comment keeps the connection open and finds out whether anybody still listens.
                yield self.view.event() if self.view is not told else b": still here\n\n"
                told = self.view
                with anyio.move_on_after(self._pace.heartbeat):
                    await changed.wait()
            # Whoever is interrupted may be started anew, and readers try for that; one that is over is not.
            if self.over:
                yield self.view.event("end")
        finally:
            self.readers -= 1
            self._left = time.monotonic()

    def _enough(self, now: float) -> bool:
        """Return whether the run has ended, and whoever was to read that has."""
        if self._ended is None:
            return False
        if now - self._ended >= self._pace.linger:
            return True
        # Who left before has not seen the end.
        return not self.readers and self._left >= self._ended and now - self._left >= self._pace.grace

    async def _refresh(self) -> None:
        from anyio.to_thread import run_sync

        found = await run_sync(trace, self._path)
        wait = max(self._pace.render, self._cost / self._pace.share if found.at_work else 0.0)
        if found == self._seen or time.monotonic() - self._made < wait:
            return
        self._made = time.monotonic()
        try:
            view, self._cost = await run_sync(_timed_look, self._path)
        except SightlineError:
            # A training takes an earlier one's place file by file: what was shown stays until there is a page again.
            return
        self._seen = found
        if view != self.view:
            self.view = view
            self._ended = time.monotonic() if view.ended else None
            self._tell()

    def _tell(self) -> None:
        import anyio

        changed, self._changed = self._changed, anyio.Event()
        changed.set()


def _timed_look(path: Path) -> tuple[View, float]:
    """Return the view and the seconds of a core that it took, however long others kept it waiting."""
    begun = time.thread_time()
    return look(path), time.thread_time() - begun
