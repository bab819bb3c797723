"""LeNet: two convolutions and three dense layers."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from sightline.errors import RecipeError
from sightline.network import dropout
from sightline.network.activation import build_activation
from sightline.network.head import HeadName, build_head
from sightline.network.normalization import NormalizationName, build_normalization
from sightline.network.pooling import PoolingName, build_pooling, halved
from sightline.recipe.network import ActivationName

UNITS = (6, 16, 120, 84)
KERNEL = 5
LEAST = 4
LEAST_UNPADDED = 12


class LeNet(nn.Module):
    """Two 5×5 convolutions, each pooled to half its size, and three dense layers.

    The first convolution keeps the map's size (2 pixels of padding, as 28-pixel digits were padded to 32). The second
    has no padding, as in the paper, except for pictures below 12 pixels, whose maps it would use up.

    Args:
        channels: of the picture, 1 or 3.
        classes: number of scores.
        image_size: height and width in pixels, 4 at least.
        width: factor on the published numbers of units: 6 and 16 maps, 120 and 84 dense units.
        normalization: after both convolutions; dense layers have none.
        unit_dropout: probability to drop a unit before the last layer.
        map_dropout: probability to drop a map after either pooling.
        head: published, or linear or hidden on the compressed units of the second dense layer.
        head_units: of the hidden layer.

    Raises:
        RecipeError: the picture is too small for two poolings.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition (1998), with
    full connections between the maps and plain scores at the end.
    """

    HEAD: ClassVar[str] = "fc3"

    def __init__(
        self,
        *,
        channels: int,
        classes: int,
        image_size: tuple[int, int],
        width: float,
        activation: ActivationName,
        normalization: NormalizationName,
        pooling: PoolingName,
        unit_dropout: float,
        map_dropout: float,
        head: HeadName = "published",
        head_units: int = 0,
    ) -> None:
        super().__init__()
        if min(image_size) < LEAST:
            raise RecipeError(
                f"data.image_size: found {image_size[0]} × {image_size[1]} pixels, too small for the two poolings of "
                f"lenet; wanted at least {LEAST} on both sides. Choose a larger data.image_size."
            )
        first, second, third, fourth = (max(1, round(width * units)) for units in UNITS)
        padding = 0 if min(image_size) >= LEAST_UNPADDED else KERNEL // 2
        half = (image_size[0] // 2, image_size[1] // 2)
        inner = (half[0] + 2 * padding - KERNEL + 1, half[1] + 2 * padding - KERNEL + 1)
        quarter = (inner[0] // 2, inner[1] // 2)

        self.conv1 = nn.Conv2d(channels, first, KERNEL, padding=KERNEL // 2)
        self.norm1 = build_normalization(normalization, first)
        self.activation1 = build_activation(activation)
        self.pool1 = build_pooling(pooling, halved(image_size))
        self.drop1 = dropout.maps(map_dropout)
        self.conv2 = nn.Conv2d(first, second, KERNEL, padding=padding)
        self.norm2 = build_normalization(normalization, second)
        self.activation2 = build_activation(activation)
        self.pool2 = build_pooling(pooling, halved(inner))
        self.drop2 = dropout.maps(map_dropout)
        self.fc1 = nn.Linear(second * quarter[0] * quarter[1], third)
        self.activation3 = build_activation(activation)
        self.fc2 = nn.Linear(third, fourth)
        self.activation4 = build_activation(activation)
        # Apart from the published layer, whose name must not depend on dropout.
        self.drop4 = dropout.units(unit_dropout if head == "published" else 0.0)
        self.fc3 = build_head(
            head,
            nn.Linear(fourth, classes),
            features=fourth,
            classes=classes,
            units=head_units,
            activation=activation,
            unit_dropout=unit_dropout,
        )

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return self.classify(self.pool(self.maps(images)))

    def maps(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        maps = self.drop1(self.pool1(self.activation1(self.norm1(self.conv1(images)))))
        maps = self.drop2(self.pool2(self.activation2(self.norm2(self.conv2(maps)))))
        units: Tensor = self.activation4(self.fc2(self.activation3(self.fc1(maps.flatten(1)))))
        return units

    def pool(self, maps: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch unit"]:
        return maps

    def classify(self, features: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch class"]:
        scores: Tensor = self.fc3(self.drop4(features))
        return scores
