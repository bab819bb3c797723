"""A table of a network's layers, as papers print it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One row: a module without parts, the shape of its output for one picture, and its own parameters."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def describe(module: nn.Module, *, channels: int, image_size: tuple[int, int]) -> list[Layer]:
    """Return the layers of `module` in the order in which one black picture passes them, identities left out.

    The module is run once for inference and left as it was.
    """
    rows: list[Layer] = []

    def note(name: str, layer: nn.Module, _: tuple[Any, ...], output: Tensor) -> None:
        parameters = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        rows.append(Layer(name, type(layer).__name__, tuple(output.shape[1:]), parameters))

    leaves = [
        (name, layer)
        for name, layer in module.named_modules()
        if not isinstance(layer, nn.Identity) and next(layer.children(), None) is None
    ]
    hooks = [layer.register_forward_hook(partial(note, name)) for name, layer in leaves]
    modes = [(part, part.training) for part in module.modules()]
    device = next(module.parameters()).device
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, channels, *image_size, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes:
            part.training = training
    return rows
