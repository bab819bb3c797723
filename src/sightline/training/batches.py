"""Which pictures each step sees: an order drawn by identity, divided evenly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.keys import purpose


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return ⌈images / batch_size⌉, or less where that would leave a batch of one picture next to others of two.

    Batch normalization compares the pictures of a batch, so a single one has nothing to be compared with.
    """
    steps = -(-images // batch_size)
    return max(1, images // 2) if batch_size > 1 and images // steps < 2 else steps


def batches(
    records: NDArray[np.int64], keys: NDArray[np.uint64], *, steps: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Return an epoch's batches: every record once.

    The epoch is divided evenly, so the batches differ by one picture at most and no small rest is left that would
    give batch normalization noisy statistics.

    Args:
        records: positions in the catalogue, in its canonical order.
        keys: identity of each of those records. The order depends on the seed, the epoch and them alone.
        steps: how many batches.
        seed: the training's.
        epoch: 1 for the first.
    """
    order = purpose(seed, "order").permutation(keys, epoch=epoch)
    return np.array_split(records[order], steps)
