"""The head: the last layers, from what the features of a picture are to its scores."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sightline.network import dropout
from sightline.network.activation import build_activation
from sightline.recipe.network import ActivationName

HeadName = Literal["published", "linear", "hidden"]


class Classifier(Protocol):
    """What every network is made of: forward(images) = classify(pool(maps(images)))."""

    HEAD: str
    """Name of the submodule that holds the last layers."""

    def maps(self, images: Float[Tensor, "batch channel height width"]) -> Tensor:
        """Return what the layers before the head make of pictures: maps, or units where dense layers come before it."""
        ...

    def pool(self, maps: Tensor) -> Tensor:
        """Return the features that the head sees, such as the mean of each map. Nothing here is learned."""
        ...

    def classify(self, features: Tensor) -> Float[Tensor, "batch class"]:
        """Return the scores of features."""
        ...


class Compression(nn.Module):
    """Takes the logarithm of features in units of their mean size m over the training pictures.

        c(x) = sign(x) · ln(1 + |x| / m)

    What a trained network makes of pictures has a size of its own, up to ten times that of standardized pixels, and
    long tails: a few units are many times larger than the rest and decide alone. The logarithm brings both to where
    initializations and usual learning rates work; on pooled SqueezeNet features of 100 flowers, a logistic regression
    gains 1 to 3 points by it. Until it is measured, m is 1.

    Source: Yang, Liu and Xu, Free lunch for few-shot learning (ICLR 2021), who use a root in the same place; both are
    steps of Tukey's ladder of powers (Exploratory Data Analysis, 1977).
    """

    mean_size: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_size", torch.ones(()))

    def reset(self) -> None:
        """Go back to units of 1."""
        self.mean_size.fill_(1.0)

    def measure(self, features: Float[Tensor, "picture feature"]) -> None:
        """Take the mean size of these as the unit from now on; where all of them are 0, the unit stays 1."""
        found = features.double().abs().mean()
        self.mean_size.copy_(torch.where(found > 0, found, 1.0))

    def forward(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        return features.sign() * torch.log1p(features.abs() / self.mean_size)


def build_head(
    name: HeadName,
    published: nn.Module | None = None,
    *,
    features: int,
    classes: int,
    units: int,
    activation: ActivationName,
    unit_dropout: float,
) -> nn.Module:
    """Return last layers for `features` numbers of each picture: those that were published, or new ones.

        linear: scores = W · d(c(x)) + b
        hidden: scores = W₂ · d(f(W₁ · c(x) + b₁)) + b₂

    with x the features, c their compression, f the activation and d dropout.

    Args:
        name: published, linear or hidden.
        published: what the architecture ends in; None where that is linear.
        features: numbers of each picture.
        classes: number of scores.
        units: of the hidden layer.
        unit_dropout: probability to drop a number before the last layer.
    """
    if name == "published" and published is not None:
        return published
    if name in ("published", "linear"):
        return nn.Sequential(Compression(), dropout.units(unit_dropout), nn.Linear(features, classes))
    return nn.Sequential(
        Compression(),
        nn.Linear(features, units),
        build_activation(activation),
        dropout.units(unit_dropout),
        nn.Linear(units, classes),
    )
