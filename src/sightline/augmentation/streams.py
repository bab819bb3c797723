"""The random numbers of a batch: for every operation a stream of its own, from the pictures' identities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.augmentation import cpu_streams
from sightline.keys import purpose
from sightline.recipe.operations import AnyOperation

DRAWS = {"translation": 3, "pad_and_crop": 3, "shear": 3, "crop": 5, "perspective": 10, "erasing": 5, "cutmix": 4}
"""Numbers for a picture from the stream of an operation; the others take 2. The first decides whether it is done."""


class Streams:
    """Numbers uniform in [0, 1) for the operations of a recipe, by (seed, operation, epoch, picture).

    Args:
        keys: identities of the pictures.
        seed: of the training.
        epoch: 1 for the first.
        operations: those of the recipe.
        one: one operation of the list is done to each picture, whatever the probabilities (TrivialAugment).
    """

    def __init__(
        self, keys: NDArray[np.uint64], seed: int, epoch: int, operations: Sequence[AnyOperation], *, one: bool
    ) -> None:
        self.keys, self.seed, self.epoch, self.count = keys, seed, epoch, len(keys)
        self._numbers = {
            each.name: self._uniform(f"augmentation.{each.name}", DRAWS.get(each.name, 2), epoch) for each in operations
        }
        self._one: dict[str, NDArray[np.bool_]] | None = None
        if one:
            which = self._uniform("augmentation.trivial", 1, epoch)[:, 0] * len(operations)
            self._one = {each.name: which.astype(np.int64) == i for i, each in enumerate(operations)}

    def of(self, operation: AnyOperation) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return an operation's numbers, shape (picture, draws), and the pictures it is done to."""
        numbers = self._numbers[operation.name]
        return numbers, numbers[:, 0] < operation.probability if self._one is None else self._one[operation.name]

    def whatever_epoch(self, operation: AnyOperation) -> NDArray[np.float64]:
        """Return two numbers for each picture that are the same in every epoch, shape (picture, 2)."""
        return self._uniform(f"augmentation.{operation.name}", 2, epoch=0)

    def words(self, operation: AnyOperation, *, count: int) -> NDArray[np.uint32]:
        """Return `count` random words for each picture, beside the operation's numbers."""
        return self._words(f"augmentation.{operation.name}.field", count)

    def noise_keys(self) -> NDArray[np.uint64]:
        """Return the key of each picture's noise."""
        drawn = self._words("augmentation.noise", 2).astype(np.uint64)
        return (drawn[:, 0] << np.uint64(32)) | drawn[:, 1]

    def mixing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the number that decides how each picture is mixed, and the one that chooses its partner."""
        numbers = self._uniform("augmentation.partner", 2, self.epoch)
        return numbers[:, 0], numbers[:, 1]

    def _uniform(self, name: str, draws: int, epoch: int) -> NDArray[np.float64]:
        out = np.empty((self.count, draws))
        cpu_streams.uniform(np.uint64(purpose(self.seed, name).key), self.keys, epoch, out)
        return out

    def _words(self, name: str, count: int) -> NDArray[np.uint32]:
        out = np.empty((self.count, -(-count // 4) * 4), np.uint32)
        cpu_streams.words(np.uint64(purpose(self.seed, name).key), self.keys, self.epoch, out)
        return out[:, :count]
