"""SqueezeNet: few weights, by squeezing the maps before each 3×3 convolution."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, cat, nn

from sightline.network import dropout
from sightline.network.activation import build_activation
from sightline.network.head import HeadName, build_head
from sightline.network.normalization import NormalizationName, build_normalization
from sightline.network.pooling import PoolingName, build_pooling
from sightline.recipe.network import ActivationName

STEM, WINDOW = 64, 3
STAGES = ((16, 64), (32, 128), (48, 192), (64, 256))
"""Squeezed and expanded maps of the two fire modules of each stage; pooling comes before the first three."""
FEATURES = 2 * STAGES[-1][1]


class SqueezeNet(nn.Module):
    """A stem of stride 2, eight fire modules with three poolings before and between them, and a 1×1 convolution.

    Parameters have the names and shapes of torchvision's squeezenet1_1, where there is no normalization. The scores are
    the means over the maps of the last convolution, after the activation, so that with ReLU none is negative.

    A picture that is smaller than a window is taken whole, so that any size fits.

    Args:
        channels: of the picture, 1 or 3.
        classes: number of scores.
        image_size: height and width in pixels.
        normalization: after every convolution but the last; none in the paper.
        unit_dropout: probability to drop a number before the last convolution.
        map_dropout: probability to drop a map before each pooling, and after the last fire module.
        head: published, the convolution described above; or linear or hidden on the averaged maps, whose scores have
            both signs.
        head_units: of the hidden layer.

    Source: Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters (2016); version 1.1 of the
    authors' code, with 2.4 times fewer operations.
    """

    HEAD: ClassVar[str] = "classifier"

    def __init__(
        self,
        *,
        channels: int,
        classes: int,
        image_size: tuple[int, int],
        activation: ActivationName,
        normalization: NormalizationName,
        pooling: PoolingName,
        unit_dropout: float,
        map_dropout: float,
        head: HeadName = "published",
        head_units: int = 0,
    ) -> None:
        super().__init__()
        stem = nn.Conv2d(channels, STEM, _window(image_size), stride=2)
        # Whatever else a place holds, the names of the convolutions are those of the published network.
        features: list[nn.Module] = [stem, _normalized(normalization, STEM, activation)]
        size, inputs = _shrunk(image_size, ceiling=False), STEM
        for number, (squeezed, expanded) in enumerate(STAGES):
            if number < len(STAGES) - 1:
                pool = build_pooling(pooling, _window(size), stride=(2, 2), ceiling=True)
                features.append(nn.Sequential(dropout.maps(map_dropout), pool) if map_dropout else pool)
                size = _shrunk(size, ceiling=True)
            for _ in range(2):
                features.append(Fire(inputs, squeezed, expanded, activation, normalization))
                inputs = 2 * expanded
        self.features = nn.Sequential(*features)
        self.dropout = dropout.maps(map_dropout)
        self.avgpool = nn.Identity() if head == "published" else nn.AdaptiveAvgPool2d(1)
        published = nn.Sequential(
            dropout.units(unit_dropout),
            nn.Conv2d(FEATURES, classes, 1),
            build_activation(activation),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = build_head(
            head,
            published,
            features=FEATURES,
            classes=classes,
            units=head_units,
            activation=activation,
            unit_dropout=unit_dropout,
        )

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return self.classify(self.pool(self.maps(images)))

    def maps(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch map height width"]:
        maps: Tensor = self.dropout(self.features(images))
        return maps

    def pool(self, maps: Float[Tensor, "batch map height width"]) -> Tensor:
        pooled: Tensor = self.avgpool(maps)
        return pooled if pooled is maps else pooled.flatten(1)

    def classify(self, features: Tensor) -> Float[Tensor, "batch class"]:
        scores: Tensor = self.classifier(features)
        return scores.flatten(1)


class Fire(nn.Module):
    """1×1 convolution to few maps, then 1×1 and 3×3 convolutions side by side."""

    def __init__(
        self, inputs: int, squeezed: int, expanded: int, activation: ActivationName, normalization: NormalizationName
    ) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.squeeze_activation = _normalized(normalization, squeezed, activation)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand1x1_activation = _normalized(normalization, expanded, activation)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.expand3x3_activation = _normalized(normalization, expanded, activation)

    def forward(self, given: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch out height width"]:
        squeezed = self.squeeze_activation(self.squeeze(given))
        return cat(
            (
                self.expand1x1_activation(self.expand1x1(squeezed)),
                self.expand3x3_activation(self.expand3x3(squeezed)),
            ),
            dim=1,
        )


def _normalized(normalization: NormalizationName, maps: int, activation: ActivationName) -> nn.Module:
    if normalization == "none":
        return build_activation(activation)
    return nn.Sequential(build_normalization(normalization, maps), build_activation(activation))


def _window(size: tuple[int, int]) -> tuple[int, int]:
    return (min(WINDOW, size[0]), min(WINDOW, size[1]))


def _shrunk(size: tuple[int, int], *, ceiling: bool) -> tuple[int, int]:
    """Return what a window with steps of 2 leaves of a map; with `ceiling`, the last step may reach beyond it."""
    window = _window(size)
    up = 1 if ceiling else 0
    return ((size[0] - window[0] + up) // 2 + 1, (size[1] - window[1] + up) // 2 + 1)
