"""Pooling: maps shrink, and what they hold becomes a little independent of where it is."""

from __future__ import annotations

from typing import Literal

from torch import nn

PoolingName = Literal["max", "average"]


def build_pooling(
    name: PoolingName,
    size: tuple[int, int],
    *,
    stride: tuple[int, int] | None = None,
    padding: int = 0,
    ceiling: bool = False,
) -> nn.Module:
    """Return a new module that takes the largest number, or the mean, of every window of `size`.

    For the window X of one output, shape `size`:

        max: y = max(X)
        average: y = mean(X), over the pixels inside the picture

    Args:
        size: height and width of the window in pixels.
        stride: steps between windows in pixels; the window's own size where None, so that windows do not overlap.
        padding: pixels around the map that count as absent.
        ceiling: a last window may reach beyond the map, so that no pixel is left out.

    Torch: torch.nn.MaxPool2d and torch.nn.AvgPool2d, which run it; torch would count absent pixels as zeros in a mean.

    Slides: part of the architecture, without an equation.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition (1998).
    """
    match name:
        case "max":
            return nn.MaxPool2d(size, stride, padding, ceil_mode=ceiling)
        case "average":
            return nn.AvgPool2d(size, stride, padding, ceil_mode=ceiling, count_include_pad=False)


def halved(size: tuple[int, int]) -> tuple[int, int]:
    """Return the window that halves a map of `size`; a side of one pixel is left as it is."""
    return (min(2, size[0]), min(2, size[1]))
