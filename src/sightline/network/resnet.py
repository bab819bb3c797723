"""ResNet: blocks that add what they learned to what they were given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from sightline.network import dropout
from sightline.network.activation import build_activation
from sightline.network.head import HeadName, build_head
from sightline.network.normalization import NormalizationName, build_normalization
from sightline.network.pooling import PoolingName, build_pooling
from sightline.recipe.network import ActivationName

Depth = Literal[18, 34, 50]

BLOCKS: dict[Depth, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
EXPANSION = 4

WHOLE_VECTOR = 8
"""Numbers that a processor with AVX2 computes at once."""


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, each at half the size of the one before, and one dense layer.

    Parameters are named as in torchvision and timm; with width 64, three channels, batch normalization and the large
    stem they have the shapes of the published resnet18, resnet34 and resnet50. The stride of a bottleneck is in its
    3×3 convolution, as in both libraries ("v1.5"); the paper has it in the first 1×1.

    The large stem (7×7, stride 2, pooled once more) divides the picture's size by 4, the small one (3×3, stride 1)
    keeps it. Without normalization, convolutions have biases and each branch is divided by √(number of blocks), since
    the spread would otherwise double with every block (Hayou et al., Stable ResNet, AISTATS 2021).

    Args:
        channels: of the picture, 1 or 3.
        classes: number of scores.
        depth: number of weighted layers of the published variant.
        width: maps of the first stage; each later stage doubles them.
        stem: small or large.
        pooling: of the large stem; the last maps are always averaged.
        unit_dropout: probability to drop a unit before the last layer.
        map_dropout: probability to drop a map after each stage.
        head: published, or linear or hidden on compressed features.
        head_units: of the hidden layer.

    Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition (CVPR 2016).
    """

    HEAD: ClassVar[str] = "fc"

    def __init__(
        self,
        *,
        channels: int,
        classes: int,
        depth: Depth,
        width: int,
        stem: Literal["small", "large"],
        activation: ActivationName,
        normalization: NormalizationName,
        pooling: PoolingName,
        unit_dropout: float,
        map_dropout: float,
        head: HeadName = "published",
        head_units: int = 0,
    ) -> None:
        super().__init__()
        blocks = BLOCKS[depth]
        kind = _Kind(
            bottleneck=depth >= 50,
            activation=activation,
            normalization=normalization,
            branch_scale=1.0 / math.sqrt(sum(blocks)) if normalization == "none" else 1.0,
        )
        bias = normalization == "none"
        if stem == "large":
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=bias)
            self.maxpool = build_pooling(pooling, (3, 3), stride=(2, 2), padding=1)
        else:
            self.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=bias)
            self.maxpool = nn.Identity()
        self.bn1 = build_normalization(normalization, width)
        self.activation = build_activation(activation)

        outputs = [width * 2**stage * (EXPANSION if kind.bottleneck else 1) for stage in range(4)]
        self.layer1 = _stage(kind, width, outputs[0], blocks[0], stride=1)
        self.layer2 = _stage(kind, outputs[0], outputs[1], blocks[1], stride=2)
        self.layer3 = _stage(kind, outputs[1], outputs[2], blocks[2], stride=2)
        self.layer4 = _stage(kind, outputs[2], outputs[3], blocks[3], stride=2)
        self.map_dropout = dropout.maps(map_dropout)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        # Apart from the published layer, whose name must not depend on dropout.
        self.dropout = dropout.units(unit_dropout if head == "published" else 0.0)
        self.fc = build_head(
            head,
            nn.Linear(outputs[3], classes),
            features=outputs[3],
            classes=classes,
            units=head_units,
            activation=activation,
            unit_dropout=unit_dropout,
        )

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return self.classify(self.pool(self.maps(images)))

    def maps(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch map height width"]:
        maps = self.maxpool(self.activation(self.bn1(self.conv1(images))))
        maps = self.map_dropout(self.layer1(maps))
        maps = self.map_dropout(self.layer2(maps))
        maps = self.map_dropout(self.layer3(maps))
        return self.map_dropout(self.layer4(maps))  # type: ignore[no-any-return]

    def pool(self, maps: Float[Tensor, "batch map height width"]) -> Float[Tensor, "batch map"]:
        averaged: Tensor = self.avgpool(maps)
        return averaged.flatten(1)

    def classify(self, features: Float[Tensor, "batch map"]) -> Float[Tensor, "batch class"]:
        scores: Tensor = self.fc(self.dropout(features))
        return scores


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which is a 1×1 convolution where size or number of maps change."""

    def __init__(self, kind: _Kind, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=kind.bias)
        self.bn1 = build_normalization(kind.normalization, outputs)
        self.activation1 = build_activation(kind.activation)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=kind.bias)
        self.bn2 = build_normalization(kind.normalization, outputs)
        self.downsample = _shortcut(kind, inputs, outputs, stride)
        self.activation2 = build_activation(kind.activation)
        self.branch_scale = kind.branch_scale

    def forward(self, given: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch out down right"]:
        branch = self.activation1(self.bn1(self.conv1(given)))
        branch = self.bn2(self.conv2(branch))
        if self.branch_scale != 1.0:
            branch = branch * self.branch_scale
        joined: Tensor = self.activation2(branch + self.downsample(given))
        return joined


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut; the inner two work on a quarter of the maps."""

    def __init__(self, kind: _Kind, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = outputs // EXPANSION
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=kind.bias)
        self.bn1 = build_normalization(kind.normalization, inner)
        self.activation1 = build_activation(kind.activation)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=kind.bias)
        self.bn2 = build_normalization(kind.normalization, inner)
        self.activation2 = build_activation(kind.activation)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=kind.bias)
        self.bn3 = build_normalization(kind.normalization, outputs)
        self.downsample = _shortcut(kind, inputs, outputs, stride)
        self.activation3 = build_activation(kind.activation)
        self.branch_scale = kind.branch_scale

    def forward(self, given: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch out down right"]:
        branch = self.activation1(self.bn1(self.conv1(given)))
        branch = self.activation2(self.bn2(self.conv2(branch)))
        branch = self.bn3(self.conv3(branch))
        if self.branch_scale != 1.0:
            branch = branch * self.branch_scale
        joined: Tensor = self.activation3(branch + self.downsample(given))
        return joined


@dataclass(frozen=True)
class _Kind:
    """What all blocks of one network have in common."""

    bottleneck: bool
    activation: ActivationName
    normalization: NormalizationName
    branch_scale: float

    @property
    def bias(self) -> bool:
        return self.normalization == "none"


def _stage(kind: _Kind, inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    block = Bottleneck if kind.bottleneck else BasicBlock
    return nn.Sequential(
        block(kind, inputs, outputs, stride), *(block(kind, outputs, outputs, 1) for _ in range(blocks - 1))
    )


def _shortcut(kind: _Kind, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(
        _strided(inputs, outputs, stride, bias=kind.bias), build_normalization(kind.normalization, outputs)
    )


def _strided(inputs: int, outputs: int, stride: int, *, bias: bool) -> nn.Conv2d:
    """Return a 1×1 convolution of every `stride`-th pixel."""
    narrow = inputs < WHOLE_VECTOR and stride > 1
    return (_OfFewMaps if narrow else nn.Conv2d)(inputs, outputs, 1, stride=stride, bias=bias)


class _OfFewMaps(nn.Conv2d):
    """The same convolution, taken of pixels that were picked out before.

    On processors without AVX-512, oneDNN's gradient of a strided 1×1 convolution of fewer than 8 maps writes beyond its
    memory (torch 2.13, channels last).
    """

    def forward(self, given: Float[Tensor, "batch map height width"]) -> Float[Tensor, "batch other rows columns"]:
        down, right = self.stride
        picked = given[:, :, ::down, ::right]
        return nn.functional.conv2d(picked, self.weight, self.bias)
