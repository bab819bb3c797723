"""SGD with momentum."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def momentum(
    parameters: ParamsT,
    *,
    learning_rate: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    fused: bool | None = None,
) -> Optimizer:
    """Momentum: the weights follow a velocity that gradients push and friction slows.

    For each weight W with gradient g_t, starting from v_0 = 0:

        g_t ← g_t + weight_decay · W_{t-1}
        v_t = momentum · v_{t-1} + g_t
        W_t = W_{t-1} − learning_rate · v_t

    Under a steady gradient the velocity grows to g / (1 − momentum): the same rate goes 10 times as far as plain SGD
    at momentum 0.9.

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: step length (α), > 0; 0.01 to 0.1 is usual.
        momentum: share of the velocity that stays (the slides' ρ; friction is 1 − ρ), in [0, 1); 0.9 is usual.
        weight_decay: pull towards 0 through the gradient, ≥ 0.
        fused: update in one kernel; None lets torch choose.

    Torch: identical to torch.optim.SGD with dampening 0 and nesterov off, which runs it.

    Slides: they write the rate inside the velocity, v ← ρ v + α g and W ← W − v. At a constant rate both are the same
        path; when the rate changes, theirs carries steps of the old rate along, ours applies the new rate at once.
        They also call v a running mean of gradients; it is a discounted sum.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (USSR Computational Mathematics
        and Mathematical Physics 4, 1964).
    """
    return torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum, weight_decay=weight_decay, fused=fused)
