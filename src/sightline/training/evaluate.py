"""Judging a network on a set of pictures, in inference mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.training.metrics import Metrics, measure

Logits = Callable[[Tensor], Tensor]
Gather = Callable[[NDArray[np.int64]], NDArray[Any]]

PIXELS_AT_ONCE = 3 * 224 * 224
"""Of one batch on a processor. Layers of more pictures do not fit the memory that glibc keeps for the next layer: the
system then clears each anew, which takes up to 1.5 times as long as the layers themselves (`benchmarks/judging.py`)."""


def batch_to_judge(image_size: tuple[int, int], *, device: str, most: int) -> int:
    """Return how many pictures are looked at together, `most` of them or fewer."""
    if device != "cpu":
        return most
    height, width = image_size
    return max(1, min(most, PIXELS_AT_ONCE // (height * width)))


def evaluate(
    logits: Logits, gather: Gather, records: NDArray[np.int64], labels: NDArray[np.int32], *, batch_size: int
) -> Metrics:
    """Return the metrics of a network over `records`.

    Args:
        logits: what `gather` returns to unnormalized log-probabilities; already in inference mode.
        gather: pixels of records, uint8, shape (image, height, width, channel); or features of them.
        records: positions in the catalogue, at least one.
        labels: the true class of every picture of the catalogue.
        batch_size: pictures looked at together.
    """
    return measure(predict(logits, gather, records, batch_size=batch_size), labels[records])


def predict(logits: Logits, gather: Gather, records: NDArray[np.int64], *, batch_size: int) -> NDArray[np.float64]:
    """Return log-probabilities, shape (record, class); the arguments are those of `evaluate`."""
    found = []
    for start in range(0, len(records), batch_size):
        pixels = torch.from_numpy(gather(records[start : start + batch_size]))
        with torch.inference_mode():
            # On the processor: not every device has float64.
            found.append(torch.log_softmax(logits(pixels).cpu().double(), dim=1).numpy())
    return np.concatenate(found)
