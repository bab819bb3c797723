"""What the training loop yields: plain data, one class per thing that happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sightline.diagnosis import Finding
from sightline.training.metrics import Metrics


@dataclass(frozen=True)
class StageStart:
    """A stage of transfer learning begins, or goes on."""

    name: str
    """`head` or `all`."""
    number: int
    """1 for the first."""
    of: int
    epochs: int
    learning_rate: float
    """At the peak of the schedule, of the layer that has the largest."""
    trained: int
    """Numbers that are trained."""
    frozen: int
    """Numbers that stay as they are."""
    batch_norm: str
    """What happens to the statistics of batch normalization, in a sentence; empty where there is none."""
    rates: Mapping[str, float]
    """Of each layer that is trained, from the input to the head, at the peak."""
    says: tuple[str, ...]
    """What else is to be known, one sentence each."""


@dataclass(frozen=True)
class EpochStart:
    """An epoch begins."""

    epoch: int
    """1 for the first."""
    epochs: int
    steps: int
    """Steps that this epoch will take."""
    images: int


@dataclass(frozen=True)
class StepEnd:
    """The weights were updated once."""

    epoch: int
    step: int
    """Steps taken since the training began."""
    images: int
    """Pictures in this step."""
    loss: float
    """Mean loss of the step's pictures, smoothing and class weights included."""
    learning_rate: float
    right: float
    """Pictures of this step whose class was the likeliest before the update, weighted where pictures have weights."""


@dataclass(frozen=True)
class EpochEnd:
    """Every training picture was seen once more, and the validation pictures were judged."""

    epoch: int
    step: int
    learning_rate: float
    training_loss: float
    """Mean over the epoch's pictures while the weights were changing."""
    training_accuracy: float
    validation: Metrics | None
    """None where the recipe holds out nothing for validation."""
    best: bool
    """These weights are the best so far by validation loss."""


@dataclass(frozen=True)
class Found:
    """Something is wrong with the training, or was noticed about it; it is in the log already."""

    finding: Finding


@dataclass(frozen=True)
class Replanned:
    """The machine became slower or faster, so that a training with a time budget takes other steps than it had."""

    step: int
    """Steps taken so far."""
    steps: int
    """Steps in all from now on."""
    planned: int
    """Steps in all as planned at first."""
    epochs: int
    """The epoch in which it ends."""


@dataclass(frozen=True)
class Stopped:
    """The training was asked to stop; its state is in a checkpoint."""

    epoch: int
    """The epoch under way, or the last one where it was just completed."""
    step: int


Event = StageStart | EpochStart | StepEnd | EpochEnd | Found | Replanned | Stopped
