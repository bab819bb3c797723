"""Faults of the steps: too long, too short, away from the goal, or none that could be felt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule, higher_rate, lower_rate, other_start, usual, usual_rate_again
from sightline.diagnosis.history import History, Line
from sightline.recipe.choices import settled

LONG = 0.03
"""Update over weight: the step rewrites the layer."""
SHORT = 3e-5
GROWN = 1.1
"""Loss over the lowest so far."""
PATIENCE = 0.3
"""Share of the epochs before which it is too early to say that nothing is learned."""
GOOD = 0.85
"""Training accuracy from which long steps have done no harm that one would notice."""
REFERENCE = 'Lecture, "Learning rate"; Goodfellow, Bengio and Courville, Deep learning (2016), 11.4.1.'
DRAWN = "size of a step over the size of the weights"
LEARNS = 0.97
"""Share of the loss of guessing below which something was learned."""


def rate_too_high(history: History) -> Finding | None:
    """A step beyond the valley's other side is higher than where it came from."""
    steps = history.probes
    if len(steps) < 4 or not history.epochs:
        return None
    curve = _updates(steps)
    largest = max(ratio for _, ratio in curve)
    rising = [each for each in steps if (each["loss_after"] or math.inf) > (each["loss"] or math.inf)]
    # Long steps are no fault where the loss falls all the same.
    troubled = _learned_little(history) or (len(rising) >= len(steps) / 3 and _accuracy(history) < GOOD)
    # Muon's steps are as long as its rate says: a tenth or more of the weights, whose norm it holds.
    muon = history.recipe.optimizer.name == "muon"
    if largest < (2.0 * usual(history.recipe) if muon else LONG) or not troubled:
        return None
    rate = settled(history.recipe.optimizer.learning_rate)
    return Finding(
        code="rate-too-high",
        severity="error",
        says=f"Steps changed the weights by up to {largest:.0%} of their size, and {len(rising)} of {len(steps)} steps "
        "that were looked at made the loss larger.",
        step=int(steps[-1]["step"]),
        evidence={
            "update over weight, largest": largest,
            "steps that made it worse": len(rising) / len(steps),
            "learning_rate": rate,
        },
        reason="The gradient tells the way down only nearby: a step longer than twice that to the bottom of the valley "
        "ends higher than it began. About a thousandth of the weights a step is usual.",
        reference=REFERENCE,
        change=lower_rate(history.recipe),
        curve=curve,
        drawn=DRAWN,
    )


def rate_too_low(history: History) -> Finding | None:
    """Steps that hardly change anything need more epochs than there are."""
    steps = [each for each in history.probes if each["step"] >= 4]
    if len(steps) < 3 or not history.epochs:
        return None
    curve = _updates(steps)
    largest = max(ratio for _, ratio in curve)
    if largest > SHORT or history.recipe.transfer.weights:
        return None
    rate = settled(history.recipe.optimizer.learning_rate)
    return Finding(
        code="rate-too-low",
        severity="error",
        says=f"No step that was looked at changed the weights by more than {largest:.1e} of their size.",
        step=int(steps[-1]["step"]),
        evidence={"update over weight, largest": largest, "learning_rate": rate},
        reason="About a thousandth of the weights a step is usual; at a hundredth of that, a training of usual length "
        "ends where it began.",
        reference=REFERENCE,
        change=higher_rate(history.recipe),
        curve=curve,
        drawn=DRAWN,
    )


def diverging(history: History) -> Finding | None:
    """A loss that grows, or is no number any more."""
    curve = history.training("loss")
    broke = bool(history.failure)
    if not broke:
        if len(curve) < 2:
            return None
        best, last = min(loss for _, loss in curve), curve[-1][1]
        if last < GROWN * best or last < math.log(max(history.classes, 2)):
            return None
    change = lower_rate(history.recipe)
    if history.recipe.optimizer.clip_norm == 0:
        change["optimizer.clip_norm"] = 1.0
    says = (
        "The training broke down: a loss or a gradient that is not finite."
        if broke
        else f"The training loss has grown from {best:.3g} to {last:.3g}."
    )
    return Finding(
        code="diverging",
        severity="error",
        says=says,
        step=history.step,
        evidence={"learning_rate": settled(history.recipe.optimizer.learning_rate)},
        reason="Steps that lead uphill lead to steeper places, where the gradient and the next step are larger still. "
        "A lower rate goes downhill, and a clipped gradient bounds the step where it is steep.",
        reference='Lecture: "Lower learning rate!"; Pascanu, Mikolov and Bengio (2013), for clipping.',
        change=change,
        curve=tuple(curve),
        drawn="training loss by epoch",
    )


def no_learning(history: History) -> Finding | None:
    """A network that does no better than guessing after epochs."""
    curve = history.training("loss")
    # A rate that rises at first leaves the first epochs little to learn with.
    if len(curve) < max(2, math.ceil(PATIENCE * history.length)) or not history.classes:
        return None
    guessing = math.log(history.classes)
    images = int(history.start["images"])
    chance = 1.0 / history.classes
    accuracy = history.training("accuracy")[-1][1]
    # Guessing the most frequent class is no learning either; a probe's pictures tell whether the input matters at all.
    ignores = [each for each in history.probes[-2:] if _ignores(each)]
    if not (len(ignores) == 2 or accuracy < chance + 3.0 * math.sqrt(chance * (1.0 - chance) / images)):
        return None
    if curve[-1][1] < LEARNS * guessing:
        return None
    change = other_start(history.recipe) | usual_rate_again(history.recipe)
    return Finding(
        code="no-learning",
        severity="error",
        says=f"After {len(curve)} epochs the training loss is {curve[-1][1]:.3f}, where guessing has {guessing:.3f}.",
        step=history.step,
        evidence={"training loss": curve[-1][1], "loss of guessing": guessing, "training accuracy": accuracy},
        reason="A network that learns anything is soon below ln K. Where it is not, the steps are too short or far too "
        "long, the signal does not reach the last layer, or the labels have nothing to do with the pictures.",
        reference="Karpathy, A recipe for training neural networks (2019).",
        change=change,
        curve=tuple(curve),
        drawn="training loss by epoch",
    )


def _learned_little(history: History) -> bool:
    """Return whether training is hardly better than guessing."""
    return history.training("loss")[-1][1] > 0.9 * math.log(max(history.classes, 2))


def _accuracy(history: History) -> float:
    """Return the accuracy on training pictures, as far as it is known."""
    return history.training("accuracy")[-1][1]


def _ignores(probe: Line) -> bool:
    """Return whether labels of other pictures fit a network's scores as well as the true ones."""
    return bool(probe["shuffled"] is not None and probe["shuffled"] - probe["cross_entropy"] < 0.02)


def _updates(probes: Sequence[Line]) -> tuple[tuple[int, float], ...]:
    """Return each probe's step, and the median over the layers of update over weight."""
    layers = ([each["update"] for each in probe["layers"] if each.get("update") is not None] for probe in probes)
    return tuple((int(probe["step"]), median(each or [0.0])) for probe, each in zip(probes, layers, strict=True))


RULES: tuple[Rule, ...] = (rate_too_high, rate_too_low, diverging, no_learning)
