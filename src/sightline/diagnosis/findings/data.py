"""Faults of the labels, as training and held-out pictures show them."""

from __future__ import annotations

import math

import numpy as np

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule
from sightline.diagnosis.history import History, Predicted

NAMED = 12
"""Suspicious pictures that are named."""
LEAST_WRONG, NOISY = 30, 0.05
BLIND = 0.7
"""Area under the curve below which confidence hardly tells wrong from right."""
LISTED = 5
"""Classes that are named."""
FEWEST = 5
"""Pictures of a class from which it is strange that none is predicted as it."""


def labels_shuffled(history: History) -> Finding | None:
    """What is learned by heart, but holds for no other picture, was no rule."""
    accuracy = history.validation("accuracy")
    if len(accuracy) < 3 or not history.classes:
        return None
    last = history.epochs[-1]["validation"]
    rows = np.array(last["confusion"]).sum(axis=1)
    rows = rows[rows > 0]
    if len(rows) < 2:
        return None  # where every picture is of one class, all are right by guessing
    guess = float(rows.max() / rows.sum())
    doubt = 3.0 * math.sqrt(guess * (1.0 - guess) / rows.sum())
    learned = history.training("accuracy")[-1][1]
    if max(value for _, value in accuracy[-3:]) > guess + doubt or learned < guess + 2.0 * doubt:
        return None
    # Where classes are uneven, guessing the most frequent has a good accuracy; the mean over classes knows better.
    fair = 1.0 / len(rows)
    doubt_of_classes = 3.0 * math.sqrt(fair * (1.0 - fair) * float((1.0 / rows).sum())) / len(rows)
    if max(value for _, value in history.validation("balanced_accuracy")[-3:]) > fair + doubt_of_classes:
        return None
    # Of a network whose inference is broken, or which is judged on other pictures, nothing can be said of labels.
    clean = history.recent("inference", last=2)
    if clean is None or clean > math.log(history.classes):
        return None
    return Finding(
        code="labels-shuffled",
        severity="error",
        says=f"{learned:.0%} of the training pictures are right, but only {accuracy[-1][1]:.0%} of the validation "
        f"pictures, where guessing the most frequent class has {guess:.0%}.",
        step=history.step,
        evidence={"training accuracy": learned, "validation accuracy": accuracy[-1][1], "guessing": guess},
        reason="A network can learn any labels by heart, random ones too; what it has then learned says nothing of "
        "other pictures. See whether files and labels belong together (an order that was changed, a column that is "
        "off by one). No recipe mends labels.",
        reference="Zhang, Bengio, Hardt, Recht and Vinyals, Understanding deep learning requires rethinking "
        "generalization (2017).",
        curve=tuple(accuracy),
        drawn="validation accuracy by epoch",
    )


def labels_noisy(history: History) -> Finding | None:
    """A wrong label is contradicted with as much confidence as a right one is confirmed."""
    wrong = [each for each in history.said if each.true != each.predicted]
    right = [each for each in history.said if each.true == each.predicted]
    if len(wrong) < LEAST_WRONG or len(wrong) < NOISY * len(history.said) or len(right) < len(wrong):
        return None
    area = _area(right, wrong)
    if area > BLIND:
        return None
    suspicious = sorted(wrong, key=lambda each: -each.confidence)[:NAMED]
    return Finding(
        code="labels-noisy",
        severity="warning",
        says=f"{len(wrong):,} of {len(history.said):,} held-out pictures contradict their label, and the model is "
        "about as sure of them as of those that it has right.",
        step=history.step,
        evidence={"wrong": len(wrong) / len(history.said), "area under the curve of confidence": area},
        reason="Where pictures are hard, a model is unsure of its mistakes; where labels are wrong, the mistake is the "
        "label's. Look at the pictures named here and mend their labels. No recipe mends them, and accuracy on "
        "wrong labels says little of the model.",
        reference="Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty in dataset labels (2021).",
        pictures=tuple(each.name for each in suspicious),
    )


def class_never_predicted(history: History) -> Finding | None:
    """A rare class can be left out at little loss, so it is."""
    if len(history.epochs) < 2 or not history.epochs[-1].get("validation") or not history.ended:
        return None  # what ends is seen once it has settled
    judged = history.sealed.get("validation") or history.epochs[-1]["validation"]
    confusion = np.array(judged["confusion"])
    accuracy = np.trace(confusion) / confusion.sum()
    never = [k for k in range(len(confusion)) if confusion[k].sum() >= FEWEST and confusion[:, k].sum() == 0]
    # A network that predicts hardly anything else has another fault.
    if not never or len(never) > len(confusion) / 2:
        return None
    names = ", ".join(history.class_names[k] if history.class_names else str(k) for k in never[:LISTED])
    if len(never) > LISTED:
        names += f" and {len(never) - LISTED:,} other classes"
    return Finding(
        code="class-never-predicted",
        severity="error",
        says=f"No validation picture is predicted as {names}.",
        step=history.step,
        evidence={
            "classes never predicted": len(never),
            "validation pictures of them": int(confusion[never].sum()),
            "accuracy": float(accuracy),
        },
        reason="Each picture counts the same in the loss, so that a class with few of them can be given up at little "
        "cost; weights that make the classes count the same take that way out.",
        reference="King and Zeng, Logistic regression in rare events data (2001); Buda et al., A systematic study of "
        "the class imbalance problem in convolutional neural networks (2018).",
        change={"loss.class_weights": "balanced"} if history.recipe.loss.class_weights != "balanced" else {},
    )


def _area(right: list[Predicted], wrong: list[Predicted]) -> float:
    """Return how often the model is surer of what it has right than of what it has wrong: 1/2 where it cannot tell."""
    # Ranks of equals are their mean: a sure model has many pictures of confidence 1.
    _, place, counts = np.unique(
        [each.confidence for each in [*right, *wrong]], return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[place]
    above = ranks[: len(right)].sum() - len(right) * (len(right) - 1) / 2
    return float(above / (len(right) * len(wrong)))


RULES: tuple[Rule, ...] = (labels_shuffled, labels_noisy, class_never_predicted)
