"""What a model says about pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray

from sightline.data.source import Refusal
from sightline.errors import RecipeError


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture, the likeliest first."""

    name: str
    top: tuple[tuple[str, float], ...]
    """Class and probability."""

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.top[0][0]

    @property
    def probability(self) -> float:
        """Of the likeliest class."""
        return self.top[0][1]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says about several pictures, in the order in which they were given.

    Iterating gives one `Prediction` each, with `top_k` classes.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    probabilities: Float32[ndarray, "picture class"]
    refused: tuple[Refusal, ...] = ()
    """Pictures that could not be decoded and are not among the others."""
    top_k: int = 5

    @property
    def indices(self) -> Int64[ndarray, " picture"]:
        """Position of each picture's likeliest class; the first of equally likely ones."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @property
    def labels(self) -> list[str]:
        """Each picture's likeliest class."""
        return [self.class_names[index] for index in self.indices]

    def top(self, k: int | None = None) -> list[list[tuple[str, float]]]:
        """Return each picture's `k` likeliest classes with their probabilities, all of them where there are fewer.

        Raises:
            RecipeError: `k` is below 1.
        """
        count = check_top(self.top_k if k is None else k)
        # Stable, so that of equal probabilities the class of the lower index comes first, as in `indices`.
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        shares = np.take_along_axis(self.probabilities, order, axis=1).tolist()
        return [
            [(self.class_names[index], share) for index, share in zip(indices, row, strict=True)]
            for indices, row in zip(order.tolist(), shares, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Prediction]:
        for name, top in zip(self.names, self.top(), strict=True):
            yield Prediction(name, tuple(top))


def check_top(k: int) -> int:
    """Return `k`; raise RecipeError where it is below 1."""
    if k < 1:
        raise RecipeError(f"top_k: found {k}, wanted 1 or more.")
    return k
