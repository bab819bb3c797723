"""How good predictions are: loss, accuracy and its kin, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray


@dataclass(frozen=True)
class Metrics:
    """The judgment over one set of pictures. Shares run from 0 to 1."""

    images: int
    loss: float
    """Mean cross-entropy in nats, without smoothing or class weights. Of a sealed model it is with its temperature, of
    an epoch without one."""
    accuracy: float
    balanced_accuracy: float
    """Mean recall over the classes that occur."""
    top5: float
    """Share of pictures whose class is among the five likeliest."""
    macro_f1: float
    """Mean over the classes, that occur or were predicted, of 2·precision·recall / (precision + recall)."""
    precision: tuple[float, ...]
    """Per class: right among those predicted as it; 0 where none was."""
    recall: tuple[float, ...]
    """Per class: found among those that are it; 0 where there is none."""
    confusion: tuple[tuple[int, ...], ...]
    """Row: true class; column: predicted class."""

    def brief(self) -> dict[str, Any]:
        """Return what is said of pictures that are looked at for comparison only."""
        return {"images": self.images, "loss": self.loss, "accuracy": self.accuracy}

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON."""
        return {
            "images": self.images,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "top5": self.top5,
            "macro_f1": self.macro_f1,
            "precision": list(self.precision),
            "recall": list(self.recall),
            "confusion": [list(row) for row in self.confusion],
        }


def measure(log_probabilities: Float[np.ndarray, "image class"], labels: Int[np.ndarray, " image"]) -> Metrics:
    """Return the metrics of predictions.

    Args:
        log_probabilities: natural logarithm of each class's probability, finite or −∞.
        labels: true classes, at least one.

    Equal probabilities: the class of the lower index is the prediction; for top-5 the tied classes of lower index
    come first, so that nothing is counted as found by luck.
    """
    count, classes = log_probabilities.shape
    rows = np.arange(count)
    predicted = log_probabilities.argmax(axis=1)
    of_label = log_probabilities[rows, labels][:, None]
    before = (log_probabilities > of_label).sum(axis=1)
    tied_before = ((log_probabilities == of_label) & (np.arange(classes) < labels[:, None])).sum(axis=1)

    confusion = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
    confusion = confusion.reshape(classes, classes)
    right = np.diag(confusion).astype(np.float64)
    true, chosen = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _share(right, chosen), _share(right, true)
    f1 = _share(2 * right, true + chosen)
    return Metrics(
        images=count,
        loss=float(-log_probabilities[rows, labels].astype(np.float64).mean()),
        accuracy=float(right.sum() / count),
        balanced_accuracy=float(recall[true > 0].mean()),
        top5=float((before + tied_before < 5).mean()),
        macro_f1=float(f1[true + chosen > 0].mean()),
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
    )


def most_confused(confusion: Sequence[Sequence[int]] | NDArray[np.int64], most: int) -> list[tuple[int, int, int]]:
    """Return the most frequent mistakes: true class, predicted class and how many; on a tie, in the classes' order."""
    wrong = np.array(confusion)
    np.fill_diagonal(wrong, 0)
    true, predicted = np.nonzero(wrong)
    counts = wrong[true, predicted]
    order = np.argsort(-counts, kind="stable")[:most]
    return [(int(true[at]), int(predicted[at]), int(counts[at])) for at in order]


def _share(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
