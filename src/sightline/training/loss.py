"""Cross-entropy with label smoothing and class weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy

LossFunction = Callable[..., Float[Tensor, ""]]
"""Of scores (image, class), labels (image,), and weights of pictures (image,) where they have such."""


def cross_entropy(*, label_smoothing: float, class_weights: Tensor | None) -> LossFunction:
    """Return the SUM over pictures of the weighted, smoothed cross-entropy.

        q_k = (1 − s) · [k = y] + s / K
        loss = Σ_images −Σ_k w_k · q_k · log p_k

    with y the true class, K the number of classes, s the smoothing and w the class weights; pictures that count with
    weights of their own have them as a factor. A sum, not a mean, so that a batch divided into shards adds up to the
    same; the step divides by the number of pictures. torch's own mean would divide by the sum of the weights that
    happened to be drawn.

    Args:
        label_smoothing: s in [0, 1).
        class_weights: w, shape (classes,); None for 1 each.

    Source: Szegedy et al., Rethinking the Inception architecture (CVPR 2016), for the smoothing.
    """

    def loss(
        logits: Float[Tensor, "image class"], labels: Tensor, weights: Float[Tensor, " image"] | None = None
    ) -> Tensor:
        found = torch_cross_entropy(
            logits,
            labels,
            weight=class_weights,
            label_smoothing=label_smoothing,
            reduction="sum" if weights is None else "none",
        )
        return found if weights is None else (weights * found).sum()

    return loss


def balanced_weights(labels: NDArray[np.int32], classes: int) -> NDArray[np.float64]:
    """Return n / (K · n_k) for each class k: the mean over pictures is 1 and every class weighs the same in total."""
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * np.maximum(counts, 1))
