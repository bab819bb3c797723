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
from sightline.training.course import Course
from sightline.training.growing import share_of_side
from sightline.training.prepare import Prepared
from sightline.training.step import Mixture, Shard, Standardize

MIXING = ("mixup", "cutmix")
SMALLEST = 8
"""Pixels of a side at least, as far as whole pictures have them."""
AHEAD = 2
"""Batches that are prepared while an accelerator is busy with another."""


@dataclass
class Feed:
    """Batches for one training. A picture's augmentation depends on the seed, the epoch and its content alone."""

    prepared: Prepared
    standardize: Standardize
    device: str
    course: Course
    """By which pictures grow, where they do."""
    ahead: int = 0
    """Batches that are prepared ahead of the network, on a thread of their own; 0 for none."""
    _buffers: list[NDArray[np.float32]] = field(init=False)
    _turn: int = 0

    def __post_init__(self) -> None:
        self._buffers = [np.empty(0, np.float32)] * (self.ahead + 2)

    def epoch(self, epoch: int, order: Sequence[NDArray[np.int64]]) -> Iterator[list[Shard]]:
        """Yield the shards of each batch of an epoch, in order."""
        if not self.ahead:
            yield from (self.load(epoch, records) for records in order)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="sightline-feed") as pool:
            yield from in_order(pool, lambda records: self.load(epoch, records), order, ahead=self.ahead)

    def load(self, epoch: int, records: NDArray[np.int64]) -> list[Shard]:
        """Return a batch in its parts, on the device. It is valid until `ahead` + 1 more have been loaded."""
        recipe = self.prepared.resolved.recipe
        # Batch normalization has nothing to compare a single picture with.
        least = 2 if recipe.network.normalization == "batch" else 1
        parts = min(recipe.training.parts, max(1, len(records) // least))
        return self.shard(epoch, records).divided(parts)

    def shard(self, epoch: int, records: NDArray[np.int64]) -> Shard:
        """Return a batch undivided."""
        prepared = self.prepared
        labels = prepared.catalogue.labels
        chosen = prepared.resolved.recipe.augmentation
        if not chosen.operations and self.size(epoch) == prepared.height_width:
            pixels = torch.from_numpy(prepared.pixels.gather(records)).to(self.device)
            return Shard(self.standardize(pixels), self._tensor(labels[records]))
        plan = self.plan(epoch, records)
        shown = np.concatenate([records, prepared.split.train[plan.others]])
        inputs = self._rendered(prepared.training_pixels.gather(shown), plan)
        mixture = self._mixture(plan, shown) if plan.mixes else None
        return Shard(inputs, self._tensor(labels[records]), mixture)

    def size(self, epoch: int) -> tuple[int, int]:
        """Return height and width of the training pictures in an epoch."""
        training = self.prepared.resolved.recipe.training
        share = share_of_side(
            self.course.planned_epoch(epoch),
            self.course.epochs,
            smallest=training.smallest_size,
            whole_from=training.whole_from,
        )
        height, width = self.prepared.height_width
        return max(min(SMALLEST, height), round(share * height)), max(min(SMALLEST, width), round(share * width))

    @property
    def mixes(self) -> bool:
        """Whether pictures may be mixed with others."""
        return any(each.name in MIXING for each in self.prepared.resolved.recipe.augmentation.operations)

    def mixture(self, epoch: int, records: NDArray[np.int64]) -> Mixture | None:
        """Return what else is in the pictures of a batch in an epoch; None where nothing is."""
        plan = self.plan(epoch, records)
        shown = np.concatenate([records, self.prepared.split.train[plan.others]])
        return self._mixture(plan, shown) if plan.mixes else None

    def _mixture(self, plan: Plan, shown: NDArray[np.int64]) -> Mixture:
        labels = self.prepared.catalogue.labels
        partners = labels[shown[np.where(plan.partner >= 0, plan.partner, np.arange(plan.own))]]
        return Mixture(self._tensor(partners), torch.from_numpy(plan.weight).float().to(self.device))

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
            size=self.size(epoch),
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
        room = self._buffers[self._turn]
        if len(room) < len(plan) or room.shape[1:3] != plan.size:
            self._buffers[self._turn] = np.empty((len(plan), *plan.size, plan.channels), np.float32)
        return self._buffers[self._turn]

    def _tensor(self, labels: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(labels.astype(np.int64)).to(self.device, non_blocking=True)
