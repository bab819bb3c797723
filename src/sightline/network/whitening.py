"""A first layer that decorrelates patches: filters from the training pictures, not from chance."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import unfold

from sightline.errors import RecipeError

EPSILON = 5e-4
PATCHES = 5_000_000
"""Patches that are looked at, about, at most."""
PICTURES = 5_000
AT_ONCE = 100_000
"""Patches that are looked at together."""


def pictures_to_see(height: int, width: int) -> int:
    """Return how many pictures give as many patches as are looked at."""
    return max(1, min(PICTURES, PATCHES // (height * width)))


@torch.no_grad()
def whiten(module: nn.Module, pictures: Float[Tensor, "picture channel height width"]) -> str:
    """Whitening filters: the first convolution sees neighboring pixels without what they have in common.

    Neighboring pixels are nearly the same, so that a filter drawn at random sees little but brightness. For patches x
    of the size of the layer's filters, d = channels · height · width numbers each, with covariance
    C = mean((x − mean x)(x − mean x)ᵀ) = Σ_i λ_i e_i e_iᵀ, λ_1 ≥ λ_2 ≥ …, and ε = 5e-4, the filters are

        f_i = e_i / √(λ_i + ε),   and behind them   −f_i

    so that f_i · x has a variance of about 1 for every i, and what an activation cuts off of one its negative keeps. A
    layer of n maps has the first n / 2 of them and their negatives; what more maps it has than 2 d stays as it was
    drawn. The filters are not trained; a bias of the layer is. The sign of e_i is that in which its largest number is
    positive.

    Args:
        module: whose first convolution over all channels gets the filters, and is frozen.
        pictures: standardized training pictures, without augmentation; about `pictures_to_see` of them.

    Returns:
        The name of the layer.

    Raises:
        RecipeError: no convolution sees the pictures' channels.

    Torch: not in torch; torch.linalg.eigh finds the e_i, in float64.

    Slides: preprocessing by decorrelation, which does the same to whole pictures.

    Source: Jordan, 94 % on CIFAR-10 in 3.29 seconds on a single GPU (2024, arXiv:2404.00498), section 3.2, after Page,
        How to train your ResNet 8: bag of tricks (2019).
    """
    name, layer = _first(module, channels=pictures.shape[1])
    values, vectors = torch.linalg.eigh(_covariance(pictures, layer))
    vectors = vectors.flip(1).T
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    filters = vectors * largest.sign() / (values.flip(0).clamp(min=0.0) + EPSILON).sqrt()[:, None]
    pairs = min(len(layer.weight) // 2, len(filters))
    shape = (pairs, *layer.weight.shape[1:])
    layer.weight[:pairs] = filters[:pairs].view(shape).to(layer.weight.dtype)
    layer.weight[pairs : 2 * pairs] = -filters[:pairs].view(shape).to(layer.weight.dtype)
    layer.weight.requires_grad_(False)
    return name


def _first(module: nn.Module, *, channels: int) -> tuple[str, nn.Conv2d]:
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == channels and layer.groups == 1:
            return name, layer
    raise RecipeError(
        'network.first_layer: found "whitening" for a network whose first layer is no convolution over all channels; '
        'wanted "drawn", or another network.'
    )


def _covariance(pictures: Tensor, layer: nn.Conv2d) -> Tensor:
    """Return the covariance of patches, shape (d, d), float64."""
    height, width = layer.kernel_size
    total, outer, count = torch.zeros(()), torch.zeros(()), 0
    for patches in _patches(pictures, (height, width)):
        total = total + patches.sum(0)
        outer = outer + patches.T @ patches
        count += len(patches)
    mean = total / count
    return outer / count - torch.outer(mean, mean)


def _patches(pictures: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yield the patches of some pictures at a time, shape (patch, d), float64; small pictures are padded by zeros."""
    padding = tuple((max(0, side - of) + 1) // 2 for side, of in zip(size, pictures.shape[2:], strict=True))
    for part in torch.split(pictures, max(1, AT_ONCE // (pictures.shape[2] * pictures.shape[3]))):
        yield unfold(part.double(), size, padding=padding).transpose(1, 2).flatten(0, 1)
