"""What the network is fed: a batch's pixels, augmented where the recipe says so, standardized, with their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import augmentation, preprocessing
from sightline.augmentation import Plan
from sightline.ordered import in_order
from sightline.recipe.choices import settled
from sightline.training.prepare import Prepared
from sightline.training.step import Mixture, Shard, Standardize

AHEAD = 2
"""Batches that are prepared while the network is busy with another."""


@dataclass
class Feed:
    """Batches for one training. A picture's augmentation depends on the seed, the epoch and its content alone."""

    prepared: Prepared
    standardize: Standardize
    device: str
    _buffers: list[NDArray[np.float32]] = field(default_factory=lambda: [np.empty(0, np.float32)] * (AHEAD + 2))
    _turn: int = 0

    def epoch(self, epoch: int, order: Sequence[NDArray[np.int64]]) -> Iterator[list[Shard]]:
        """Yield the shards of each batch of an epoch, in order.

        With an accelerator they are prepared ahead of it, on a thread of their own. On a processor both would compete
        for the same cores, and each batch is prepared by all of them when its turn has come.
        """
        if self.device == "cpu":
            yield from (self.load(epoch, records) for records in order)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="sightline-feed") as pool:
            yield from in_order(pool, lambda records: self.load(epoch, records), order, ahead=AHEAD)

    def load(self, epoch: int, records: NDArray[np.int64]) -> list[Shard]:
        """Return a batch as its one shard, on the device. It is valid until `AHEAD` + 1 more have been loaded."""
        prepared = self.prepared
        labels = prepared.catalogue.labels
        chosen = prepared.resolved.recipe.augmentation
        if not chosen.operations:
            pixels = torch.from_numpy(prepared.pixels.gather(records)).to(self.device)
            return [Shard(self.standardize(pixels), self._tensor(labels[records]))]
        plan = self.plan(epoch, records)
        shown = np.concatenate([records, prepared.split.train[plan.others]])
        inputs = self._rendered(prepared.training_pixels.gather(shown), plan)
        mixture = None
        if plan.mixes:
            partners = labels[shown[np.where(plan.partner >= 0, plan.partner, np.arange(plan.own))]]
            mixture = Mixture(self._tensor(partners), torch.from_numpy(plan.weight).float().to(self.device))
        return [Shard(inputs, self._tensor(labels[records]), mixture)]

    def plan(self, epoch: int, records: NDArray[np.int64]) -> Plan:
        """Return how pictures are augmented in an epoch; the standardization is in it where channels allow."""
        prepared = self.prepared
        keys, recipe = prepared.catalogue.keys, prepared.resolved.recipe
        plan = augmentation.draw(
            recipe.augmentation,
            keys[records],
            seed=recipe.training.seed,
            epoch=epoch,
            source=prepared.training_pixels.shape[1:3],
            size=prepared.height_width,
            channels=settled(recipe.data.channels),
            pool=keys[prepared.split.train],
        )
        affine = preprocessing.by_channel(prepared.statistics)
        return plan if affine is None else plan.standardized(*affine)

    def _rendered(self, images: NDArray[np.uint8], plan: Plan) -> Tensor:
        recipe = self.prepared.resolved.recipe.training
        if self.device == "cuda":
            precision = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
            moved = torch.from_numpy(images).to(self.device, non_blocking=True)
            rendered = augmentation.render(moved, plan, dtype=precision)
        else:
            found = augmentation.render(images, plan, threads=settled(recipe.threads), out=self._room(plan))
            rendered = torch.from_numpy(found).permute(0, 3, 1, 2).to(self.device)
        if preprocessing.by_channel(self.prepared.statistics) is not None:
            return rendered
        # A mean image or whitening is more than a factor for each channel, and is done by the module of evaluation.
        return self.standardize(rendered.permute(0, 2, 3, 1).float() * 255.0)

    def _room(self, plan: Plan) -> NDArray[np.float32]:
        """Return memory for a batch: fresh memory would be cleared by the system each time."""
        self._turn = (self._turn + 1) % len(self._buffers)
        if len(self._buffers[self._turn]) < len(plan):
            self._buffers[self._turn] = np.empty((len(plan), *plan.size, plan.channels), np.float32)
        return self._buffers[self._turn]

    def _tensor(self, labels: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(labels.astype(np.int64)).to(self.device, non_blocking=True)
