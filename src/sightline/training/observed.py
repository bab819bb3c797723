"""What looks on while a session trains, without a part in it: other tools that follow the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from sightline.training import directory
from sightline.training.events import EpochEnd, Event
from sightline.training.session import Session
from sightline.training.tracking import Outcome, Tracking, warn_by_logging


@contextlib.contextmanager
def observed(session: Session, *, warn: Callable[[str], None] = warn_by_logging) -> Iterator[Callable[[Event], None]]:
    """Follow a training: give each of its events to what this yields, and seal inside too.

        with observed(session) as look:
            for event in session.events():
                look(event)
            session.seal()

    Args:
        session: before its first step, or before it goes on.
        warn: told of what fails on the way; the training does not.
    """
    tracking = Tracking(session.path, session.recipe, warn=warn)

    def look(event: Event) -> None:
        if isinstance(event, EpochEnd):
            tracking.update()

    outcome: Outcome = "stopped"
    try:
        yield look
        outcome = "finished" if directory.finished(session.path) else "stopped"
    except Exception:
        outcome = "failed"
        raise
    finally:
        tracking.end(outcome)
