"""Training: prepare, loop, evaluate, and the run it leaves."""

from sightline.training.assembly import start
from sightline.training.events import EpochEnd, EpochStart, Event, Found, Replanned, StageStart, StepEnd, Stopped
from sightline.training.judge import Judgment, judge
from sightline.training.metrics import Metrics, measure
from sightline.training.observed import observed
from sightline.training.prepare import Prepared, Survey, prepare, survey
from sightline.training.resolve import Resolved, resolve
from sightline.training.resume import resume
from sightline.training.run import Run, train, transfer
from sightline.training.session import Session

__all__ = [
    "EpochEnd",
    "EpochStart",
    "Event",
    "Found",
    "Judgment",
    "Metrics",
    "Prepared",
    "Replanned",
    "Resolved",
    "Run",
    "Session",
    "StageStart",
    "StepEnd",
    "Stopped",
    "Survey",
    "judge",
    "measure",
    "observed",
    "prepare",
    "resolve",
    "resume",
    "start",
    "survey",
    "train",
    "transfer",
]
