"""How training and held-out pictures differ: learned by heart, too little learned, too hard made, or leaked."""

from __future__ import annotations

import math
from typing import Any

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule, higher_rate, usual
from sightline.diagnosis.history import History
from sightline.recipe import Recipe, policies
from sightline.recipe.choices import settled

GAP = 0.05
"""Of accuracy, beyond what the number of pictures leaves in doubt."""
POOR, GOOD = 0.85, 0.95
"""Accuracies below which too little was learned, and above which there is little left to learn."""
MOST_DECAY, MOST_L2 = 0.5, 0.005
"""Above which decay holds weights down: where it is apart from the gradient, and where it is part of it."""
HARD = 0.15
"""Accuracy on pictures as they are, above that on augmented ones, where the task was made too hard."""
STANDARD_ERRORS = 3.0


def overfitting(history: History) -> Finding | None:
    """What is true of the training pictures alone was learned by heart."""
    accuracy, loss = history.validation("accuracy"), history.validation("loss")
    if len(loss) < 5 or not history.epochs:
        return None
    learned = history.training("accuracy")[-1][1]
    gap = learned - accuracy[-1][1]
    images = int(history.epochs[-1]["validation"]["images"])
    doubt = 2.0 * math.sqrt(max(accuracy[-1][1] * (1.0 - accuracy[-1][1]), 0.01) / images)
    guessing = 1.0 / max(history.classes, 2)
    if gap < GAP + doubt or learned < 0.9 or accuracy[-1][1] < 2.0 * guessing or not _late(history):
        return None
    best_epoch, best = min(loss, key=lambda each: each[1])
    return Finding(
        code="overfitting",
        severity="warning",
        says=f"{learned:.0%} of the training pictures are right and {accuracy[-1][1]:.0%} of the validation pictures; "
        f"their loss was lowest in epoch {best_epoch}.",
        step=history.step,
        evidence={
            "training accuracy": learned,
            "validation accuracy": accuracy[-1][1],
            "validation loss, lowest": best,
            "validation loss, last": loss[-1][1],
        },
        reason="With few pictures and many weights, noise of the training pictures is learned like a rule. Every "
        "transformation that yields a valid picture multiplies what there is to learn from; decay, smoothing and "
        "dropout make learning by heart dearer.",
        reference='Lecture, "Data augmentation" and "Dropout"; Goodfellow, Bengio and Courville (2016), chapter 7.',
        change=_regularized(history),
        curve=tuple(loss),
        drawn="validation loss by epoch",
    )


def underfitting(history: History) -> Finding | None:
    """Where training pictures themselves are not learned, held-out ones cannot be either."""
    # Only once it is judged: accuracy on augmented pictures says nothing of those as they are.
    if not history.sealed or len(history.epochs) < 3 or not history.classes:
        return None
    clean = history.sealed.get("training") or {}
    learned = max(history.training("accuracy")[-1][1], float(clean.get("accuracy", 0.0)))
    guessing = 1.0 / history.classes
    loss = history.training("loss")
    # Where it hardly differs from guessing it is another fault.
    if learned > POOR or learned < guessing + 0.2 * (1.0 - guessing):
        return None
    held_out = history.sealed.get("validation") or (history.epochs[-1].get("validation") or {})
    if held_out and learned - float(held_out["accuracy"]) > 2.0 * GAP:
        return None
    held, change = _held_down(history)
    return Finding(
        code="underfitting",
        severity="warning",
        says=f"Only {learned:.0%} of the training pictures themselves are right at the end; {held}.",
        step=history.step,
        evidence={"training accuracy": learned, "training loss": loss[-1][1]},
        reason="A network that does not fit what it was shown is too small, held down too much, or was stopped too "
        "soon; pictures that are new to it are no easier.",
        reference="Goodfellow, Bengio and Courville, Deep learning (2016), 5.2.",
        change=change,
        curve=tuple(history.training("accuracy")),
        drawn="training accuracy by epoch",
    )


def augmentation_too_strong(history: History) -> Finding | None:
    """Pictures that a person would not recognize either teach nothing."""
    if not history.recipe.augmentation.operations or len(history.epochs) < 3 or not history.ended:
        return None
    mixed = any(each.name in ("mixup", "cutmix") for each in history.recipe.augmentation.operations)
    if mixed:
        return None  # whose pictures have two classes, so that the accuracy of the likeliest says little
    learned = history.training("accuracy")[-1][1]
    clean = history.sealed.get("training") or {}
    validation = history.validation("accuracy")
    seen = max(float(clean.get("accuracy", 0.0)), validation[-1][1] if validation else 0.0)
    if seen - learned < HARD or learned > POOR or seen > GOOD:
        return None
    return Finding(
        code="augmentation-too-strong",
        severity="warning",
        says=f"Of augmented training pictures {learned:.0%} are right, of pictures as they are {seen:.0%}.",
        step=history.step,
        evidence={"accuracy on augmented pictures": learned, "accuracy on pictures as they are": seen},
        reason="Augmentation helps as long as it yields pictures that are valid: of the same class for whoever looks "
        "at them. Beyond that, capacity and epochs go into pictures that never come.",
        reference='Lecture, "Data augmentation": every transformation that yields a valid image; Touvron et al., '
        "Fixing the train-test resolution discrepancy (2019).",
        change=_lighter(history.recipe),
        curve=tuple(history.training("accuracy")),
        drawn="accuracy on augmented training pictures by epoch",
    )


