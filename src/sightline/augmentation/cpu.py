"""Rendering on the processor: the plan made ready for the compiled pass, pictures shared out among threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from numpy.typing import NDArray

from sightline import processors
from sightline.augmentation import cpu_kernel as kernel
from sightline.augmentation import field, prefilter
from sightline.augmentation.plan import Plan

FILLS = {"reflect": 0, "edge": 1, "constant": 2}
INTERPOLATIONS = {"nearest": kernel.NEAREST, "bilinear": kernel.BILINEAR, "bicubic": kernel.BICUBIC}
SHARES_PER_THREAD = 4
SMALL_BATCH = 1 << 16
"""Pixels of results up to which one thread does all."""


def render(
    images: UInt8[ndarray, "picture height width channel"],
    plan: Plan,
    *,
    threads: int | None = None,
    out: Float32[ndarray, "picture height width channel"] | None = None,
) -> Float32[ndarray, "own height width channel"]:
    """Return what `plan` makes of `images`; the arguments are those of `sightline.augmentation.render`."""
    plan.require_finite()
    height, width = plan.size
    # A small batch is done before another thread has begun.
    threads = 1 if len(plan) * height * width < SMALL_BATCH else threads or processors.allowed()
    if out is None:
        out = np.empty((len(plan), height, width, plan.channels), np.float32)
    rows = out[: len(plan)].reshape(len(plan), height, width * plan.channels)
    shared = _arguments(np.require(images, requirements=("C", "W")), plan, threads)
    shares = np.linspace(0, len(plan), min(len(plan), threads * SHARES_PER_THREAD if threads > 1 else 1) + 1).astype(
        int
    )

    def share(begin_end: tuple[int, int]) -> None:
        kernel.render_rows(*shared[:3], *begin_end, *shared[3:], rows)

    pieces = list(zip(shares[:-1].tolist(), shares[1:].tolist(), strict=True))
    if threads == 1:
        for piece in pieces:
            share(piece)
    else:
        list(_pool(threads).map(share, pieces))
    return _mixed(out[: len(plan)], plan)


def _arguments(images: NDArray[np.uint8], plan: Plan, threads: int) -> tuple[Any, ...]:
    filtered, which = _filtered(images, plan, threads)
    plain = (plan.gamma == 1.0) & (plan.noise == 0.0) & (plan.salt_pepper == 0.0)
    # The matrix takes values from 0 to 255. Where nothing comes between, it standardizes too, and so do the limits.
    scale, offset = plan.scale, plan.offset
    factor = np.where(plain[:, None], scale, 1.0)
    shift = np.where(plain[:, None], offset, 0.0)
    color = factor[:, :, None] * plan.color
    color[:, :, :-1] /= 255.0
    color[:, :, -1] += shift
    ends = np.stack([shift, factor + shift])
    first_row, row_weights = field.weights(plan.size[0], plan.spacing)
    return (
        images,
        filtered,
        which,
        FILLS[plan.fill],
        plan.fill_value,
        INTERPOLATIONS[plan.interpolation],
        np.ascontiguousarray(plan.homography, np.float64),
        np.ascontiguousarray(plan.lens, np.float64),
        np.ascontiguousarray(plan.grid, np.float32),
        first_row,
        row_weights.astype(np.float32),
        field.matrix(plan.size[1], plan.spacing, plan.grid.shape[3]).astype(np.float32),
        plan.spacing,
        color.astype(np.float32),
        ends.min(axis=0).astype(np.float32),
        ends.max(axis=0).astype(np.float32),
        plan.gamma.astype(np.float32),
        plan.noise.astype(np.float32),
        np.round(65536 * plan.salt_pepper).astype(np.int64),
        np.ascontiguousarray(plan.noise_key, np.uint64),
        np.ascontiguousarray(plan.erase, np.int32),
        (scale * plan.erase_value + offset).astype(np.float32),
        plain,
        scale.astype(np.float32),
        offset.astype(np.float32),
    )


def _filtered(images: NDArray[np.uint8], plan: Plan, threads: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pictures that JPEG, blur, anti-aliasing or sharpening changes, and where each picture is in them."""
    sigmas, place_of = np.unique(plan.blur, return_inverse=True)
    bells = [prefilter.taps(float(sigma)) for sigma in sigmas]
    bell_of = place_of.reshape(plan.blur.shape)
    wide: NDArray[np.bool_] = np.any(np.array([len(bell) > 1 for bell in bells], bool)[bell_of], axis=1)
    rows = np.flatnonzero(wide | (plan.jpeg > 0) | (plan.sharpen > 0))
    which = np.full(len(images), -1, np.int64)
    which[rows] = np.arange(len(rows))
    filtered = np.empty((len(rows), *images.shape[1:]), np.uint8)

    def change(place: int) -> None:
        row = int(rows[place])
        picture, target = images[row], filtered[place]
        if plan.jpeg[row] > 0:
            picture = prefilter.as_jpeg(picture, int(plan.jpeg[row]))
        if wide[row]:
            kernel.smoothed(picture, bells[bell_of[row, 0]], bells[bell_of[row, 1]], target)
            picture = target
        if plan.sharpen[row] > 0:
            picture = prefilter.sharpened(picture, float(plan.sharpen[row]))
        target[...] = picture

    if threads == 1 or len(rows) < 2:
        for place in range(len(rows)):
            change(place)
    else:
        list(_pool(threads).map(change, range(len(rows))))
    return filtered, which


def _mixed(rendered: NDArray[np.float32], plan: Plan) -> NDArray[np.float32]:
    """Return the own rows, blended with or covered by their partners."""
    own = rendered[: plan.own]
    rows = np.flatnonzero(plan.partner >= 0)
    # Partners are taken as they are without mixing, also where they are of the batch itself.
    others = rendered[plan.partner[rows]]
    for row, other in zip(rows.tolist(), others, strict=True):
        top, left, bottom, right = plan.paste[row].tolist()
        if bottom > top and right > left:
            own[row, top:bottom, left:right] = other[top:bottom, left:right]
        else:
            weight = np.float32(plan.weight[row])
            own[row] = weight * own[row] + (np.float32(1.0) - weight) * other
    return own


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="sightline-render")
