"""A training under way on the command line: shown, stopped at a word from outside, sealed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from sightline.errors import TrainingError

if TYPE_CHECKING:
    from sightline.cli.display import Display
    from sightline.recipe import Recipe
    from sightline.training import Session

REPORTING = 2.5
"""Times that it took to load the libraries: what the page and the rest of the end need of a time budget."""
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


def begin(
    source: str,
    recipe: Recipe,
    *,
    out: str | None,
    overwrite: bool,
    resume: bool,
    print_recipe: bool,
    quiet: bool,
    folder: Path | None = None,
) -> None:
    """Begin a run, or go on with the one that is there, or print what its recipe comes to.

    Args:
        source: what is trained on.
        recipe: as it was asked for.
        out: the run's directory.
        overwrite: take the place of an earlier run there.
        resume: go on with an earlier one where there is one.
        print_recipe: print the resolved recipe, and train nothing.
        quiet: print only the result.
        folder: where relative paths in the recipe begin; None for the current one.

    Raises:
        UsageError: options that do not go together.
        SystemExit: as `carry_out`.
    """
    if print_recipe and (out or overwrite):
        raise click.UsageError("--print-recipe writes nothing: leave out --out and --overwrite.")
    if overwrite and not out:
        raise click.UsageError("--overwrite wants the run to replace: --out DIR.")
    if resume and (overwrite or print_recipe):
        raise click.UsageError("--resume auto goes on where it can: leave out --overwrite and --print-recipe.")
    from sightline.cli.display import Display

    display = Display(quiet=quiet or print_recipe)
    display.hello()
    from sightline.training import prepare, start, survey

    if print_recipe:
        from sightline.recipe import to_toml

        resolved = survey(source, recipe, progress=display.progress).resolved
        click.echo(to_toml(resolved.recipe, resolved.reasons), nl=False)
        return
    if resume:
        from sightline.training.directory import finished
        from sightline.training.resume import earlier

        if (run := earlier(source, recipe, out)) is not None:
            if finished(run):
                display.finished(run)
            else:
                go_on_at(run, display)
            return
        overwrite = out is not None  # what is there has nothing to go on from
    from sightline.training.directory import made
    from sightline.training.tracking import require

    require(recipe)
    begun = _begun()
    ending = REPORTING * (time.monotonic() - begun)
    with made(out, source=source, overwrite=overwrite) as path, display:
        surveyed = survey(source, recipe, progress=display.progress, folder=folder)
        display.survey(surveyed)
        prepared = prepare(surveyed, progress=display.progress)
        display.prepared(prepared)
        session = start(prepared, path, begun=begun, ending=ending, progress=display.progress)
        carry_out(session, display)


def _begun() -> float:
    """Return when this process began, on the clock of `time.monotonic`."""
    import psutil

    created: float = psutil.Process().create_time()
    return time.monotonic() - (time.time() - created)


def carry_out(session: Session, display: Display) -> None:
    """Train to the end and seal, or stop with a checkpoint.

    Raises:
        SystemExit: a signal came; its code is 128 more than the signal's number.
    """
    from sightline.training import Stopped, observed

    display.session(session)
    with Stopping() as stopping:
        try:
            with observed(session, warn=display.result) as look:
                for event in session.events(stop=stopping.asked):
                    look(event)
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
    from sightline.report import read, write

    display.result(f"Report: {write(read(session.path))}")


def go_on_at(path: Path, display: Display, *, allow_different: bool = False) -> None:
    """Go on with the run at `path` from its newest intact checkpoint.

    Raises:
        SystemExit: as `carry_out`.
    """
    from sightline.training import prepare, survey, tracking
    from sightline.training.directory import locked, required
    from sightline.training.resume import find, go_on

    with locked(required(path)), display:
        resumable = find(path)
        tracking.require(resumable.recipe)
        display.resumable(resumable)
        progress = display.progress
        surveyed = survey(resumable.source, resumable.recipe, progress=progress, folder=resumable.folder)
        prepared = prepare(surveyed, progress=progress)
        session = go_on(resumable, prepared, allow_different=allow_different, warn=display.different, progress=progress)
        carry_out(session, display)
