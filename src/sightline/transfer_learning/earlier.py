"""The network as it was: features and old last layer together, which is what could be forgotten."""

from __future__ import annotations

import torch
from torch import nn

from sightline import network
from sightline.errors import ModelFileError
from sightline.recipe.facts import SourceFacts
from sightline.transfer_learning.fit import fit
from sightline.transfer_learning.layers import is_head
from sightline.transfer_learning.weights import Weights

USUAL_SIZE = (224, 224)
"""Height and width for the names of layers, which do not depend on it."""


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
    head = _last_layers(weights, image_size)
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


def facts(weights: Weights) -> SourceFacts:
    """Return what the resolution of a recipe looks at."""
    return SourceFacts(
        origin=weights.origin,
        digest=weights.digest,
        network=weights.network,
        channels=weights.channels,
        image_size=weights.image_size,
        statistics=weights.statistics_of if weights.statistics is not None else "",
        classes=weights.class_names,
        answers=bool(_last_layers(weights, weights.image_size or USUAL_SIZE)),
    )


def _last_layers(weights: Weights, image_size: tuple[int, int]) -> list[str]:
    """Return the names of the last layers' tensors; none where one of them is not among the weights."""
    section = weights.network.model_copy(update={"dropout": 0.0})
    with torch.device("meta"):  # only the names are wanted
        template = network.build(section, channels=weights.channels, classes=1, image_size=image_size)
    head = [name for name in template.state_dict() if is_head(template, name)]
    return head if all(name in weights.tensors for name in head) else []
