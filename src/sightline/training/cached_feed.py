"""Batches of features that were computed once, in place of the pictures that they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.training.step import Mixture, Shard


@dataclass(frozen=True)
class CachedFeed:
    """Features of some views of each training picture; epoch e sees view (e − 1) mod views, as it would be drawn then.

    So the first epochs see what they would see if every epoch were drawn anew.
    """

    features: NDArray[np.float32]
    """Row v · n + i is picture i of `records` in view v."""
    records: NDArray[np.int64]
    """The training pictures, ascending, as positions in the catalogue."""
    labels: NDArray[np.int32]
    """Of the whole catalogue."""
    views: int
    device: str
    mixture: Callable[[int, NDArray[np.int64]], Mixture | None]
    """What else is in the pictures of an epoch, counted from 1."""

    def epoch(self, epoch: int, order: Sequence[NDArray[np.int64]]) -> Iterator[list[Shard]]:
        """Yield each batch as one shard."""
        view = (epoch - 1) % self.views
        for records in order:
            rows = view * len(self.records) + np.searchsorted(self.records, records)
            inputs = torch.from_numpy(self.features[rows]).to(self.device)
            labels = torch.from_numpy(self.labels[records].astype(np.int64)).to(self.device)
            yield [Shard(inputs, labels, self.mixture(view + 1, records))]
