"""What long work reports to; the command line draws a bar from it, a library caller may pass nothing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """One task at a time: start, advance any number of times, finish. Always called from one thread."""

    def start(self, task: str, total: int | None) -> None:
        """Begin `task`, with `total` units of work or None where that is unknown."""

    def advance(self, n: int = 1) -> None:
        """Say that `n` more units are done."""

    def finish(self) -> None:
        """End the task, also after a failure."""


class Silent:
    """Progress that nobody sees."""

    def start(self, task: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, n: int = 1) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""
