"""Stochastic gradient descent."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def sgd(
    parameters: ParamsT, *, learning_rate: float, weight_decay: float = 0.0, fused: bool | None = None
) -> Optimizer:
    """Stochastic gradient descent: every step goes down the gradient of one batch, with no memory.

    For each weight W with gradient g_t of the batch's mean loss:

        g_t ← g_t + weight_decay · W_{t-1}
        W_t = W_{t-1} − learning_rate · g_t

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: step length (α), > 0; 0.01 to 1 is usual.
        weight_decay: pull towards 0 through the gradient, ≥ 0.
        fused: update in one kernel; None lets torch choose.

    Torch: identical to torch.optim.SGD with momentum 0, which runs it.

    Slides: as here, without weight decay.

    Source: Robbins and Monro, A stochastic approximation method (Annals of Mathematical Statistics 22, 1951).
    """
    return torch.optim.SGD(parameters, lr=learning_rate, weight_decay=weight_decay, fused=fused)
