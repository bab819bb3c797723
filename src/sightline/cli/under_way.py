"""A training under way on the command line: shown, stopped at a word from outside, sealed."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from sightline.errors import TrainingError

if TYPE_CHECKING:
    from sightline.cli.display import Display
    from sightline.training import Session

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Takes the first signal for a wish to stop after the step under way, and ends the process at the second."""

    def __init__(self) -> None:
        self.signal = 0
        """The signal that came; 0 for none."""
        self._before: dict[int, Any] = {}

    def asked(self) -> bool:
        """Return whether a signal has come."""
        return self.signal != 0

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread have handlers
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:
            os._exit(128 + number)  # whatever is being written: files appear whole or not at all
        self.signal = number
        click.echo("Stopping after this step; once more ends at once.", err=True)


def carry_out(session: Session, display: Display) -> None:
    """Train to the end and seal, or stop with a checkpoint.

    Raises:
        SystemExit: a signal came; its code is 128 more than the signal's number.
    """
    from sightline.training import Stopped

    display.session(session)
    with Stopping() as stopping:
        try:
            for event in session.events(stop=stopping.asked):
                display.event(event)
                if isinstance(event, Stopped):
                    raise SystemExit(128 + stopping.signal)
        except BaseException as error:
            # A loss that is not finite would come again.
            display.ended_early(session, resumable=not isinstance(error, TrainingError))
            raise
    display.sealed(session, session.seal())
