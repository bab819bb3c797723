"""ADADELTA."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def adadelta(
    parameters: ParamsT,
    *,
    learning_rate: float = 1.0,
    decay: float = 0.95,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
) -> Optimizer:
    """ADADELTA: past steps over past gradients set the length, so that a step has the unit of the weights.

    For each weight W with gradient g_t, starting from S_0 = D_0 = 0:

        g_t ← g_t + weight_decay · W_{t-1}
        S_t = decay · S_{t-1} + (1 − decay) · g_t²
        Δ_t = √(D_{t-1} + epsilon) / √(S_t + epsilon) · g_t
        D_t = decay · D_{t-1} + (1 − decay) · Δ_t²
        W_t = W_{t-1} − learning_rate · Δ_t

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: factor on the step, > 0; the paper has none, that is 1.
        decay: weight of the past (ρ) in both averages, in [0, 1).
        epsilon: starts the steps and keeps them finite, > 0; inside both roots.
        weight_decay: pull towards 0 through the gradient, ≥ 0.

    Torch: identical to torch.optim.Adadelta, which runs it; torch's own default for decay is 0.9.

    Slides: named as a relative of RMSProp, with the reference and no equations.

    Source: Zeiler, ADADELTA: an adaptive learning rate method (2012, arXiv:1212.5701).
    """
    return torch.optim.Adadelta(parameters, lr=learning_rate, rho=decay, eps=epsilon, weight_decay=weight_decay)
