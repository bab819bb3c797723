"""The network as it was: features and old last layer together, which is what could be forgotten."""

from __future__ import annotations

from torch import nn

from sightline import network
from sightline.errors import ModelFileError
from sightline.transfer_learning.fit import fit
from sightline.transfer_learning.weights import Weights


def earlier_network(weights: Weights, *, channels: int, image_size: tuple[int, int], why: str) -> nn.Module:
    """Return the network that the weights are of, its last layers included, in inference mode, on the CPU.

    Args:
        weights: with last layers.
        channels: of the pictures that it will see; its first layer is made to fit, as in `fit`.
        image_size: height and width of those.
        why: the field that wants the old last layers, for the message.

    Raises:
        ModelFileError: the weights have no last layers, or their dense layers want another size.
    """
    head = weights.last_layers
    if not head:
        raise ModelFileError(
            f"{weights.origin}: has the features only, and {why} is about what the old last layer says. Wanted weights "
            f"with their last layer, or {why} left out."
        )
    section = weights.network.model_copy(update={"dropout": 0.0})
    classes = weights.tensors[head[-1]].shape[0]
    found = network.build(section, channels=channels, classes=classes, image_size=image_size)
    fit(found, weights, keep_head=True)
    return found.eval().requires_grad_(False)
