"""VGG: plain stacks of 3×3 convolutions, each stack at half the size of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from sightline.network import dropout
from sightline.network.activation import build_activation
from sightline.network.head import HeadName, build_head
from sightline.network.normalization import NormalizationName, build_normalization
from sightline.network.pooling import PoolingName, build_pooling, halved
from sightline.recipe.network import ActivationName

LARGEST_MAP = 7


class VGG(nn.Module):
    """Stages of 3×3 convolutions, each stage pooled to half its size, then dense layers.

    With widths (64, 128, 256, 512, 512), convolutions (1, 1, 2, 2, 2), hidden (4096, 4096) and pictures of 224 pixels,
    parameters have the names and shapes of torchvision's vgg11 and vgg11_bn; other convolutions give vgg13 to vgg19.

    A side that has come down to one pixel is not pooled further, so that any picture fits any number of stages.
    Without hidden layers the last maps are averaged to one number each. With hidden layers they are averaged to 7×7
    pixels, as in torchvision, but never enlarged: smaller maps go in as they are.

    Args:
        channels: of the picture, 1 or 3.
        classes: number of scores.
        image_size: height and width in pixels.
        widths: number of maps in each stage.
        convolutions: number of convolutions in each stage.
        hidden: units of the dense layers before the last one.
        normalization: after every convolution; dense layers have none.
        unit_dropout: probability to drop a unit before the last layer, and after every other hidden layer.
        map_dropout: probability to drop a map after each stage.
        head: published, the dense layers described above; or linear or hidden on the averaged maps, without `hidden`.
        head_units: of the hidden layer of head hidden.

    Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition (ICLR 2015).
    """

    HEAD: ClassVar[str] = "classifier"

    def __init__(
        self,
        *,
        channels: int,
        classes: int,
        image_size: tuple[int, int],
        widths: Sequence[int],
        convolutions: Sequence[int],
        hidden: Sequence[int],
        activation: ActivationName,
        normalization: NormalizationName,
        pooling: PoolingName,
        unit_dropout: float,
        map_dropout: float,
        head: HeadName = "published",
        head_units: int = 0,
    ) -> None:
        super().__init__()
        hidden = hidden if head == "published" else ()
        features: list[nn.Module] = []
        size = image_size
        for width, count in zip(widths, convolutions, strict=True):
            for _ in range(count):
                features.append(nn.Conv2d(channels, width, 3, padding=1))
                if normalization != "none":
                    features.append(build_normalization(normalization, width))
                features.append(build_activation(activation))
                channels = width
            window = halved(size)
            pool = build_pooling(pooling, window)
            # One slot for both: the names of the layers behind must not depend on dropout.
            features.append(nn.Sequential(pool, dropout.maps(map_dropout)) if map_dropout else pool)
            size = (size[0] // window[0], size[1] // window[1])
        self.features = nn.Sequential(*features)

        target = (min(LARGEST_MAP, size[0]), min(LARGEST_MAP, size[1])) if hidden else (1, 1)
        self.avgpool = nn.AdaptiveAvgPool2d(target) if target != size else nn.Identity()

        classifier: list[nn.Module] = []
        inputs = channels * target[0] * target[1]
        for units in hidden:
            classifier += [nn.Linear(inputs, units), build_activation(activation), dropout.units(unit_dropout)]
            inputs = units
        # Apart from the classifier: its layers' names must not depend on dropout.
        self.dropout = dropout.units(0.0 if hidden or head != "published" else unit_dropout)
        self.classifier = build_head(
            head,
            nn.Sequential(*classifier, nn.Linear(inputs, classes)),
            features=inputs,
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

    def pool(self, maps: Float[Tensor, "batch map height width"]) -> Float[Tensor, "batch feature"]:
        averaged: Tensor = self.avgpool(maps)
        return averaged.flatten(1)

    def classify(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch class"]:
        scores: Tensor = self.classifier(self.dropout(features))
        return scores
