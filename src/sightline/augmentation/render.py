"""Render: a plan applied to pixels in one pass, on whatever device the pixels are."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, overload

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from sightline.augmentation.plan import Plan
from sightline.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, dtype


@overload
def render(
    images: UInt8[ndarray, "picture height width channel"],
    plan: Plan,
    *,
    threads: int | None = None,
    out: Float32[ndarray, "picture height width channel"] | None = None,
) -> Float32[ndarray, "own height width channel"]: ...


@overload
def render(
    images: UInt8[Tensor, "picture height width channel"],
    plan: Plan,
    *,
    threads: int | None = None,
    dtype: dtype | None = None,
) -> Float[Tensor, "own channel height width"]: ...


def render(
    images: ndarray | Tensor,
    plan: Plan,
    *,
    threads: int | None = None,
    out: ndarray | None = None,
    dtype: dtype | None = None,
) -> ndarray | Tensor:
    """Return what `plan` makes of `images`: one resampling, one color transform, one pass.

    NumPy arrays give NumPy arrays of the same order of axes. Tensors give tensors of shape (picture, channel, height,
    width) with channels-last strides, as networks want them: float32 on a CPU, by compiled loops; bfloat16 on a CUDA
    device, by a Triton kernel where Triton is installed.

    Args:
        images: pictures of the plan's source size, uint8, one for each row of the plan.
        plan: from `draw`, or made by hand.
        threads: threads on a CPU; all where None. They change no bit of the result.
        out: for arrays, room for every row of the plan, float32 and contiguous; the result is its beginning. Fresh
            memory costs about a third of the time, since the system clears it first.
        dtype: for tensors, the type of the result; None for float32 on a CPU and bfloat16 on a CUDA device.

    Raises:
        DataError: pictures of another number, size or type than the plan is for.
    """
    wanted = (len(plan), *plan.source, plan.channels)
    if tuple(images.shape) != wanted or str(images.dtype).rpartition(".")[2] != "uint8":
        raise DataError(
            f"found pictures of shape {tuple(images.shape)} and type {images.dtype}, wanted {wanted} (picture, height, "
            "width, channel) and uint8, which the plan was drawn for. Draw a plan for these pictures."
        )
    if isinstance(images, np.ndarray):
        from sightline.augmentation import cpu

        return cpu.render(images, plan, threads=threads, out=out)
    import torch

    if images.device.type == "cuda" and find_spec("triton") is not None:
        from sightline.augmentation.gpu import render_on_gpu

        return render_on_gpu(images, plan, dtype=dtype or torch.bfloat16)
    rendered = render(images.cpu().numpy(), plan, threads=threads)
    return torch.from_numpy(rendered).permute(0, 3, 1, 2).to(images.device, dtype or torch.float32)
