"""Gradients by layer, their noise, and how one step changes the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Gradients = Mapping[str, Tensor]
"""By the parameter's name, float32."""


def norm(tensors: Sequence[Tensor]) -> float:
    """Return the Euclidean norm of all numbers together."""
    if not tensors:
        return 0.0
    return float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each.float()) for each in tensors])))


def dot(first: Gradients, second: Gradients) -> float:
    """Return the scalar product, in float64, over the names of the first."""
    return float(sum((_wide(each) * _wide(second[name])).sum() for name, each in first.items()))


def _wide(tensor: Tensor) -> Tensor:
    """Return a tensor in float64; on the processor where its device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def disagreement(first: Tensor, second: Tensor) -> float:
    """Return |a − b| / |a + b| of the gradients of two halves of a batch: 0 where they agree, about 1 for noise."""
    return float((first - second).norm() / (first + second).norm().clamp_min(torch.finfo(torch.float32).tiny))


def noise_scale(small: float, large: float, *, pictures: int) -> float | None:
    """Return the simple gradient noise scale, the batch at which noise and signal are equal, in pictures.

    With |G_s|² the mean squared norm of the gradients of two halves, b pictures each, and |G_l|² that of both together:

        |G|² = (2b · |G_l|² − b · |G_s|²) / b        S = (|G_s|² − |G_l|²) / (1/b − 1/(2b))
        B = S / |G|²

    Args:
        small: |G_s|².
        large: |G_l|².
        pictures: b.

    Returns:
        None where noise hides the gradient so well that the estimate of |G|² is not positive.

    Source: McCandlish, Kaplan, Amodei et al., An empirical model of large-batch training (2018), appendix A.
    """
    signal = 2.0 * large - small
    noise = (small - large) * 2.0 * pictures
    return noise / signal if signal > 0 else None


def curvature(before: Gradients, after: Gradients, update: Gradients) -> float | None:
    """Return how long a step was, in units of the step to the bottom of the parabola along its direction.

    With g the gradient of the same pictures before and after a step Δ, and a loss that is a parabola along it:

        r = Δ · (g_after − g_before) / (−Δ · g_before)

    r = 1 is the step that lowers the loss the most; from r = 2 on the loss rises, and rate · 2 / r is the largest rate
    that is stable in that direction. It holds for every update rule, since Δ is what was really done.

    Returns:
        None where the step does not go downhill on these pictures.

    Source: the descent lemma, Nocedal and Wright, Numerical optimization (2006), section 3.1; for what it means in
        training, Roulet et al., Stepping on the edge (NeurIPS 2024).
    """
    downhill = -dot(update, before)
    if downhill <= 0:
        return None
    return (dot(update, after) + downhill) / downhill
