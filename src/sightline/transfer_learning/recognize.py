"""Which network weights belong to, from the names and shapes of its tensors alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sightline.recipe.network import VGG, MobileNetV2, Network, ResNet, SqueezeNet

Shapes = Mapping[str, tuple[int, ...]]

_MOBILENET_STEM = 32
_BLOCKS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
}


def recognize(shapes: Shapes) -> Network | None:
    """Return the section of the network whose tensors have these names, as torchvision and timm give them; or None.

    The last layer may be missing, as it is where only the features were kept. Activation, pooling and dropout leave no
    trace in names and are those that were published.
    """
    for found in (_resnet(shapes), _squeezenet(shapes), _mobilenet(shapes), _vgg(shapes)):
        if found is not None:
            return found
    return None


def _resnet(shapes: Shapes) -> Network | None:
    if "conv1.weight" not in shapes or "layer1.0.conv1.weight" not in shapes:
        return None
    blocks = tuple(len(_numbers(shapes, rf"layer{stage}\.(\d+)\.")) for stage in (1, 2, 3, 4))
    depth = _BLOCKS.get((blocks, "layer1.0.conv3.weight" in shapes))
    if depth is None:
        return None
    width, _, side, _ = shapes["conv1.weight"]
    return _section(
        ResNet,
        depth=depth,
        width=width,
        stem="large" if side == 7 else "small",
        normalization="batch" if "bn1.running_mean" in shapes else "none",
    )


def _squeezenet(shapes: Shapes) -> Network | None:
    wanted = {"features.0.weight": (64, 3, 3), "features.12.squeeze.weight": (64, 1, 1)}
    found = all(name in shapes and (shapes[name][0], *shapes[name][2:]) == shape for name, shape in wanted.items())
    # Version 1.0 begins with 96 maps and pools elsewhere.
    return _section(SqueezeNet, normalization="none") if found and "features.3.squeeze.weight" in shapes else None


def _mobilenet(shapes: Shapes) -> Network | None:
    if "features.0.0.weight" not in shapes or "features.1.conv.0.0.weight" not in shapes:
        return None
    width = shapes["features.0.0.weight"][0] / _MOBILENET_STEM
    normalization = "batch" if "features.0.1.running_mean" in shapes else "none"
    return _section(MobileNetV2, width=width, activation="relu6", normalization=normalization)


def _vgg(shapes: Shapes) -> Network | None:
    positions = sorted(_numbers(shapes, r"features\.(\d+)\.weight$"))
    convolutions = [at for at in positions if len(shapes[f"features.{at}.weight"]) == 4]
    if not convolutions or any(shapes[f"features.{at}.weight"][2:] != (3, 3) for at in convolutions):
        return None
    normalized = f"features.{convolutions[0] + 1}.running_mean" in shapes
    usual = 3 if normalized else 2  # convolution, normalization, activation; one more where a pooling comes between
    widths, counts = [shapes[f"features.{convolutions[0]}.weight"][0]], [1]
    for before, at in pairwise(convolutions):
        maps = shapes[f"features.{at}.weight"][0]
        if at - before == usual and maps == widths[-1]:
            counts[-1] += 1
        elif at - before == usual + 1:
            widths.append(maps)
            counts.append(1)
        else:
            return None
    dense = sorted(_numbers(shapes, r"classifier\.(\d+)\.weight$"))
    hidden = [shapes[f"classifier.{at}.weight"][0] for at in dense][:-1]
    return _section(
        VGG, widths=widths, convolutions=counts, hidden=hidden, normalization="batch" if normalized else "none"
    )


def _section(kind: type[Network], **fields: Any) -> Network | None:
    try:
        return kind.model_validate(fields)
    except ValueError:  # such as more maps than a recipe allows
        return None


def _numbers(shapes: Shapes, pattern: str) -> set[int]:
    return {int(match[1]) for name in shapes if (match := re.match(pattern, name))}
