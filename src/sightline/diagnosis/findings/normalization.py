"""Faults of batch normalization: training and inference compute different things."""

from __future__ import annotations

from statistics import median

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule, lower_rate, usual
from sightline.diagnosis.history import History
from sightline.recipe.choices import settled

GAP = 0.5
"""Nats by which inference is worse than training on the same pictures."""
SMALL = 8
PROBES = 3


def batch_norm_mismatch(history: History) -> Finding | None:
    """The running averages are those of earlier weights, or of other pictures, so that inference fails."""
    if history.recipe.network.normalization != "batch" or len(history.probes) < PROBES + 1:
        return None
    gaps = tuple(
        (int(probe["step"]), float(probe["inference"]) - float(probe["cross_entropy"]))
        for probe in history.probes
        if probe["inference"] is not None and probe["cross_entropy"] is not None
    )
    recent = [gap for _, gap in gaps[-PROBES:]]
    if len(recent) < PROBES or median(recent) < GAP or history.probes[-1]["step"] < 50:
        return None
    shifts = [each["shift"] for each in history.probes[-1]["normalizations"] if each["shift"] is not None]
    fast = settled(history.recipe.optimizer.learning_rate) > 2.0 * usual(history.recipe)
    slower = fast or bool(history.recipe.transfer.weights)
    change = lower_rate(history.recipe) if slower else {"network.normalization": "group"}
    return Finding(
        code="batch-norm-mismatch",
        severity="error",
        says=f"On the same pictures the loss is {median(recent):.2f} higher at inference than in training: batch "
        "normalization's running averages do not fit the network.",
        step=gaps[-1][0],
        evidence={"loss at inference minus in training": median(recent), "largest shift": max(shifts, default=0.0)},
        reason="In training a batch is normalized by its own mean and variance, at inference by a running average of "
        "those of the last steps. Where steps change the network faster than the average follows, or batches are too "
        "small, the two differ: a shift that the network itself makes.",
        reference='Lecture, "Batch normalization": covariate shift; Ioffe and Szegedy (2015); Wu and Johnson, '
        "Rethinking batch in BatchNorm (2021).",
        change=change,
        curve=gaps,
        drawn="loss at inference minus loss in training, on the same pictures",
    )


def small_batch_norm(history: History) -> Finding | None:
    """Mean and variance of a few pictures are noise, which training learns with and inference does not have."""
    pictures = _batch(history)
    if history.recipe.network.normalization != "batch" or pictures >= SMALL or not history.epochs:
        return None
    transfer, parts = history.recipe.transfer, history.recipe.training.parts
    if not any(each["normalizations"] for each in history.probes):
        return None
    if transfer.weights and transfer.batch_norm == "frozen":
        return None  # whose statistics no batch has a part in
    return Finding(
        code="small-batch-norm",
        severity="warning",
        says=f"Batch normalization computes with {pictures} pictures at a time.",
        step=history.step,
        evidence={"pictures at once": pictures},
        reason="The statistics of so few pictures differ from batch to batch, so that each picture's scores depend on "
        "its company; group normalization looks at one picture alone, and larger batches have steadier statistics.",
        reference="Wu and He, Group normalization (2018), figure 1.",
        change={"training.batch_size": SMALL * parts} if transfer.weights else {"network.normalization": "group"},
    )


def _batch(history: History) -> int:
    return settled(history.recipe.training.batch_size) // history.recipe.training.parts


RULES: tuple[Rule, ...] = (batch_norm_mismatch, small_batch_norm)
