"""How much arithmetic a network asks for, which is what its speed is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

WEIGHTED = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Arithmetic:
    """Floating point operations for one picture."""

    forward: float
    training: float
    """Forward and back: what a training step needs."""


def arithmetic(network: nn.Module, inputs: Tensor) -> Arithmetic:
    """Count the multiplications and additions of a network's layers with weights.

    A layer that gives n numbers, each a sum over f products (f the fan-in), takes 2 · n · f operations forward. On the
    way back it takes as many for the gradient of its weight, where that is trained, and as many for the gradient of
    what entered it, where a layer before it is trained. Normalization, activation, pooling and the update rule are not
    counted: they are few operations, though on many machines not little time.

    Args:
        network: is put into the mode of evaluation for one pass, and back.
        inputs: pictures as it takes them, shape (picture, channel, height, width); it makes one pass over them.
    """
    counted = [0.0, 0.0]

    def count(layer: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        weight: Any = layer.weight
        forward = 2.0 * found.numel() * math.prod(weight.shape[1:])
        back = forward * (int(weight.requires_grad) + int(given[0].requires_grad))
        counted[0] += forward
        counted[1] += forward + back

    hooks = [each.register_forward_hook(count) for each in network.modules() if isinstance(each, WEIGHTED)]
    mode = network.training
    try:
        with torch.enable_grad():
            network.eval()(inputs)
    finally:
        network.train(mode)
        for hook in hooks:
            hook.remove()
    return Arithmetic(counted[0] / len(inputs), counted[1] / len(inputs))
