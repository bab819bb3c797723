"""What looks on while a session trains, without a part in it: other tools that follow the run, counters of energy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

from sightline.recipe.choices import settled
from sightline.training import directory, energy
from sightline.training.events import EpochEnd, Event
from sightline.training.session import Session
from sightline.training.times import append
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
    counters = energy.counters(settled(session.recipe.training.device))
    times, begun = session.path / directory.TIMES, time.monotonic()

    def note(event: str, **values: object) -> None:
        append(times, {"event": event, **values, "since_start": round(time.monotonic() - begun, 3)})

    def note_energy() -> None:
        if taken := meter.taken():
            note("energy", counters={name: asdict(each) for name, each in taken.items()})

    def look(event: Event) -> None:
        if isinstance(event, EpochEnd):
            note_energy()
            tracking.update()

    machine = session.prepared.machine
    names = [counter.name for counter in counters]
    note("machine", device=machine.device, name=machine.name, threads=machine.threads, energy=names)
    outcome: Outcome = "stopped"
    with energy.Meter(counters) as meter:
        try:
            yield look
            outcome = "finished" if directory.finished(session.path) else "stopped"
        except Exception:
            outcome = "failed"
            raise
        finally:
            note_energy()
            tracking.end(outcome)
