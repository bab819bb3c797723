"""L2-SP: a pull towards where the weights started."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sightline.transfer_learning.layers import is_head


@torch.no_grad()
def pull(network: nn.Module, start: Mapping[str, Tensor], *, strength: float) -> None:
    """L2-SP: pulls the old layers towards the weights they started from, instead of towards 0.

    For each weight W of the layers before the head, with its start W₀:

        L'(W) = L(W) + strength / 2 · ‖W − W₀‖²   so that   g ← g + strength · (W − W₀)

    The new head has no start worth keeping and is left to weight decay.

    Args:
        network: with gradients; those of frozen parameters are none and stay so.
        start: the weights at the start, by name.
        strength: α of the paper, ≥ 0; 0.001 to 0.1 is usual for SGD.

    Torch: it has none; its weight decay pulls towards 0.

    Slides: "carefully adjust LR to avoid forgetting"; this is another way to the same end.

    Source: Li, Grandvalet and Davoine, Explicit inductive bias for transfer learning with convolutional networks (ICML
        2018), equation 2. The paper trains with SGD; rules that divide by the gradient's size scale the pull with it.
    """
    for name, parameter in network.named_parameters():
        if parameter.grad is not None and not is_head(network, name):
            parameter.grad.add_(parameter - start[name], alpha=strength)
