"""Trainings in which nothing was made wrong: what false alarms are counted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).parents[3] / "shared" / "data"
BASE = {
    "training.threads": 1,
    "data.test_fraction": 0.2,
    "training.epochs": 12,
    "network": "vgg",
    "network.widths": [32, 64],
    "network.convolutions": [1, 2],
}
PLAIN = {name: value for name, value in BASE.items() if not name.startswith("network")}
FASHION = {**BASE, "training.epochs": 6}
HEALTHY: dict[str, dict[str, Any]] = {
    **{f"digits default, seed {seed}": {"training.threads": 1, "training.seed": seed} for seed in range(2)},
    **{
        f"digits vgg {rule}": {**BASE, "optimizer": rule}
        for rule in ("sgd", "momentum", "nesterov", "rmsprop", "adadelta", "adam", "adamw")
    },
    **{
        f"digits vgg {each}": {**BASE, "network.activation": each}
        for each in ("tanh", "leaky_relu", "elu", "gelu", "silu")
    },
    "digits vgg selu, no normalization": {**BASE, "network.activation": "selu", "network.normalization": "none"},
    "digits vgg, no normalization": {**BASE, "network.normalization": "none"},
    "digits vgg, group normalization": {**BASE, "network.normalization": "group"},
    "digits vgg, batch of 8": {**BASE, "training.batch_size": 8, "training.epochs": 5},
    "digits vgg, strong augmentation": {**BASE, "augmentation": "strong", "training.epochs": 20},
    "digits vgg, mixup": {**PLAIN, "network": "vgg", "augmentation": ["mixup"]},
    "digits vgg, cosine and warm-up": {**BASE, "schedule": "cosine", "schedule.warmup_epochs": 2},
    "digits vgg, constant rate": {**BASE, "schedule": "constant"},
    "digits lenet": {**PLAIN, "network": "lenet"},
    "digits resnet": {**PLAIN, "network": "resnet", "network.width": 8, "training.epochs": 8},
    "digits mobilenet": {**PLAIN, "network": "mobilenet_v2", "network.width": 0.25},
    **{f"fashion vgg, seed {seed}": {**FASHION, "training.seed": seed} for seed in range(2)},
    "fashion lenet tanh": {**FASHION, "network": "lenet", "network.activation": "tanh"},
    "fashion resnet": {
        **{k: v for k, v in FASHION.items() if not k.startswith("network")},
        "network": "resnet",
        "network.width": 8,
        "training.epochs": 4,
    },
    "fashion vgg momentum": {**FASHION, "optimizer": "momentum"},
    "signs vgg": {**BASE, "data.image_size": 32, "training.epochs": 15},
    "signs default at 32 px": {"training.threads": 1, "data.image_size": 32},
}
for name, chosen in HEALTHY.items():
    if "lenet" in name or "resnet" in name:
        HEALTHY[name] = {
            key: value for key, value in chosen.items() if key not in ("network.widths", "network.convolutions")
        }


def data_for(name: str) -> tuple[Any, dict[str, Any]]:
    """Return the pictures of a training by its name: digits, 4,000 of Fashion-MNIST, or hand signs."""
    if name.startswith("digits"):
        return "digits", {}
    if name.startswith("signs"):
        return str(SHARED / "sign-digits"), {}
    from sightline.data import open_source

    source = open_source(str(SHARED / "fashion-mnist"))
    chosen = np.random.default_rng(0).permutation(60_000)[:4000]
    images = np.stack([source.read(int(index)) for index in chosen])
    return (images, np.asarray(source.labels)[chosen]), {}
