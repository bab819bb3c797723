"""AdamW."""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


def adamw(
    parameters: ParamsT,
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.05,
    fused: bool | None = None,
) -> Optimizer:
    """AdamW: Adam whose weight decay shrinks the weights directly, past the division by the gradients' size.

    For each weight W with gradient g_t, starting from m_0 = v_0 = 0, with t = 1, 2, …:

        m_t = beta1 · m_{t-1} + (1 − beta1) · g_t
        v_t = beta2 · v_{t-1} + (1 − beta2) · g_t²
        m̂_t = m_t / (1 − beta1^t)
        v̂_t = v_t / (1 − beta2^t)
        W_t = W_{t-1} − learning_rate · (m̂_t / (√v̂_t + epsilon) + weight_decay · W_{t-1})

    Args:
        parameters: tensors, or groups of them with a `weight_decay` of their own.
        learning_rate: step length (α), in units of the weights, > 0; 1e-4 to 1e-2 is usual.
        beta1: weight of the past in the average of gradients, in [0, 1).
        beta2: weight of the past in the average of squared gradients, in [0, 1).
        epsilon: keeps the division finite, > 0; outside the root.
        weight_decay: share of a weight that, times the rate, each step removes, ≥ 0; 0.01 to 0.1 is usual.
        fused: update in one kernel; None lets torch choose.

    Torch: identical to torch.optim.AdamW with amsgrad off, which runs it. Both multiply the decay by the rate; the
        paper multiplies it by the schedule's factor only, so its values are smaller by the base rate.

    Slides: not in the slides.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (ICLR 2019, arXiv:1711.05101).
    """
    return torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(beta1, beta2), eps=epsilon, weight_decay=weight_decay, fused=fused
    )
