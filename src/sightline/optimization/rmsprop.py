"""RMSProp."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def rmsprop(
    parameters: ParamsT,
    *,
    learning_rate: float,
    decay: float = 0.99,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Optimizer:
    """RMSProp: a running average of squared gradients scales every weight's step.

    For each weight W with gradient g_t, starting from S_0 = 0:

        g_t ← g_t + weight_decay · W_{t-1}
        S_t = decay · S_{t-1} + (1 − decay) · g_t²
        W_t = W_{t-1} − learning_rate · g_t / (√S_t + epsilon)

    S starts too small, so the first steps are up to 1 / √(1 − decay) times as long as later ones: 10 times at 0.99.

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: step length (α), in units of the weights, > 0; 1e-4 to 1e-2 is usual.
        decay: weight of the past (ρ), in [0, 1). torch calls it `alpha`.
        epsilon: keeps the division finite, > 0; outside the root.
        weight_decay: pull towards 0 through the gradient, ≥ 0.

    Torch: identical to torch.optim.RMSprop with momentum 0 and not centered, which runs it.

    Slides: they add a line S ← S + √(g²) before the average; that line is a slip (S would mix units and the steps
        shrink) and is not run.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6e (2012), unpublished otherwise.
    """
    return torch.optim.RMSprop(parameters, lr=learning_rate, alpha=decay, eps=epsilon, weight_decay=weight_decay)
