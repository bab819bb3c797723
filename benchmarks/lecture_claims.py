"""The lecture's claims as comparisons on real data: what is said, what is held against what, and what bears it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FASHION, CIFAR, SIGNS = "fashion-mnist", "cifar10", "sign-digits"
DEEP = {"network": {"name": "vgg", "widths": [16, 16, 16], "convolutions": [2, 14, 14], "hidden": []}}
"""Thirty convolutions."""
SHALLOW = {"network": "lenet"}
HALF = {"network": {"name": "vgg", "widths": [16, 32, 64]}}
SHORT = (
    "These trainings are short and their network is small: what still learns from the pictures as they are gains "
    "nothing from others. With default choices flowers gain 0.5 to 6 points, as the README has it."
)
EIGHT = {"network": {"name": "vgg", "widths": [16, 24, 32], "convolutions": [2, 3, 3], "hidden": []}}


EACH = (
    "['horizontal_flip']",
    "['crop']",
    "['brightness', 'contrast', 'saturation']",
    "['rotation']",
    "['gaussian_noise']",
)


@dataclass(frozen=True)
class Claim:
    """One sentence of the lecture, and the comparison that it is held against."""

    name: str
    says: str
    """The claim, in words that can turn out wrong."""
    data: str
    recipe: Mapping[str, Any]
    vary: tuple[str, ...]
    """The first values make the arm that the others are held against."""
    wanted: str
    """Verdict on each other arm by which the claim holds: better, worse, or not better."""
    tune_rate: bool = False
    margin: float | None = None
    """Points of accuracy, as a share, that do not matter."""
    note: str = ""
    gradients: bool = False
    """Whether its picture has the gradient of each layer as well."""


def _on(per_class: int, epochs: int, **more: Any) -> dict[str, Any]:
    return {
        "data.training_per_class": per_class,
        "training.epochs": epochs,
        "augmentation": "none",
        "schedule": "cosine",
        # Of tens of thousands; judging a tenth of them after each epoch would take as long as training on the slice.
        "data.validation_fraction": 0.03,
        **{key.replace("__", "."): value for key, value in more.items()},
    }


def _plain(network: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a network without normalization, which would hide what it is about."""
    return {**network, "network.normalization": "none", "network.dropout": 0.0, **more}


