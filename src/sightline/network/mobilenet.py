"""MobileNetV2: convolutions of single maps between thin layers that carry the information."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from sightline.network import dropout
from sightline.network.activation import build_activation
from sightline.network.head import HeadName, build_head
from sightline.network.normalization import NormalizationName, build_normalization
from sightline.recipe.network import ActivationName

STEM, LAST = 32, 1280
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, maps, blocks and stride of each stage: table 2 of the paper."""
MULTIPLE = 8


class MobileNetV2(nn.Module):
    """A stem, seventeen inverted residual blocks, a 1×1 convolution and one dense layer.

    Parameters are named as in torchvision; with width 1, three channels, batch normalization and the activation relu6
    they have the shapes of the published mobilenet_v2. Without normalization, convolutions have biases.

    Args:
        channels: of the picture, 1 or 3.
        classes: number of scores.
        width: factor on the maps of every layer, brought to a multiple of 8; of the last convolution only above 1.
        unit_dropout: probability to drop a unit before the last layer.
        map_dropout: probability to drop a map after each stage.
        head: published, or linear or hidden on compressed features.
        head_units: of the hidden layer.

    Source: Sandler, Howard, Zhu, Zhmoginov and Chen, MobileNetV2: Inverted residuals and linear bottlenecks (CVPR
    2018).
    """

    HEAD: ClassVar[str] = "classifier"

    def __init__(
        self,
        *,
        channels: int,
        classes: int,
        width: float,
        activation: ActivationName,
        normalization: NormalizationName,
        unit_dropout: float,
        map_dropout: float,
        head: HeadName = "published",
        head_units: int = 0,
    ) -> None:
        super().__init__()
        inputs = _rounded(STEM * width)
        features: list[nn.Module] = [_convolution(channels, inputs, 3, activation, normalization, stride=2)]
        for expansion, maps, blocks, stride in STAGES:
            outputs = _rounded(maps * width)
            for block in range(blocks):
                drop = map_dropout if block == blocks - 1 else 0.0
                step = stride if block == 0 else 1
                features.append(InvertedResidual(inputs, outputs, expansion, step, activation, normalization, drop))
                inputs = outputs
        last = _rounded(LAST * max(1.0, width))
        features.append(_convolution(inputs, last, 1, activation, normalization))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = build_head(
            head,
            nn.Sequential(dropout.units(unit_dropout), nn.Linear(last, classes)),
            features=last,
            classes=classes,
            units=head_units,
            activation=activation,
            unit_dropout=unit_dropout,
        )

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return self.classify(self.pool(self.maps(images)))

    def maps(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch map height width"]:
        maps: Tensor = self.features(images)
        return maps

    def pool(self, maps: Float[Tensor, "batch map height width"]) -> Float[Tensor, "batch map"]:
        averaged: Tensor = self.avgpool(maps)
        return averaged.flatten(1)

    def classify(self, features: Float[Tensor, "batch map"]) -> Float[Tensor, "batch class"]:
        scores: Tensor = self.classifier(features)
        return scores


class InvertedResidual(nn.Module):
    """1×1 convolution to many maps, 3×3 convolution of each map by itself, 1×1 convolution to few without activation.

    What came in is added where size and number of maps stay the same.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expansion: int,
        stride: int,
        activation: ActivationName,
        normalization: NormalizationName,
        map_dropout: float,
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers.append(_convolution(inputs, inner, 1, activation, normalization))
        layers += [
            _convolution(inner, inner, 3, activation, normalization, stride=stride, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=normalization == "none"),
            build_normalization(normalization, outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs
        self.map_dropout = dropout.maps(map_dropout)

    def forward(self, given: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch out down right"]:
        branch = self.conv(given)
        joined: Tensor = self.map_dropout(given + branch if self.adds else branch)
        return joined


def _convolution(
    inputs: int,
    outputs: int,
    side: int,
    activation: ActivationName,
    normalization: NormalizationName,
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    bias = normalization == "none"
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, groups=groups, bias=bias),
        build_normalization(normalization, outputs),
        build_activation(activation),
    )


def _rounded(maps: float) -> int:
    """Return the nearest multiple of 8 that is not more than a tenth below, as the authors' code does."""
    found = max(MULTIPLE, int(maps + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
    return found + MULTIPLE if found < 0.9 * maps else found
