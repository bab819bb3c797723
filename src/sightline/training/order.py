"""What the epochs of a training see, and in what order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.recipe import Recipe
from sightline.training.batches import batches
from sightline.training.easy import selected, weighted
from sightline.training.prepare import Prepared
from sightline.training.stage import Stage
from sightline.training.state import State
from sightline.training.step import Shard


@dataclass
class Order:
    """The batches of the epochs of one stage."""

    prepared: Prepared
    recipe: Recipe
    state: State
    stage: Stage
    steps: int
    """Of an epoch."""
    _weights: NDArray[np.float32] | None = field(default=None, init=False)
    """Of the records of the epoch under way; None where all count alike."""

    def __post_init__(self) -> None:
        if self.recipe.training.easy_left_out > 0 and self.state.seen is None:
            self.state.losses = torch.full((len(self.prepared.catalogue),), torch.nan)
            self.state.seen = self.state.losses.clone()

    def batches(self, epoch: int) -> Sequence[NDArray[np.int64]]:
        """Return the positions in the catalogue of each batch of an epoch, counted from 1."""
        records, keys = self.prepared.split.train, self.prepared.catalogue.keys
        training = self.recipe.training
        if self.state.losses is not None:
            chosen = selected(
                records,
                keys[records],
                self.state.losses.numpy()[records],
                share=training.easy_left_out,
                until=training.easy_left_out_until,
                least=2 * self.steps * training.parts,
                seed=training.seed,
                epoch=epoch,
                planned=self.stage.course.planned_epoch(epoch),
                epochs=self.stage.course.epochs,
            )
            self._weights = np.zeros(len(keys), np.float32)
            self._weights[chosen.records] = chosen.weights
            records = chosen.records
        return batches(records, keys[records], steps=self.steps, seed=training.seed, epoch=epoch)

    def shards(self, epoch: int, order: Sequence[NDArray[np.int64]]) -> Iterator[Sequence[Shard]]:
        """Yield the parts of each of these batches, with the weights of their pictures."""
        found = self.stage.feed.epoch(epoch, order)
        if self._weights is None:
            yield from found
            return
        for records, shards in zip(order, found, strict=True):
            yield weighted(shards, self._weights[records])
