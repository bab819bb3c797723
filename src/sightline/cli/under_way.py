"""A training under way on the command line: shown, stopped at a word from outside, sealed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from sightline.errors import TrainingError

if TYPE_CHECKING:
    from sightline.cli.display import Display
    from sightline.training import Session

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """Takes the first signal for a wish to stop after the step under way, and ends the process at the second."""

    def __init__(self) -> None:
        self.signal = 0
        """The signal that came; 0 for none."""
        self.at_once = False
        """Whether there are no steps any more to be waited for."""
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
            with contextlib.suppress(OSError, AttributeError, ValueError):
                if sys.stdout.isatty():
                    os.write(sys.stdout.fileno(), SHOW_CURSOR)  # which a bar has hidden
            os._exit(128 + number)  # whatever is being written: files appear whole or not at all
        self.signal = number
        if self.at_once:
            raise SystemExit(128 + number)
        with contextlib.suppress(OSError, AttributeError, ValueError):  # closed, or never there
            # Not by print, which the signal may have interrupted.
            os.write(sys.stderr.fileno(), b"Stopping after this step; once more ends at once.\n")


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
            # Judging what was held out may take long, and `resume` does it again.
            stopping.at_once = True
            metrics = session.seal()
        except BaseException as error:
            # A loss that is not finite would come again.
            display.ended_early(session, resumable=not isinstance(error, TrainingError))
            raise
    display.sealed(session, metrics)


def go_on_at(path: Path, display: Display, *, allow_different: bool = False) -> None:
    """Go on with the run at `path` from its newest intact checkpoint.

    Raises:
        SystemExit: as `carry_out`.
    """
    from sightline.training import prepare, survey
    from sightline.training.directory import locked
    from sightline.training.resume import find, go_on, require

    with locked(require(path)), display:
        resumable = find(path)
        display.resumable(resumable)
        surveyed = survey(resumable.source, resumable.recipe, progress=display.progress)
        prepared = prepare(surveyed, progress=display.progress)
        carry_out(go_on(resumable, prepared, allow_different=allow_different, warn=display.different), display)
