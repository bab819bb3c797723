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
        drawn = self._uniform([(each.name, DRAWS.get(each.name, 2)) for each in operations], epoch)
        self._numbers = {each.name: numbers for each, numbers in zip(operations, drawn, strict=True)}
        self._one: dict[str, NDArray[np.bool_]] | None = None
        if one:
            which = self._uniform([("trivial", 1)], epoch)[0][:, 0] * len(operations)
            self._one = {each.name: which.astype(np.int64) == i for i, each in enumerate(operations)}

    def of(self, operation: AnyOperation) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return an operation's numbers, shape (picture, draws), and the pictures it is done to."""
        numbers = self._numbers[operation.name]
        return numbers, numbers[:, 0] < operation.probability if self._one is None else self._one[operation.name]

    def whatever_epoch(self, operation: AnyOperation) -> NDArray[np.float64]:
        """Return two numbers for each picture that are the same in every epoch, shape (picture, 2)."""
        return self._uniform([(operation.name, 2)], epoch=0)[0]

    def words(self, operation: AnyOperation, *, count: int) -> NDArray[np.uint32]:
        """Return `count` random words for each picture, beside the operation's numbers."""
        return self._words(f"{operation.name}.field", count)

    def noise_keys(self) -> NDArray[np.uint64]:
        """Return the key of each picture's noise."""
        drawn = self._words("noise", 2).astype(np.uint64)
        return (drawn[:, 0] << np.uint64(32)) | drawn[:, 1]

    def mixing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the number that decides how each picture is mixed, and the one that chooses its partner."""
        (numbers,) = self._uniform([("partner", 2)], self.epoch)
        return numbers[:, 0], numbers[:, 1]

    def _uniform(self, purposes: Sequence[tuple[str, int]], epoch: int) -> list[NDArray[np.float64]]:
        """Return, for each purpose and its number of draws, numbers of shape (picture, draws)."""
        keys = np.array([self._key(name) for name, _ in purposes], np.uint64)
        pairs = np.array([(draws + 1) // 2 for _, draws in purposes], np.int64)
        out = np.empty((2 * int(pairs.sum()), self.count))
        cpu_streams.uniform(keys, pairs, self.keys, epoch, out)
        begins = 2 * (np.cumsum(pairs) - pairs)
        return [out[begin : begin + draws].T for begin, (_, draws) in zip(begins.tolist(), purposes, strict=True)]

    def _words(self, name: str, count: int) -> NDArray[np.uint32]:
        out = np.empty((self.count, -(-count // 4) * 4), np.uint32)
        cpu_streams.words(self._key(name), self.keys, self.epoch, out)
        return out[:, :count]

    def _key(self, name: str) -> np.uint64:
        return np.uint64(purpose(self.seed, f"augmentation.{name}").key)
