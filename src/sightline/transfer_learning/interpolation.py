"""WiSE-FT: weights between the start and the end of a fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

STEPS = tuple(step / 10 for step in range(11))
"""Shares of the way that are looked at."""


def interpolated(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """WiSE-FT: weights on the straight line between the start and the end of a training.

    For each weight and each running statistic of batch normalization, with the share α of the way:

        W(α) = (1 − α) · W_start + α · W_end

    Both ends lie in one valley of the loss, so that what is between them is a network too, and often a better one than
    either: much of what was learned before is still there, and most of the new is there already.

    Args:
        start: the weights when the last stage began: the old layers as they came, with the trained head.
        end: the weights at its end.
        share: α from 0 to 1.

    Torch: torch.lerp of every tensor.

    Slides: "carefully adjust LR to avoid forgetting"; this is another way to the same end.

    Source: Wortsman et al., Robust fine-tuning of zero-shot models (CVPR 2022), equation 1, there from a zero-shot
        head.
    """
    if share in (0.0, 1.0):  # to the last bit
        return dict(start if share == 0.0 else end)
    return {
        name: start[name].lerp(tensor, share) if tensor.dtype.is_floating_point else tensor
        for name, tensor in end.items()
    }
