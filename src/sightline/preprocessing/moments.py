"""Moments: exact integer sums over pictures, the same in whatever order and batches these come."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from numpy import ndarray
from numpy.typing import NDArray

from sightline.errors import DataError, RecipeError

MAX_DIMENSION = 4096

# Picture-sized chunks: their 32-bit sums of squares cannot overflow, and the float64 copy for products stays small.
_CHUNK = 1024
# Up to here count · Σx² and (Σx)² are exact in 64 bits; beyond, Python's integers take over.
_LARGEST_COUNT = 11_000_000

Batch = UInt8[ndarray, "batch height width channel"]


@dataclass(frozen=True)
class Moments:
    """Sums over `count` pictures of gray levels 0 to 255; `products` sums up xᵢ · xⱼ over the flattened picture x.

    All numbers are integers. `products` holds them as float64, exact below 2⁵³: up to 10¹¹ pictures.
    """

    count: int
    sums: Int64[ndarray, "height width channel"]
    squares: Int64[ndarray, "height width channel"]
    products: Float64[ndarray, "dimension dimension"] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self.sums.shape
        return height, width, channels

    def mean(self, *, over_pixels: bool) -> Float64[ndarray, ...]:
        """Return the mean in units of 0 to 1, per channel (over all pixels) or per pixel."""
        count, sums, _ = self._totals(over_pixels)
        return sums.astype(np.float64) / (255.0 * count)

    def variance(self, *, over_pixels: bool) -> Float64[ndarray, ...]:
        """Return the biased variance in units of 0 to 1, exactly 0 for what is constant."""
        count, sums, squares = self._totals(over_pixels)
        integers: type = np.int64 if count <= _LARGEST_COUNT else object
        scaled: NDArray[Any] = count * squares.astype(integers) - sums.astype(integers) ** 2
        return scaled.astype(np.float64) / (255.0 * count) ** 2

    def covariance(self) -> Float64[ndarray, "dimension dimension"]:
        """Return the biased covariance of the flattened picture in units of 0 to 1."""
        if self.products is None:
            raise ValueError("found no sums of products; wanted moments accumulated with products=True")
        mean = self.sums.reshape(-1) / self.count
        return (self.products / self.count - np.outer(mean, mean)) / 255.0**2

    def _totals(self, over_pixels: bool) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        if not over_pixels:
            return self.count, self.sums, self.squares
        height, width, _ = self.shape
        return self.count * height * width, self.sums.sum(axis=(0, 1)), self.squares.sum(axis=(0, 1))


def accumulate(batches: Iterable[Batch], *, products: bool) -> Moments:
    """Return the moments of all pictures in `batches`, which must have one size.

    Args:
        batches: gray levels 0 to 255, shape (batch, height, width, channels).
        products: whether to sum up the products of all pairs of pixels; takes dimension² · 8 bytes.

    Raises:
        DataError: there is no picture.
        RecipeError: `products` of pictures with more than 4,096 numbers.
    """
    moments: Moments | None = None
    for batch in batches:
        if moments is None:
            moments = _nothing(batch.shape[1:], products)
        moments = _added(moments, batch)
    if moments is None or moments.count == 0:
        raise DataError("preprocessing: found no picture in the training split, wanted at least one. Add pictures.")
    return moments


def _nothing(shape: tuple[int, ...], products: bool) -> Moments:
    dimension = math.prod(shape)
    if products and dimension > MAX_DIMENSION:
        raise RecipeError(
            f"preprocessing.decorrelate: found pictures of {' × '.join(map(str, shape))} = {dimension:,} numbers, "
            f"wanted at most {MAX_DIMENSION:,}, since the covariance has the square of that. Choose a smaller "
            'data.image_size, or preprocessing.decorrelate = "none".'
        )
    gram = np.zeros((dimension, dimension)) if products else None
    return Moments(0, np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64), gram)


def _added(moments: Moments, batch: Batch) -> Moments:
    if batch.dtype != np.uint8 or batch.shape[1:] != moments.shape:
        raise ValueError(f"found {batch.dtype} pictures of {batch.shape[1:]}, wanted uint8 of {moments.shape}")
    sums, squares, products = moments.sums, moments.squares, moments.products
    for start in range(0, len(batch), _CHUNK):
        chunk = batch[start : start + _CHUNK]
        sums = sums + chunk.sum(axis=0, dtype=np.uint32)
        squares = squares + np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
        if products is not None:
            rows = chunk.reshape(len(chunk), -1).astype(np.float64)
            # In place: a copy of the matrix per chunk would double the memory.
            products += rows.T @ rows
    return Moments(moments.count + len(batch), sums, squares, products)
