"""Trainings with one fault each, and the same without it: what findings are proved on, in tests and in docs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data.arrays import open_digits
from sightline.training import train

QUICK = {
    "training.threads": 1,
    "training.precision": "float32",
    "training.batch_size": 32,
    "training.epochs": 12,
    "network": "vgg",
    "network.widths": [24, 48],
    "network.convolutions": [1, 1],
    "optimizer.learning_rate": 0.003,
    "augmentation": "none",
    "data.test_fraction": 0.3,
}
"""A small training on the digits, which comes to about 98 % when nothing is wrong with it."""
PLAIN = {**QUICK, "network.normalization": "none"}
TRANSFER = {
    "training.threads": 1,
    "training.precision": "float32",
    "training.batch_size": 32,
    "training.epochs": 8,
    "transfer.head_epochs": 4,
    "transfer.depth": "both",
    "augmentation": "none",
    "data.test_fraction": 0.3,
}
DEEP = {"network.widths": [16, 16, 16], "network.convolutions": [4, 4, 4]}
Source = tuple[Any, dict[str, Any]]
"""Pictures to train on, and what the recipe has to say of them."""
Make = Callable[[Path, int], Source]
"""What makes the pictures of a training, in a folder of its own, by a seed."""


def digits(_folder: Path, _seed: int) -> Source:
    """The embedded digits."""
    return "digits", {}


def _arrays(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    source = open_digits()
    images = np.stack([source.read(index) for index in range(len(source.labels))])
    return images, source.labels.astype(np.int64), np.random.default_rng(seed)


def shuffled_labels(_folder: Path, seed: int) -> Source:
    """Digits whose labels have nothing to do with them."""
    images, labels, generator = _arrays(seed)
    return (images, generator.permutation(labels)), {}


def noisy_labels(_folder: Path, seed: int) -> Source:
    """Digits of which a quarter have the label of another class."""
    images, labels, generator = _arrays(seed)
    wrong = generator.random(len(labels)) < 0.25
    return (images, np.where(wrong, (labels + generator.integers(1, 10, len(labels))) % 10, labels)), {}


def rare_class(_folder: Path, seed: int) -> Source:
    """Digits of which the threes, eights and nines are rare."""
    images, labels, generator = _arrays(seed)
    keep = ~np.isin(labels, (3, 8, 9)) | (generator.random(len(labels)) < 0.1)
    return (images[keep], labels[keep]), {}


def leaking(folder: Path, seed: int) -> Source:
    """Digits with noisy labels, whose validation pictures are copies of well labelled ones that occur often."""
    images, clean, generator = _arrays(seed)
    often = generator.permutation(len(clean))[:100]
    wrong = generator.random(len(clean)) < 0.25
    wrong[often] = False
    labels = np.where(wrong, (clean + generator.integers(1, 10, len(clean))) % 10, clean)

    def copies(times: int) -> np.ndarray:
        found = np.repeat(images[often], times, axis=0).astype(np.int64)
        return np.clip(found + generator.integers(-6, 7, found.shape), 0, 255).astype(np.uint8)

    rest = np.setdiff1d(np.arange(len(labels)), often)
    train, test = rest[:1000], rest[1000:]
    path = folder / "leaking.npz"
    np.savez(
        path,
        train_images=np.concatenate([images[train], copies(6)]),
        train_labels=np.concatenate([labels[train], np.repeat(labels[often], 6)]),
        validation_images=copies(2),
        validation_labels=np.repeat(labels[often], 2),
        test_images=images[test],
        test_labels=labels[test],
    )
    return str(path), {}


def known_before(folder: Path, seed: int) -> Source:
    """The digits from 5 on, for weights that were trained on those below 5."""
    images, labels, _ = _arrays(seed)
    earlier, weights = folder / "earlier.npz", folder / "earlier"
    low = labels < 5
    np.savez(earlier, images=images[low], labels=labels[low])
    if not (weights / "model.safetensors").is_file():
        train(str(earlier), {**QUICK, "training.seed": seed}, out=weights, overwrite=True)
    return (images[~low], labels[~low]), {"transfer.weights": str(weights), "transfer.source_data": str(earlier)}


@dataclass(frozen=True)
class Case:
    """A training in which one thing is wrong."""

    code: str
    """The finding that is to fire."""
    says: str
    """What is wrong, in a few words."""
    sick: Mapping[str, Any]
    healthy: Mapping[str, Any] = field(default_factory=lambda: QUICK)
    source: Make = digits
    healthy_source: Make = digits


CASES = (
    Case(
        "dead-units",
        "steps so large that units die",
        {**PLAIN, "optimizer": "adam", "optimizer.learning_rate": 0.3},
        PLAIN,
    ),
    Case(
        "saturated-units",
        "tanh with weights drawn far too large",
        {**PLAIN, "network.activation": "tanh", "network.initialization": {"name": "normal", "std": 1.0}},
        {**PLAIN, "network.activation": "tanh"},
    ),
    Case(
        "vanishing-gradient",
        "twelve layers of sigmoids",
        {**PLAIN, **DEEP, "network.activation": "sigmoid"},
        {**QUICK, **DEEP},
    ),
    Case(
        "exploding-gradient",
        "thirteen layers of large weights",
        {**PLAIN, **DEEP, "network.initialization": {"name": "normal", "std": 0.4}},
        {**QUICK, **DEEP},
    ),
    Case(
        "not-zero-centered",
        "sigmoids in every layer",
        {**PLAIN, "network.activation": "sigmoid"},
        {**PLAIN, "network.activation": "tanh"},
    ),
    Case(
        "bad-initialization",
        "weights drawn far too small for their depth",
        {**PLAIN, **DEEP, "network.initialization": {"name": "normal", "std": 0.01}},
        {**QUICK, **DEEP},
    ),
    Case(
        "rate-too-high",
        "fifty times the usual rate",
        {**QUICK, "optimizer": "momentum", "optimizer.learning_rate": 5.0},
    ),
    Case("rate-too-low", "a thousandth of the usual rate", {**QUICK, "optimizer.learning_rate": 3e-6}),
    Case(
        "diverging",
        "a rate at which the loss grows beyond all bounds",
        {
            **PLAIN,
            "network.activation": "leaky_relu",
            "optimizer": "momentum",
            "optimizer.learning_rate": 1.0,
        },
        {**PLAIN, "network.activation": "leaky_relu"},
    ),
    Case("no-learning", "no step that could be felt", {**QUICK, "optimizer": "sgd", "optimizer.learning_rate": 1e-5}),
    Case(
        "overfitting",
        "few pictures, seen often and always alike",
        {
            **QUICK,
            "training.epochs": 100,
            "training.batch_size": 16,
            "data.validation_fraction": 0.3,
            "data.training_per_class": 6,
            "network.dropout": 0.0,
            "loss.label_smoothing": 0.0,
            "optimizer.weight_decay": 0.0,
        },
    ),
    Case(
        "underfitting",
        "a decay that holds the weights down",
        {**PLAIN, "optimizer": "adam", "optimizer.weight_decay": 0.3},
        PLAIN,
    ),
    Case(
        "batch-norm-mismatch",
        "a high rate to the end",
        {
            **QUICK,
            "optimizer": "momentum",
            "optimizer.learning_rate": 1.0,
            "schedule": "constant",
            "training.epochs": 3,
        },
    ),
    Case("small-batch-norm", "batches of two pictures", {**QUICK, "training.batch_size": 2, "training.epochs": 2}),
    Case(
        "labels-shuffled",
        "labels that have nothing to do with the pictures",
        {
            **QUICK,
            "training.epochs": 40,
            "network.widths": [64, 64],
            "network.dropout": 0.0,
            "loss.label_smoothing": 0.0,
        },
        source=shuffled_labels,
    ),
    Case("labels-noisy", "a quarter of the labels is wrong", {**QUICK, "training.epochs": 6}, source=noisy_labels),
    Case(
        "class-never-predicted",
        "three classes are rare",
        {**QUICK, "training.epochs": 6, "data.validation_fraction": 0.3},
        source=rare_class,
    ),
    Case(
        "augmentation-too-strong",
        "noise and covers that leave little to see",
        {
            **{name: value for name, value in QUICK.items() if name != "augmentation"},
            "augmentation.operations": [
                {"name": "gaussian_noise", "deviation": [0.4, 0.6]},
                {"name": "erasing", "probability": 0.5, "area": [0.2, 0.5]},
            ],
        },
    ),
    Case(
        "leak-suspected",
        "copies of training pictures among those of validation",
        {**QUICK, "training.epochs": 6},
        source=leaking,
    ),
    Case(
        "input-not-standardized",
        "pixels as they are",
        {
            **PLAIN,
            "preprocessing.center": "none",
            "preprocessing.scale": "none",
            "optimizer": "sgd",
            "optimizer.learning_rate": 0.05,
        },
        {**PLAIN, "optimizer": "sgd", "optimizer.learning_rate": 0.05},
    ),
    Case(
        "unused-capacity",
        "ten times the width that these pictures ask for",
        {**QUICK, "network.widths": [256, 512], "training.epochs": 6},
    ),
    Case(
        "forgetting",
        "a second training at the rate of the first",
        {**TRANSFER, "transfer.rate_factor": 1.0, "transfer.layer_decay": 1.0, "transfer.distillation": 0.0},
        TRANSFER,
        source=known_before,
        healthy_source=known_before,
    ),
    Case(
        "preprocessing-mismatch",
        "weights that know standardized pictures get others",
        {
            **TRANSFER,
            "preprocessing.statistics": "fitted",
            "preprocessing.center": "none",
            "preprocessing.scale": "none",
        },
        TRANSFER,
        source=known_before,
        healthy_source=known_before,
    ),
)