CLAIMS = (
    Claim(
        "relu_shallow",
        "ReLU converges faster than the sigmoid, also in a shallow network: better after the same few epochs.",
        FASHION,
        {**_on(600, 6), **_plain(SHALLOW)},
        ("network.activation=sigmoid,relu",),
        "better",
        tune_rate=True,
    ),
    Claim(
        "relu_deep",
        "The sigmoid's gradient vanishes in deep networks, ReLU's does not: better with eight convolutions.",
        FASHION,
        {**_on(300, 6), **_plain(EIGHT)},
        ("network.activation=sigmoid,relu",),
        "better",
        tune_rate=True,
        gradients=True,
    ),
    Claim(
        "zero_centered",
        "Zero-centered inputs train better than inputs from 0 to 1.",
        FASHION,
        {**_on(600, 4, optimizer="momentum"), **_plain(SHALLOW), "preprocessing.scale": "none"},
        ("preprocessing.center=none,channel",),
        "better",
        tune_rate=True,
    ),
    Claim(
        "he_relu_30",
        "With ReLU, He initialization is your friend: better than Xavier's over thirty convolutions.",
        FASHION,
        {**_on(200, 8), **_plain(DEEP), "network.activation": "relu"},
        ("network.initialization=xavier,he",),
        "better",
        tune_rate=True,
        gradients=True,
    ),
    Claim(
        "he_relu_8",
        "The same over eight convolutions.",
        FASHION,
        {**_on(300, 6), **_plain(EIGHT), "network.activation": "relu"},
        ("network.initialization=xavier,he",),
        "better",
        tune_rate=True,
    ),
    Claim(
        "xavier_tanh_30",
        "Xavier's initialization is made for activations like tanh: better than He's over thirty convolutions.",
        FASHION,
        {**_on(200, 8), **_plain(DEEP), "network.activation": "tanh"},
        ("network.initialization=he,xavier",),
        "better",
        tune_rate=True,
        gradients=True,
    ),
    Claim(
        "batch_norm",
        "Batch normalization trains better at the same usual rate.",
        CIFAR,
        {**_on(200, 6, optimizer="momentum"), **EIGHT, "network.dropout": 0.0},
        ("network.normalization=none,batch",),
        "better",
    ),
    Claim(
        "batch_norm_rate",
        "Batch normalization bears rates that are ten times the usual one: no worse than at the usual rate.",
        CIFAR,
        {**_on(200, 6, optimizer="momentum"), **EIGHT, "network.dropout": 0.0},
        ("optimizer.learning_rate=0.025,0.25",),
        "not worse",
        margin=0.02,
    ),
    Claim(
        "rate_without_norm",
        "Without it, ten times the usual rate is worse.",
        CIFAR,
        {**_on(200, 6, optimizer="momentum"), **_plain(EIGHT)},
        ("optimizer.learning_rate=0.025,0.25",),
        "worse",
    ),
    Claim(
        "batch_norm_initialization",
        "With batch normalization, weights that begin far too small hardly matter.",
        CIFAR,
        {**_on(200, 6, optimizer="momentum"), **EIGHT, "network.dropout": 0.0},
        ('network.initialization={name = "he"},{name = "normal", std = 0.001}',),
        "not worse",
        margin=0.02,
    ),
    Claim(
        "dropout_few",
        "Dropout regularizes: better where there are few pictures.",
        FASHION,
        {**_on(30, 30), "network": "lenet"},
        ("network.dropout=0.0,0.5",),
        "better",
    ),
    Claim(
        "dropout_many",
        "It is of less use where there are many.",
        FASHION,
        {**_on(1000, 5), "network": "lenet"},
        ("network.dropout=0.0,0.5",),
        "not better",
        margin=0.005,
    ),
    Claim(
        "decorrelation",
        "Images need no decorrelation: whitening by ZCA is no better than centering and scaling.",
        CIFAR,
        {**_on(300, 6), **SHALLOW},
        ("preprocessing.decorrelate=none,zca",),
        "not better",
        margin=0.01,
    ),
    Claim(
        "update_rules",
        "Momentum helps with SGD's problems, and RMSProp, ADADELTA and Adam adapt the rate of each parameter: each is "
        "better than plain SGD, all with the best of their own rates.",
        FASHION,
        {**_on(200, 5), **_plain(SHALLOW)},
        ("optimizer=sgd,momentum,rmsprop,adadelta,adam",),
        "better",
        tune_rate=True,
    ),
    Claim(
        "augmentation_each",
        "Every transformation that yields a valid image helps: flips, crops, color, rotation, each alone.",
        CIFAR,
        {**_on(100, 15), **HALF},
        (f"augmentation.operations={','.join(('[]', *EACH))}",),
        "better",
        note=SHORT,
    ),
    Claim(
        "augmentation_all_few",
        "All together help where there are few pictures.",
        CIFAR,
        {**_on(100, 20), **HALF},
        ("augmentation=none,standard",),
        "better",
        note=SHORT,
    ),
    Claim(
        "augmentation_all_more",
        "With four times as many, too.",
        CIFAR,
        {**_on(400, 8), **HALF},
        ("augmentation=none,standard",),
        "better",
        note=SHORT,
    ),
)


@dataclass(frozen=True)
class Transfers:
    """Claims about transfer learning, which begin from weights beside the data."""

    weights: str = "squeezenet1_1-imagenet-features.safetensors"
    claims: tuple[Claim, ...] = field(
        default=(
            Claim(
                "head_or_both_few",
                "With little data, train the new last layer only: all layers are no better.",
                SIGNS,
                {"data.training_per_class": 5, "augmentation": "none", "data.image_size": 64},
                ("transfer.depth=head,both",),
                "not better",
                margin=0.01,
            ),
            Claim(
                "head_or_both_more",
                "With more data, fine-tune the complete network: better than the last layer alone.",
                SIGNS,
                {"data.training_per_class": 60, "augmentation": "none", "data.image_size": 64},
                ("transfer.depth=head,both",),
                "better",
            ),
            Claim(
                "tenth_of_the_rate",
                "Fine-tune at a tenth of the rate: better than at the full rate.",
                SIGNS,
                {
                    "data.training_per_class": 60,
                    "augmentation": "none",
                    "data.image_size": 64,
                    "transfer.depth": "both",
                },
                ("transfer.rate_factor=1.0,0.1",),
                "better",
            ),
        )
    )
