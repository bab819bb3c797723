"""Judging a network on a set of pictures, in inference mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.training.metrics import Metrics, measure

Logits = Callable[[Tensor], Tensor]
Gather = Callable[[NDArray[np.int64]], NDArray[Any]]


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
    predicted = list(log_probabilities(logits, gather, records, batch_size=batch_size))
    return measure(np.concatenate(predicted), labels[records])


def log_probabilities(
    logits: Logits, gather: Gather, records: NDArray[np.int64], *, batch_size: int
) -> Iterator[NDArray[np.float64]]:
    """Yield log-probabilities, float64, of one batch of records after the other."""
    for start in range(0, len(records), batch_size):
        pixels = torch.from_numpy(gather(records[start : start + batch_size]))
        with torch.inference_mode():
            yield torch.log_softmax(logits(pixels).double(), dim=1).cpu().numpy()
