"""SGD with Nesterov's momentum."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def nesterov(
    parameters: ParamsT,
    *,
    learning_rate: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    fused: bool | None = None,
) -> Optimizer:
    """Nesterov momentum: the gradient is taken where the velocity is about to lead.

    For each weight W with gradient g_t, starting from v_0 = 0:

        g_t ← g_t + weight_decay · W_{t-1}
        v_t = momentum · v_{t-1} + g_t
        W_t = W_{t-1} − learning_rate · (g_t + momentum · v_t)

    W is the point looked ahead to, so that the gradient is taken at the weights themselves. In Nesterov's own
    variables, θ_t = W_t + learning_rate · momentum · v_t.

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: step length (α), > 0; 0.01 to 0.1 is usual.
        momentum: share of the velocity that stays (ρ), in (0, 1); 0.9 is usual.
        weight_decay: pull towards 0 through the gradient, ≥ 0.
        fused: update in one kernel; None lets torch choose.

    Torch: identical to torch.optim.SGD with nesterov on and dampening 0, which runs it.

    Slides: not in the slides.

    Source: Nesterov, A method for solving a convex programming problem with convergence rate O(1/k²) (Soviet
        Mathematics Doklady 27, 1983); in this form Sutskever et al., On the importance of initialization and momentum
        in deep learning (ICML 2013).
    """
    return torch.optim.SGD(
        parameters, lr=learning_rate, momentum=momentum, nesterov=True, weight_decay=weight_decay, fused=fused
    )
