"""Normalization: brings the maps of a layer to zero mean and unit deviation, then to a learned place."""

from __future__ import annotations

from typing import Literal

from torch import nn

NormalizationName = Literal["batch", "group", "none"]

EPSILON = 1e-5
MOMENTUM = 0.1
GROUPS = 32


def build_normalization(name: NormalizationName, channels: int) -> nn.Module:
    """Return a new module that normalizes `channels` maps, shape (batch, channels, height, width)."""
    match name:
        case "batch":
            return batch(channels)
        case "group":
            return group(channels)
        case "none":
            return none()


def batch(channels: int) -> nn.Module:
    """Batch normalization: every channel to zero mean and unit deviation over the batch, then to a learned place.

    For channel k with the N · height · width numbers x of the batch, ε = 1e-5:

        training: μ = mean(x), v = mean((x − μ)²)
                  y = γ · (x − μ) / √(v + ε) + β
                  running mean ← 0.9 · running mean + 0.1 · μ
                  running variance ← 0.9 · running variance + 0.1 · v · m / (m − 1), with m = N · height · width
        inference: y = γ · (x − running mean) / √(running variance + ε) + β

    γ and β are learned and start at 1 and 0. With γ = √(v + ε) and β = μ the layer is the identity.

    Args:
        channels: number of maps; γ, β and the running values have one number for each.

    Torch: identical to torch.nn.BatchNorm2d, which runs it. torch normalizes by the biased variance v but keeps the
    unbiased one for inference; its momentum 0.1 is the weight of the new batch. One value per channel (a batch of one
    picture on maps of one pixel) cannot be normalized, and torch refuses it.

    Slides: they give the identity as γ = Var[x]; it is γ = √(Var[x] + ε). They leave out ε and the running values.

    Source: Ioffe and Szegedy, Batch normalization (ICML 2015, arXiv:1502.03167).
    """
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


def share_of_part(share: float, parts: int) -> float:
    """Return the weight of each part of a batch in running statistics that a whole batch has the weight `share` in.

    A batch in P parts moves them P times. With the weight w for each part, what was there before keeps (1 − w)^P of
    itself, which shall be 1 − share:

        w = 1 − (1 − share)^(1/P)
    """
    return float(1.0 - (1.0 - share) ** (1.0 / parts))


def group(channels: int) -> nn.Module:
    """Group normalization: groups of channels to zero mean and unit deviation within each picture.

    For one picture and one group of channels, with all its numbers x and ε = 1e-5, training and inference alike:

        y = γ · (x − mean(x)) / √(Var(x) + ε) + β

    γ and β are learned per channel and start at 1 and 0. No picture depends on the others of its batch, so that small
    batches do no harm and nothing is kept for inference.

    The number of groups is the largest divisor of `channels` that is at most 32, the paper's number, from 64 channels
    on, and at most channels / 4 below, so that few channels on a map of one pixel do not erase each other.

    Args:
        channels: number of maps.

    Torch: identical to torch.nn.GroupNorm, which runs it with that number of groups.

    Slides: not in the slides.

    Source: Wu and He, Group normalization (ECCV 2018).
    """
    most = GROUPS if channels >= 2 * GROUPS else max(1, channels // 4)
    groups = max(divisor for divisor in range(1, most + 1) if channels % divisor == 0)
    return nn.GroupNorm(groups, channels, eps=EPSILON)


def none() -> nn.Module:
    """No normalization: maps are handed on as they are, and the convolution before them gets a bias.

    For every number x of the map:

        y = x

    The spread of the signals then depends on the initialization alone.

    Torch: identical to torch.nn.Identity, which runs it.

    Slides: not in the slides.

    Source: the textbook's plain network; no paper.
    """
    return nn.Identity()
