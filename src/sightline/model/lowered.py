"""A network for prediction alone: normalization folded away, activations inside of convolutions, bfloat16."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

IDLE = (nn.Dropout, nn.Dropout2d)
"""Layers that do nothing in prediction."""
AFTER_SUM = ("relu",)
"""What oneDNN computes behind a sum."""


def lowered(network: nn.Module, *, bfloat16: bool) -> nn.Module:
    """Return a network that gives the same scores, but for rounding, in less time; the one that is given stays.

    Batch normalization is, in prediction, a factor and a sum for each map, which the convolution W · x + b before it
    takes over, with the running mean μ and variance v, and γ, β and ε of the normalization:

        W' = W · γ / √(v + ε)        b' = (b − μ) · γ / √(v + ε) + β

    In bfloat16, on a processor, what follows a convolution, the sum with a shortcut and the activation, is computed
    where its numbers still are in the cache, by oneDNN, which torch has. Numbers have 8 bits of precision then, and
    sums are float32. In float32 the same functions took eight times as long on a processor without AVX-512.

    Args:
        network: in evaluation mode, on the processor.
        bfloat16: compute in it.

    Source: Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only inference
        (CVPR 2018), section 3.2, for the folding.
    """
    own = copy.deepcopy(network)
    try:
        traced = fx.GraphModule(own, _Tracer().trace(own))
    except Exception:  # of many classes, by what is in the network
        return _converted(copy.deepcopy(network), bfloat16)  # whose way depends on the picture: only the numbers differ
    _without_idle(traced)
    _folded(traced)
    if bfloat16 and _onednn():
        _fused(traced)
    traced.graph.lint()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return _converted(traced, bfloat16)


def _onednn() -> bool:
    """Return whether this torch has oneDNN's functions that do several things at once, which are its compiler's own."""
    present = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return present and all(
        hasattr(torch.ops.mkldnn, f"_{name}") for name in ("convolution_pointwise", "reorder_convolution_weight")
    )


class _Tracer(fx.Tracer):
    """Looks into layers that hand on what they get, since a network may ask whether that is the same."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, nn.Identity) and super().is_leaf_module(m, module_qualified_name)


def _converted(network: nn.Module, bfloat16: bool) -> nn.Module:
    network = network.to(torch.bfloat16) if bfloat16 else network
    ready: nn.Module = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ready


def _layer(traced: fx.GraphModule, node: object) -> nn.Module | None:
    """Return the layer that a node calls; None where it is another node, or none."""
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    return traced.get_submodule(str(node.target))


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _without_idle(traced: fx.GraphModule) -> None:
    for node in list(traced.graph.nodes):
        if isinstance(_layer(traced, node), IDLE):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


def _folded(traced: fx.GraphModule) -> None:
    """Give convolutions the normalization that follows them, behind a pooling that changes nothing by coming later."""
    for node in list(traced.graph.nodes):
        normalization = _layer(traced, node)
        if not isinstance(normalization, nn.BatchNorm2d):
            continue
        before = node.args[0]
        first = before.args[0] if _pools_after(_layer(traced, before), normalization) else before
        convolution = _layer(traced, first)
        # Of the class itself: others compute otherwise. One that is used twice would have two normalizations.
        alone = len(first.users) == len(before.users) == 1 and _used_once(traced, first)
        if type(convolution) is nn.Conv2d and alone:
            traced.set_submodule(str(first.target), fuse_conv_bn_eval(convolution, normalization))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)


def _pools_after(layer: nn.Module | None, normalization: nn.BatchNorm2d) -> bool:
    """Return whether a layer is a pooling that gives the same after the normalization as before it.

    The largest number stays the largest where the factor is positive; a mean of numbers follows any factor and sum.
    """
    if isinstance(layer, nn.AvgPool2d):
        return not layer.count_include_pad or layer.padding in (0, (0, 0))
    factor = normalization.weight
    return isinstance(layer, nn.MaxPool2d) and (factor is None or bool((factor > 0).all()))


def _used_once(traced: fx.GraphModule, node: fx.Node) -> bool:
    return [each.target for each in traced.graph.nodes if each.op == "call_module"].count(node.target) == 1


def _fused(traced: fx.GraphModule) -> None:
    """Give convolutions the sum and the activation that follow them."""
    for number, node in enumerate(list(traced.graph.nodes)):
        convolution = _layer(traced, node)
        if type(convolution) is not nn.Conv2d or convolution.padding_mode != "zeros":
            continue
        chain = [node]
        other = None
        user = _only_user(node)
        if user is not None and (other := _added(traced, node, user)) is not None:
            chain.append(user)
            user = _only_user(user)
        activation = _inside(_layer(traced, user)) if user is not None else None
        if other is not None and activation is not None and activation[0] not in AFTER_SUM:
            activation = None
        if user is not None and activation is not None:
            chain.append(user)
        name = f"fused_{number}"
        traced.add_submodule(name, Fused(convolution, activation))
        last = chain[-1]
        with traced.graph.inserting_before(last):
            new = traced.graph.call_module(name, (node.args[0],) if other is None else (node.args[0], other))
        last.replace_all_uses_with(new)
        for each in reversed(chain):
            traced.graph.erase_node(each)


def _added(traced: fx.GraphModule, node: fx.Node, user: fx.Node) -> fx.Node | None:
    """Return what a convolution's maps are added to, where that is there already when it is computed."""
    if user.op != "call_function" or user.target not in (operator.add, torch.add) or len(user.args) != 2 or user.kwargs:
        return None
    others = [each for each in user.args if each is not node]
    if len(others) != 1 or not isinstance(others[0], fx.Node):
        return None
    order = list(traced.graph.nodes)
    return others[0] if order.index(others[0]) < order.index(node) else None


Activation = tuple[str, list[float], str]


def _inside(layer: nn.Module | None) -> Activation | None:
    """Return what oneDNN calls an activation."""
    match layer:
        case nn.ReLU():
            return "relu", [], ""
        case nn.SiLU():
            return "swish", [], ""
        case nn.GELU():
            return "gelu", [], layer.approximate
        case _:
            return None


class Fused(nn.Module):
    """A convolution, the sum of its maps with others, and an activation, in one go."""

    def __init__(self, convolution: nn.Conv2d, activation: Activation | None) -> None:
        super().__init__()
        self.shape: tuple[Any, ...] = (
            convolution.padding,
            convolution.stride,
            convolution.dilation,
            convolution.groups,
        )
        self.activation = activation
        # In oneDNN's own order, which it would otherwise bring them to for every picture.
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            convolution.weight.detach().to(torch.bfloat16), *self.shape, None
        )
        self.bias = None if convolution.bias is None else convolution.bias.detach().to(torch.bfloat16)

    def forward(self, given: Tensor, other: Tensor | None = None) -> Tensor:
        found: Tensor
        if other is None:
            found = torch.ops.mkldnn._convolution_pointwise(
                given, self.weight, self.bias, *self.shape, *(self.activation or ("none", [], ""))
            )
        else:
            found = torch.ops.mkldnn._convolution_pointwise.binary(
                given, other, self.weight, self.bias, *self.shape, "add", 1.0, *(self.activation or (None, [], None))
            )
        return found
