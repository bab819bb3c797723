"""Adam."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def adam(
    parameters: ParamsT,
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    fused: bool | None = None,
) -> Optimizer:
    """Adam: the averaged gradient over the root of the averaged squared gradient, both freed of their bias.

    For each weight W with gradient g_t, starting from m_0 = v_0 = 0, with t = 1, 2, …:

        g_t ← g_t + weight_decay · W_{t-1}
        m_t = beta1 · m_{t-1} + (1 − beta1) · g_t
        v_t = beta2 · v_{t-1} + (1 − beta2) · g_t²
        m̂_t = m_t / (1 − beta1^t)
        v̂_t = v_t / (1 − beta2^t)
        W_t = W_{t-1} − learning_rate · m̂_t / (√v̂_t + epsilon)

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: step length (α), in units of the weights, > 0; 1e-4 to 1e-2 is usual.
        beta1: weight of the past in the average of gradients (the slides' ρ1), in [0, 1).
        beta2: weight of the past in the average of squared gradients (the slides' ρ2), in [0, 1).
        epsilon: keeps the division finite, > 0; outside the root.
        weight_decay: pull towards 0 through the gradient, ≥ 0; being divided by √v̂ it acts unevenly (see AdamW).
        fused: update in one kernel; None lets torch choose.

    Torch: identical to torch.optim.Adam with amsgrad off, which runs it.

    Slides: they put ε inside the root and write the bias-corrected values back into the state, S ← (ρ S + (1 − ρ) g) /
        (1 − ρ^t). The second average is then divided by less than 1 at every step, outgrows everything, and the
        weights freeze within some dozen steps. The paper keeps m and v uncorrected, and so do we.

    Source: Kingma and Ba, Adam: a method for stochastic optimization (ICLR 2015, arXiv:1412.6980).
    """
    return torch.optim.Adam(
        parameters, lr=learning_rate, betas=(beta1, beta2), eps=epsilon, weight_decay=weight_decay, fused=fused
    )
