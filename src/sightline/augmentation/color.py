"""Color: matrices of shape (channels, channels + 1) that act on (R, G, B, 1), or (gray, 1), values from 0 to 1."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Matrices = Float64[ndarray, "picture channel channel_and_one"]

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in what the eye takes for brightness. Source: ITU-R BT.601."""

YIQ = np.array([LUMA, [0.59590059, -0.27455667, -0.32134392], [0.21153661, -0.52273617, 0.31119955]])
"""R, G, B to luma, orange-blue and purple-green. Source: NTSC, SMPTE 170M."""


def affine(matrix: Float64[ndarray, "*picture channel channel"], shift: Numbers) -> Matrices:
    """Return v → matrix · v + shift, the same shift for every channel."""
    wide = np.broadcast_to(shift[:, None, None], (*matrix.shape[:-1], 1))
    return np.concatenate([matrix, wide], axis=-1)


def brightness(factor: Numbers, channels: int) -> Matrices:
    """v → f v."""
    return affine(factor[:, None, None] * np.eye(channels), np.zeros(len(factor)))


def contrast(factor: Numbers, channels: int) -> Matrices:
    """v → 1/2 + f (v − 1/2)."""
    return affine(factor[:, None, None] * np.eye(channels), 0.5 * (1.0 - factor))


def saturation(factor: Numbers) -> Matrices:
    """v → L + f (v − L)."""
    f = factor[:, None, None]
    return affine(f * np.eye(3) + (1.0 - f) * np.broadcast_to(LUMA, (3, 3)), np.zeros(len(factor)))


def hue(degrees: Numbers) -> Matrices:
    """Turn I and Q of YIQ by the angle; luma stays."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.zeros((len(degrees), 3, 3))
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1], turn[:, 1, 2], turn[:, 2, 1], turn[:, 2, 2] = cosine, -sine, sine, cosine
    return affine(np.linalg.inv(YIQ) @ turn @ YIQ, np.zeros(len(degrees)))


def grayscale(chosen: NDArray[np.bool_]) -> Matrices:
    """R = G = B = L where chosen."""
    return saturation(np.where(chosen, 0.0, 1.0))


def channel_dropout(channel: NDArray[np.int64]) -> Matrices:
    """Set a channel to 0; −1 sets none."""
    kept = (np.arange(3) != channel[:, None]).astype(np.float64)
    return affine(kept[:, :, None] * np.eye(3), np.zeros(len(channel)))