def leak_suspected(history: History) -> Finding | None:
    """Pictures that are new to a network cannot be easier than those it was trained on, unless they are not new."""
    clean, held = history.sealed.get("training"), history.sealed.get("validation")
    if not clean or not held:
        return None
    here, there = float(held["accuracy"]), float(clean["accuracy"])
    error = math.sqrt(
        here * (1.0 - here) / max(int(held["images"]), 1) + there * (1.0 - there) / max(int(clean["images"]), 1)
    )
    if error == 0.0 or here - there < STANDARD_ERRORS * error or here - there < 0.03:
        return None
    return Finding(
        code="leak-suspected",
        severity="warning",
        says=f"{here:.1%} of the validation pictures are right, and only {there:.1%} of the training pictures, both as "
        "they are, without augmentation or dropout.",
        step=history.step,
        evidence={
            "validation accuracy": here,
            "training accuracy": there,
            "standard errors apart": (here - there) / error,
        },
        reason="Pictures that were learned from are never harder than new ones of the same kind. Where they are, the "
        "two sides differ: copies or neighboring frames of often seen training pictures lie among those of validation, "
        "or the source's own division put the easy ones there. Let Sightline divide the pictures, or divide them by "
        "whom or what they show. The accuracy reported here is too good; no recipe mends it.",
        reference="Kapoor and Narayanan, Leakage and the reproducibility crisis in machine-learning-based science "
        "(2023).",
    )


def _late(history: History) -> bool:
    """Return whether half of the training is over."""
    return len(history.epochs) >= history.length / 2


def _regularized(history: History) -> dict[str, Any]:
    recipe = history.recipe
    change: dict[str, Any] = {}
    if not recipe.augmentation.operations:
        change["augmentation"] = "standard"
    if recipe.loss.label_smoothing < 0.1:
        change["loss.label_smoothing"] = 0.1
    if recipe.optimizer.name == "adamw" and recipe.optimizer.weight_decay < 0.05:
        change["optimizer.weight_decay"] = 0.05
    if settled(recipe.network.dropout) < 0.2 and not change:
        change["network.dropout"] = 0.3
    if not change and not _is(recipe, "strong"):
        change["augmentation"] = "strong"
    return change


def _lighter(recipe: Recipe) -> dict[str, Any]:
    """Return the change to the next gentler policy."""
    order: tuple[policies.ListedPolicy, ...] = ("light", "standard", "strong")
    here = next((place for place, policy in enumerate(order) if _is(recipe, policy)), len(order))
    return {"augmentation": "none" if here == 0 else order[min(here, len(order) - 1) - 1]}


def _is(recipe: Recipe, policy: policies.ListedPolicy) -> bool:
    """Return whether the operations of a resolved recipe are those of a policy."""
    orientation: policies.SettledOrientation = settled(recipe.augmentation.orientation)
    found = recipe.augmentation.operations
    # Gray pictures have the operations of one channel, however many they are shown with.
    return any(
        found == policies.operations(policy, orientation=orientation, channels=channels)
        for channels in {1, settled(recipe.data.channels)}
    )


def _held_down(history: History) -> tuple[str, dict[str, Any]]:
    """Return the likeliest cause of too little learning, in words, and the change that takes it away."""
    recipe = history.recipe
    rate = settled(recipe.optimizer.learning_rate)
    if recipe.optimizer.weight_decay > (MOST_DECAY if recipe.optimizer.name == "adamw" else MOST_L2):
        return f"a weight decay of {recipe.optimizer.weight_decay:g} holds the weights down", {
            "optimizer.weight_decay": 0.05 if recipe.optimizer.name == "adamw" else 5e-4
        }
    if recipe.loss.label_smoothing > 0.4:
        return f"a label smoothing of {recipe.loss.label_smoothing:g} leaves little to learn", {
            "loss.label_smoothing": 0.1
        }
    if settled(recipe.network.dropout) > 0.6:
        return f"dropout drops {settled(recipe.network.dropout):.0%} of the units", {"network.dropout": 0.2}
    if rate < usual(recipe) / 5.0:
        return f"a rate of {rate:.2g} is low", higher_rate(recipe)
    network = recipe.network
    epochs = settled(recipe.training.epochs)
    if recipe.transfer.weights and recipe.transfer.depth == "head":
        return "only the last layers were trained", {"transfer.depth": "both"}
    if epochs < 10:
        return f"{epochs} epochs are few", {"training.epochs": 3 * epochs}
    if network.name in ("vgg", "swift") and not recipe.transfer.weights:
        return "the network may be too small", {"network.widths": [2 * width for width in settled(network.widths)]}
    if network.name == "resnet" and not recipe.transfer.weights:
        return "the network may be too small", {"network.width": 2 * network.width}
    return f"{epochs} epochs may be few", {"training.epochs": 2 * epochs}


RULES: tuple[Rule, ...] = (overfitting, underfitting, augmentation_too_strong, leak_suspected)
