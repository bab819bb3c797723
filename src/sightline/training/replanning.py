"""What becomes of the steps ahead of a training with a time budget, and where that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.recipe import write_recipe
from sightline.training import directory
from sightline.training.events import Replanned, StepEnd
from sightline.training.resolve import with_course

if TYPE_CHECKING:
    from sightline.training.session import Session

REASON = "the machine was slower than what was measured before the first step"
"""The same whatever was measured: it is sealed in the model, and a run that goes on has to have the same bytes."""


def replanned(session: Session, event: StepEnd) -> Replanned | None:
    """Return what is decided after a step about those ahead: by the pace, or by a recipe that has it already."""
    course, pace = session.stage.course, session.pace
    decided = dict(course.replanned)
    if pace is not None and event.step not in decided:
        pace.step(course, event.epoch, event.images)
        if (steps := pace.wanted(course, event.step)) is not None:
            course.replan(event.step, steps)
            decided[event.step] = steps
            session.resolved = with_course(session.resolved, course.as_written, REASON)
            # Before any step of it: whoever goes on from here has to take the same ones.
            write_recipe(session.path / directory.RECIPE, session.recipe, session.resolved.reasons)
    if event.step not in decided:
        return None
    return Replanned(event.step, decided[event.step], course.planned_steps, course.epoch_of(decided[event.step]))
