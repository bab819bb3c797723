"""Early stopping: to stop when the validation loss has not become better for a while."""

from __future__ import annotations


def exhausted(epoch: int, best_epoch: int, patience: int) -> bool:
    """Return whether `patience` epochs have gone by without a better validation loss.

    Args:
        epoch: epochs completed.
        best_epoch: the epoch with the lowest validation loss so far, counted from 1.
        patience: epochs to wait, 0 to wait for ever.

    Source: Goodfellow, Bengio and Courville, Deep Learning (2016), algorithm 7.1.
    """
    return patience > 0 and epoch - best_epoch >= patience
