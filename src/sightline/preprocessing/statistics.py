"""Statistics of the training split: what preprocessing subtracts, divides by and multiplies with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.typing import NDArray

from sightline.errors import ModelFileError
from sightline.preprocessing import steps
from sightline.preprocessing.moments import Batch, accumulate
from sightline.preprocessing.steps import By


@dataclass(frozen=True)
class Statistics:
    """The fitted numbers, for pixels from 0 to 1; None where a step is left out.

    `mean` and `deviation` have shape (channels,) or (height, width, channels), `matrix` the square of the flattened
    picture. They are applied in this order, at inference as in training.
    """

    mean: Float64[ndarray, ...] | None
    deviation: Float64[ndarray, ...] | None
    matrix: Float64[ndarray, "dimension dimension"] | None

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays by name, without those that are None, for sealing."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: array for name, array in named.items() if array is not None}

    @staticmethod
    def from_tensors(tensors: Mapping[str, NDArray[np.float64]]) -> Statistics:
        """Return the statistics whose `tensors` these are.

        Raises:
            ModelFileError: an array is unknown, has another type or shape, or holds what cannot be applied.
        """
        for name, array in tensors.items():
            _check(name, array)
        return Statistics(tensors.get("mean"), tensors.get("deviation"), tensors.get("matrix"))


def fit(
    batches: Iterable[Batch],
    *,
    center: By,
    scale: By,
    decorrelate: Literal["none", "pca", "zca"],
    epsilon: float,
) -> Statistics:
    """Return the statistics of all pictures in `batches`, bit for bit the same in any order and division.

    Args:
        batches: gray levels 0 to 255 of the training split, shape (batch, height, width, channels).
        center: what the mean is taken over.
        scale: what the deviation is taken over.
        decorrelate: whether and how to whiten the whole picture, 4,096 numbers at most.
        epsilon: added to every variance before whitening.

    Raises:
        DataError: there is no picture.
        RecipeError: the pictures are too large to be decorrelated.
    """
    moments = accumulate(batches, products=decorrelate != "none")
    mean = steps.center(moments, by=center)
    deviation = steps.scale(moments, by=scale, centered_by=center)
    matrix = steps.decorrelate(moments, by=decorrelate, deviation=deviation, epsilon=epsilon)
    return Statistics(mean, deviation, matrix)


def _check(name: str, array: NDArray[np.float64]) -> None:
    dimensions = {"mean": (1, 3), "deviation": (1, 3), "matrix": (2,)}
    if name not in dimensions:
        raise ModelFileError(f"preprocessing: found unknown statistics {name!r}; the file is not a Sightline model.")
    if array.dtype != np.float64 or array.ndim not in dimensions[name] or not np.isfinite(array).all():
        raise ModelFileError(
            f"preprocessing.{name}: found {array.dtype} of shape {array.shape}, wanted finite float64 numbers with "
            f"{' or '.join(map(str, dimensions[name]))} dimensions. Train the model again."
        )
    if name == "deviation" and not (array > 0.0).all():
        raise ModelFileError("preprocessing.deviation: found a number that is not positive. Train the model again.")
    if name == "matrix" and array.shape[0] != array.shape[1]:
        raise ModelFileError(
            f"preprocessing.matrix: found shape {array.shape}, wanted a square. Train the model again."
        )
