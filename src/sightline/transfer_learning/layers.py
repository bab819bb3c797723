"""The layers of a network from its input to its head, as what shares a rate and what drift is told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from sightline.errors import ModelFileError

HEAD = "head"
WRAPPED = "backbone"
"""Where another library's network lies inside of ours."""


@dataclass(frozen=True)
class Layer:
    """Parameters that are trained alike."""

    name: str
    """Of the submodule, such as `layer1.0` or `features.3`; `head` for the last layers."""
    parameters: tuple[str, ...]
    module: str
    """Dotted name of the submodule whose output is the layer's."""


def is_head(network: nn.Module, name: str) -> bool:
    """Return whether a parameter or buffer belongs to the last layers.

    Raises:
        ModelFileError: the network says nothing of which layers are its last.
    """
    head = getattr(network, "HEAD", None)
    if head is None:
        raise ModelFileError(
            f"{type(network).__name__}: has no last layer that could be told from its features. Wanted one of the "
            "networks of Sightline."
        )
    return name.startswith(f"{head}.")


def layers(network: nn.Module) -> tuple[Layer, ...]:
    """Return the layers in their order, the head last.

    A layer is a block of residual, fire or inverted residual kind, or a convolution or dense layer that stands alone;
    a normalization belongs to the layer that it follows, and what a wrapped network holds beside its layers, such as
    a transformer's table of positions, to the first.
    """
    found: dict[str, list[str]] = {}
    beside: list[str] = []
    last = ""
    weights = {name: parameter.ndim > 1 for name, parameter in network.named_parameters()}
    for name in weights:
        key = HEAD if is_head(network, name) else _block(name)
        if key == WRAPPED:  # a module's own parameters come before those of its parts
            beside.append(name)
            continue
        inside = [each for each in weights if each.startswith(f"{key}.")]
        # A normalization alone has no weight of two dimensions.
        if key not in found and last and key != HEAD and not any(weights[each] for each in inside):
            key = last
        found.setdefault(key, []).append(name)
        last = key
    ordered = [key for key in found if key != HEAD] + [key for key in found if key == HEAD]
    found[ordered[0]] += beside
    return tuple(Layer(key, tuple(found[key]), _module(network, key)) for key in ordered)


def rate_factors(network: nn.Module, *, decay: float) -> dict[str, float]:
    """Layer-wise decay: the rate falls by a factor with each layer from the head towards the input.

    For the layer at a distance d from the head, d = 0 for the head itself:

        factor(d) = decay^d

    Args:
        network: whose parameters the factors are for.
        decay: in (0, 1]; 1 gives all layers the same rate.

    Returns:
        A factor for each parameter, by name.

    Torch: groups of parameters with a rate of their own, which an optimizer takes.

    Slides: "carefully adjust LR to avoid forgetting"; that the first layers need the least is not in the slides.

    Source: Howard and Ruder, Universal language model fine-tuning for text classification (ACL 2018), discriminative
        fine-tuning, with 1/2.6 for each layer of a language model; Yosinski et al., How transferable are features in
        deep neural networks? (NeurIPS 2014), for why: first layers are general, last ones are not.
    """
    found = layers(network)
    return {name: factor for layer, factor in _factors(found, decay) for name in layer.parameters}


def _factors(found: tuple[Layer, ...], decay: float) -> Iterator[tuple[Layer, float]]:
    for distance, layer in enumerate(reversed(found)):
        yield layer, decay**distance


def _block(name: str) -> str:
    """Return the part of a parameter's name that is its block's: `layer1.0`, `features.3`, `conv1`."""
    parts = name.split(".")[:-1]
    alone = 2 if parts[0] == WRAPPED else 1
    return ".".join(parts[: next((index + 1 for index, part in enumerate(parts) if part.isdigit()), alone)])


def _module(network: nn.Module, key: str) -> str:
    return str(network.HEAD) if key == HEAD else key
