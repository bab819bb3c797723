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


class Scale(nn.Module):
    """Divides features by one number, their root mean square over the training pictures; 1 until it is measured.

    What a trained network makes of pictures has a size of its own, up to ten times that of standardized pixels.
    Initializations and usual learning rates are made for numbers around 1.
    """

    root_mean_square: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("root_mean_square", torch.ones(()))

    def reset(self) -> None:
        """Divide by 1."""
        self.root_mean_square.fill_(1.0)

    def measure(self, features: Float[Tensor, "picture feature"]) -> None:
        """Divide by the root mean square of these from now on; features that are all 0 stay as they are."""
        found = features.double().square().mean().sqrt()
        self.root_mean_square.copy_(torch.where(found > 0, found, 1.0))

    def forward(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        return features / self.root_mean_square


def build_head(
    name: Literal["linear", "hidden"],
    *,
    features: int,
    classes: int,
    units: int,
    activation: ActivationName,
    unit_dropout: float,
) -> nn.Module:
    """Return new last layers for `features` numbers of each picture.

        linear: scores = W · d(x / r) + b
        hidden: scores = W₂ · d(f(W₁ · x / r + b₁)) + b₂

    with x the features, r their root mean square over the training pictures, f the activation and d dropout.

    Args:
        name: linear or hidden.
        features: numbers of each picture.
        classes: number of scores.
        units: of the hidden layer.
        unit_dropout: probability to drop a number before the last layer.
    """
    if name == "linear":
        return nn.Sequential(Scale(), dropout.units(unit_dropout), nn.Linear(features, classes))
    return nn.Sequential(
        Scale(),
        nn.Linear(features, units),
        build_activation(activation),
        dropout.units(unit_dropout),
        nn.Linear(units, classes),
    )
