"""Clipping of the gradient by its norm."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


def clip_norm(parameters: Iterable[Tensor], largest: float) -> Float[Tensor, ""]:
    """Gradient clipping: a gradient longer than a limit is shortened to it, its direction kept.

    With g all gradients taken as one vector:

        g ← g · min(1, largest / (‖g‖₂ + 1e-6))

    A gradient that is not finite stays so: stop before the update when the returned norm is not finite.

    Args:
        parameters: tensors whose `.grad` is changed in place; those without a gradient are passed over.
        largest: longest norm that passes, in units of the gradient, > 0.

    Returns:
        The norm before clipping, still on its device, so that reading it is the caller's choice.

    Torch: identical to torch.nn.utils.clip_grad_norm_, which runs it and adds the 1e-6.

    Slides: not in the slides.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (ICML 2013).
    """
    return torch.nn.utils.clip_grad_norm_(parameters, largest)
