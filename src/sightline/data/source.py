"""A source: labelled images as somebody keeps them, read one at a time, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NONE, TRAIN, VALIDATION, TEST = -1, 0, 1, 2
"""The subset of an item: none given by the source, or one of three."""

SUBSET_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}

SUBSETS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""What folders and files of a subset are called, in lower case."""


@dataclass(frozen=True)
class Refusal:
    """Something that was found and left out, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class Source(Protocol):
    """Labelled images in the order in which they were found. Nothing is read before `read` asks for it."""

    @property
    def name(self) -> str:
        """What the user called it, for messages."""

    @property
    def names(self) -> Sequence[str]:
        """One readable name per item, such as a path below the folder or `train.parquet row 17`."""

    @property
    def labels(self) -> NDArray[np.int32]:
        """Positions in `class_names`, shape (items,)."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In natural order: 2 before 10."""

    @property
    def subsets(self) -> NDArray[np.int8]:
        """NONE, TRAIN, VALIDATION or TEST, shape (items,)."""

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """What could not become an item: pipes, links that lead in circles, rows without a label."""

    @property
    def sizes(self) -> NDArray[np.int64] | None:
        """Bytes of each item's file, shape (items,), where that is known without reading; −1 for a missing file."""

    @property
    def stamps(self) -> NDArray[np.uint64] | None:
        """What changes when an item's bytes may have changed (path, size, time, inode), hashed; shape (items, 2).

        None where hashing the images anew is as cheap. A stamp of zeros belongs to an item that may still be changing.
        """

    def read(self, index: int, most: int | None = None) -> bytes | NDArray[np.uint8]:
        """Return an encoded file, or pixels of shape (height, width) or (height, width, channels).

        A file of more than `most` bytes is refused before it is read.

        May be called from several threads. Neighbors should be read one after the other: random order is slow where
        items are stored in compressed groups.

        Raises:
            Refused: this item cannot be read.
        """
