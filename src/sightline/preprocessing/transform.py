"""The transform: pictures of gray levels to what the network sees, as tensor operations."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Num
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.preprocessing.statistics import Statistics


def module(statistics: Statistics) -> Preprocessing:
    """Return the module that applies `statistics`, computed in float64 and rounded once to float32."""
    mean = np.zeros(()) if statistics.mean is None else statistics.mean
    deviation = np.ones(()) if statistics.deviation is None else statistics.deviation
    return Preprocessing(
        factor=_float32(1.0 / (255.0 * deviation)),
        offset=_float32(-mean / deviation),
        matrix=None if statistics.matrix is None else _float32(statistics.matrix),
    )


def by_channel(statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return factor and offset for values from 0 to 1, shapes () or (channels,), or None where pixels have their own.

    What `module` does to a gray level g is then factor · g / 255 + offset.
    """
    mean = np.zeros(()) if statistics.mean is None else statistics.mean
    deviation = np.ones(()) if statistics.deviation is None else statistics.deviation
    if statistics.matrix is not None or max(mean.ndim, deviation.ndim) > 1:
        return None
    return 1.0 / deviation, -mean / deviation


class Preprocessing(nn.Module):
    """Pictures as stored to pictures as learned from: x' = factor · x + offset, then W · x' where whitened.

    Centering and scaling are one multiplication and addition. The result has channels-last strides, since only the
    names of the axes change. Nothing here is learned.

    Args:
        factor: 1 / (255 · deviation), shape (), (channels,) or (height, width, channels).
        offset: −mean / deviation, shaped likewise.
        matrix: W, shape (dimension, dimension), over the picture flattened by height, width, channel; or None.
    """

    factor: Tensor
    offset: Tensor
    matrix: Tensor | None

    def __init__(self, *, factor: Tensor, offset: Tensor, matrix: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("factor", factor)
        self.register_buffer("offset", offset)
        self.register_buffer("matrix", matrix)

    def forward(
        self, pictures: Num[Tensor, "batch height width channel"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return standardized float32 pictures; `pictures` are uint8, or floats of the same range 0 to 255."""
        standardized = torch.addcmul(self.offset, pictures.to(self.factor.dtype), self.factor)
        if self.matrix is not None:
            standardized = (standardized.flatten(1) @ self.matrix.T).reshape(pictures.shape)
        return standardized.permute(0, 3, 1, 2)


def _float32(numbers: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.asarray(numbers)).to(torch.float32)
