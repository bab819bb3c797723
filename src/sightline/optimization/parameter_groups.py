"""Which parameters weight decay pulls towards 0."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

# _NormBase is the parent of every batch and instance normalization.
NORMALIZATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def parameter_groups(
    module: nn.Module,
    *,
    weight_decay: float,
    decayed: Literal["weights", "all"] = "weights",
    rate_factors: Mapping[str, float] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Weight decay: weights are pulled towards 0, biases and normalization are left alone.

    Each step first adds the gradient of a squared penalty (AdamW instead shrinks the weights directly):

        L'(W) = L(W) + weight_decay / 2 · Σ W²   so that   g ← g + weight_decay · W

    A bias or the shift of a normalization only moves its output, and the scale of a normalization has its right value
    near 1: pulling them to 0 costs accuracy and prevents no overfitting. `weights` are the tensors of two or more
    dimensions outside of normalization modules.

    Args:
        module: network whose trainable parameters are grouped; frozen ones are left out, shared ones come once.
        weight_decay: strength λ of the pull, ≥ 0.
        decayed: `weights`, or `all` parameters.
        rate_factors: by name, what the rate of a parameter is multiplied by; 1 for those that are not there.

    Returns:
        One or two groups for torch.optim, of (name, parameter) pairs in the network's order: the decayed first. Where
        there are factors, so many for each factor, which stands in the group's `rate_factor`.

    Torch: torch.optim decays every parameter it is given; two groups with a `weight_decay` each are its way to choose.

    Slides: not in the slides.

    Source: Krogh and Hertz, A simple weight decay can improve generalization (NeurIPS 1991); the exception of biases
        and normalization: He et al., Bag of tricks for image classification (CVPR 2019).
    """
    groups: dict[tuple[float, bool], dict[str, nn.Parameter]] = {}
    # A parameter shared with a normalization counts as one of its own, wherever it is met first.
    normalizing = {
        id(parameter)
        for part in module.modules()
        if isinstance(part, NORMALIZATIONS)
        for parameter in part.parameters(recurse=False)
    }
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            is_weight = parameter.ndim >= 2 and id(parameter) not in normalizing
            pulled = decayed == "all" or is_weight
            groups.setdefault((rate_factors.get(name, 1.0), pulled), {})[name] = parameter
    # The decayed first within each factor, whatever the network begins with.
    order = {factor: place for place, factor in enumerate(dict.fromkeys(factor for factor, _ in groups))}
    listed = []
    for factor, pulled in sorted(groups, key=lambda group: (order[group[0]], not group[1])):
        group: dict[str, Any] = {"params": list(groups[factor, pulled].items())}
        group["weight_decay"] = weight_decay if pulled else 0.0
        listed.append({**group, "rate_factor": factor} if rate_factors else group)
    return listed
