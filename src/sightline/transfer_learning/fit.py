"""Putting weights into a network, with every tensor accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.errors import ModelFileError
from sightline.transfer_learning.layers import is_head
from sightline.transfer_learning.weights import Weights

LISTED = 5


@dataclass(frozen=True)
class Fit:
    """What became of each tensor of a network and of the weights."""

    loaded: tuple[str, ...]
    """The network has them from the weights."""
    new: tuple[str, ...]
    """The network has drawn them: the layers behind the features."""
    left_over: tuple[str, ...]
    """Of the weights, and not wanted."""
    adapted: tuple[str, ...]
    """Of `loaded`, those of the first layer, made to fit another number of channels."""


def fit(network: nn.Module, weights: Weights, *, keep_head: bool = False) -> Fit:
    """Load the weights into a network in place; what lies behind the features stays as it was drawn.

    A first convolution W that was trained on 3 channels becomes one for gray pictures by its sum, and one that was
    trained on gray pictures becomes one for 3 channels by its third:

        W₁[o, 0] = Σ_c W₃[o, c]        W₃[o, c] = W₁[o, 0] / 3

    so that a gray picture gives the same maps either way, whether its one channel is seen once or three times.

    Args:
        network: as a recipe's section builds it.
        weights: as `read` returns them.
        keep_head: load the last layers too, for the classes they were trained on.

    Raises:
        ModelFileError: a tensor before the last layers is missing or of another shape; nothing was changed.
    """
    wanted = network.state_dict()
    features = [name for name in wanted if keep_head or not is_head(network, name)]
    missing = [name for name in features if name not in weights.tensors and not name.endswith("num_batches_tracked")]
    fitting: dict[str, torch.Tensor] = {}
    adapted: list[str] = []
    unlike: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
    for name in features:
        if name not in weights.tensors:
            continue
        found, shape = weights.tensors[name], tuple(wanted[name].shape)
        if found.shape != shape and _other_channels(found.shape, shape):
            found = _adapted(found, shape[1])
            adapted.append(name)
        if found.shape != shape:
            unlike.append((name, shape, found.shape))
        else:
            fitting[name] = torch.from_numpy(np.array(found)).to(wanted[name].dtype)
    if missing or unlike:
        raise ModelFileError(_table(weights.origin, missing, unlike))
    network.load_state_dict(fitting, strict=False)
    return Fit(
        loaded=tuple(fitting),
        new=tuple(name for name in wanted if name not in fitting),
        left_over=tuple(name for name in weights.tensors if name not in fitting),
        adapted=tuple(adapted),
    )


def _other_channels(found: Sequence[int], wanted: Sequence[int]) -> bool:
    """Return whether two shapes are those of a first convolution, once for gray pictures and once for color."""
    alike = len(found) == len(wanted) == 4 and (found[0], *found[2:]) == (wanted[0], *wanted[2:])
    return alike and {found[1], wanted[1]} == {1, 3}


def _adapted(weight: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    found: NDArray[np.float32] = weight.sum(axis=1, keepdims=True)
    return found if channels == 1 else np.repeat(weight / channels, channels, axis=1)


def _table(origin: str, missing: Sequence[str], unlike: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]]) -> str:
    rows = [f"{name}: wanted {_form(wanted)}, found {_form(found)}" for name, wanted, found in unlike]
    rows += [f"{name}: missing" for name in missing]
    more = f"; and {len(rows) - LISTED:,} more" if len(rows) > LISTED else ""
    listed = "; ".join(rows[:LISTED])
    return f"{origin}: does not fit the network of the recipe: {listed}{more}. Wanted the network it was trained as."


def _form(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "one number"
