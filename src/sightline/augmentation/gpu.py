"""Rendering on a GPU: one Triton kernel reads the pictures' bytes and writes what the network takes, in one pass.

The plan's numbers travel to the device in one piece. A picture that mixup or cutmix blends in is rendered where it is
needed, pixel by pixel, and never stored. JPEG, blur and sharpening come before, for the rows that ask for them: JPEG on
the processor, the others on the device, in whole numbers like `sightline.augmentation.prefilter`.
"""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from sightline.augmentation import field, prefilter
from sightline.augmentation.plan import Plan
from sightline.errors import DataError, RecipeError

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
FIXED = 32
"""Bits behind the point of a fixed-point place."""
FIXED_LIMIT = 2.0**30
"""Places and coefficients below this many pixels are kept in fixed point."""
DOWN, ACROSS = 8, 32
"""Pixels of a result that one program renders: one warp, so that nothing waits, with a block of noise for each lane."""
BAND_BYTES = 2**27
"""Memory for the matrices that blur several rows at once."""

RECORD = np.dtype(
    [
        ("place", "<f8", (10,)),  # homography and lens; without perspective and lens six fixed-point numbers, <i8
        ("noise_key", "<u8"),
        ("slot", "<i4"),  # row among the prefiltered pictures; −1: the picture as it came
        ("partner", "<i4"),
        ("erase", "<i4", (4,)),
        ("paste", "<i4", (4,)),
        ("salt_pepper", "<i4", (2,)),  # 65536ths that become white, that become white or black
        ("weight", "<f4"),
        ("gamma", "<f4"),
        ("noise", "<f4"),
        ("color", "<f4", (12,)),
        ("unused", "<i4"),  # makes the record a whole number of 8 bytes
    ]
)
"""A picture's row of the plan, as the kernel reads it."""

Pictures = UInt8[Tensor, "picture height width channel"]


def available(device: torch.device) -> bool:
    """Return whether `render_on_gpu` can work there: a GPU, and Triton installed."""
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def render_on_gpu(
    images: UInt8[Tensor, "picture height width channel"], plan: Plan, *, dtype: torch.dtype = torch.bfloat16
) -> Float[Tensor, "own channel size_y size_x"]:
    """Return what `plan` makes of `images`, in channels-last memory, on their device.

    Before they are rounded to `dtype`, values agree with `sightline.augmentation.reference.render` within 1e-4 of the
    range from black to white, and to the bit where pictures are only mirrored, turned by quarters or moved by whole
    pixels.

    Args:
        images: bytes on a GPU, a row for each row of the plan, partners included.
        plan: what is done to them.
        dtype: bfloat16, float16 or float32.

    Raises:
        DataError: pictures of another number, size or type than the plan is for.
        RecipeError: Triton is missing, the pictures are not on a GPU, or another dtype.
    """
    _check(images, plan, dtype)
    height, width = plan.size
    made = torch.empty((plan.own, height, width, plan.channels), dtype=dtype, device=images.device)
    if plan.own:
        with torch.no_grad():
            _launch(images.contiguous(), plan, made)
    return made.permute(0, 3, 1, 2)


def _check(images: Tensor, plan: Plan, dtype: torch.dtype) -> None:
    if dtype not in DTYPES:
        raise RecipeError(f"dtype: found {dtype}, wanted torch.bfloat16, torch.float16 or torch.float32.")
    plan.require_finite()
    wanted = (len(plan), *plan.source, plan.channels)
    if images.dtype != torch.uint8 or tuple(images.shape) != wanted:
        raise DataError(
            f"images: found {images.dtype} of shape {tuple(images.shape)}, wanted the plan's torch.uint8 of shape "
            f"{wanted}: pictures, height, width, channels. Draw the plan for these pictures."
        )
    if importlib.util.find_spec("triton") is None:
        raise RecipeError(
            "Rendering on a GPU: found no Triton, which it is written in; install triton, or use "
            "sightline.augmentation.render."
        )
    if images.device.type == "cpu" and not _interpreted():
        raise RecipeError(
            "images: found pictures on the processor, wanted them on a GPU; move them there, or use "
            "sightline.augmentation.render."
        )


def _interpreted() -> bool:
    """Return whether Triton's interpreter stands in for a GPU, as in tests."""
    import triton  # type: ignore[import-untyped,import-not-found,unused-ignore]

    return bool(triton.knobs.runtime.interpret)


def _launch(images: Pictures, plan: Plan, made: Tensor) -> None:
    from sightline.augmentation.gpu_kernel import render_tile

    device, (height, width), elastic = images.device, plan.size, plan.grid.shape[2] > 0
    filtered, slots = _prefiltered(images, plan)
    general, near = _reach(plan)
    records, grid = _to_device(
        _records(plan, slots, general=general), np.ascontiguousarray(plan.grid, np.float32), device
    )
    columns = knots = bells = None
    if elastic:
        knots, bells, along_x = _splines(plan.size, plan.spacing, plan.grid.shape[3], device)
        columns = torch.matmul(grid.double(), along_x).float()
    tiles_across, tiles_down = math.ceil(width / ACROSS), math.ceil(height / DOWN)
    scale, offset = _three(plan.scale), _three(plan.offset)
    packed = plan.channels == 3 and made.element_size() == 2 and width % 8 == 0
    launch: Any = render_tile[(plan.own * tiles_across * tiles_down,)]
    with torch.cuda.device_of(images):  # type: ignore[no-untyped-call]
        launch(
            images, filtered, records, records.view(torch.float32), records.view(torch.int64),
            records.view(torch.float64), columns, knots, bells, made,
            made.view(-1).view(torch.int32) if packed else None,
            *plan.source, height, width, tiles_across, tiles_across * tiles_down, plan.grid.shape[2],
            float(plan.fill_value), float(plan.erase_value), *scale, *offset,
            CHANNELS=plan.channels, FILL=plan.fill, INTERPOLATION=plan.interpolation, GENERAL=general, NEAR=near,
            ELASTIC=elastic, NOISY=bool((plan.noise > 0).any() or (plan.salt_pepper > 0).any()), MIXES=plan.mixes,
            PACKED=packed, DOWN=DOWN, ACROSS=ACROSS, num_warps=1, enable_fp_fusion=True,
        )  # fmt: skip


def _reach(plan: Plan) -> tuple[bool, bool]:
    """Return whether places need float64, and whether mirroring once at each edge is enough for all of them."""
    matrix = plan.homography
    if plan.lens.any() or matrix[:, 2, :2].any() or not matrix[:, 2, 2].all() or plan.interpolation == "nearest":
        return True, False
    (height, width), side = plan.size, np.array(plan.source[::-1])
    affine = _affine(matrix)
    across, down, begin = affine[:, :, 0] * (width - 1), affine[:, :, 1] * (height - 1), affine[:, :, 2]
    farthest = max(plan.grid.max(initial=0.0), -plan.grid.min(initial=0.0))
    pushed = farthest * (np.abs(affine[:, :, 0]) + np.abs(affine[:, :, 1]))
    low = begin + np.minimum(across, 0) + np.minimum(down, 0) - pushed
    high = begin + np.maximum(across, 0) + np.maximum(down, 0) + pushed
    if max(-low.min(), high.max(), np.abs(affine).max()) > FIXED_LIMIT:
        return True, False
    # Two pixels to spare for the taps of the interpolation and for rounding.
    return False, bool((low >= 2 - side).all() and (high <= 2 * side - 3).all())


def _affine(matrix: Float64[np.ndarray, "picture 3 3"]) -> Float64[np.ndarray, "picture 2 3"]:
    """Return the first two rows where the third is (0, 0, i)."""
    rows: NDArray[np.float64] = matrix[:, :2] / matrix[:, 2:, 2:]
    return rows


def _records(plan: Plan, slots: NDArray[np.int32], *, general: bool) -> NDArray[np.void]:
    """Return the plan as the kernel reads it."""
    found = np.zeros(len(plan), RECORD)
    place, matrix = found["place"], plan.homography
    if general:
        place[:, :9], place[:, 9] = matrix.reshape(-1, 9), plan.lens
    else:
        place.view(np.int64)[:, :6] = np.rint(_affine(matrix).reshape(-1, 6) * 2.0**FIXED)
    for name in ("noise_key", "erase", "gamma", "noise"):
        found[name] = getattr(plan, name)
    for name in ("partner", "weight", "paste"):
        found[name][: plan.own] = getattr(plan, name)
    hit = np.round(65536 * plan.salt_pepper).astype(np.int64)
    found["salt_pepper"] = np.stack([hit // 2, hit], axis=1)
    found["slot"] = slots
    found["color"][:, : plan.color[0].size] = plan.color.reshape(len(plan), -1)
    return found


def _to_device(
    records: NDArray[np.void], grid: NDArray[np.float32], device: torch.device
) -> tuple[Tensor, Float32[Tensor, "picture 2 rows columns"]]:
    """Return the records, as words of 32 bits, and the displacement fields' coefficients, both sent in one piece."""
    packed = torch.empty(records.nbytes + grid.nbytes, dtype=torch.uint8, pin_memory=device.type == "cuda")
    as_bytes = packed.numpy()
    as_bytes[: records.nbytes] = records.view(np.uint8)
    as_bytes[records.nbytes :] = grid.reshape(-1).view(np.uint8)
    there = packed.to(device, non_blocking=True)
    return there[: records.nbytes].view(torch.int32), there[records.nbytes :].view(torch.float32).view(grid.shape)


def _three(values: NDArray[np.float64]) -> list[float]:
    return [float(values[min(channel, len(values) - 1)]) for channel in range(3)]


@cache
def _splines(
    size: tuple[int, int], distance: float, columns: int, device: torch.device
) -> tuple[Tensor, Tensor, Float64[Tensor, "columns width"]]:
    """Return first coefficients and weights for the rows of a result, and the matrix that sums coefficients along x."""
    first, along_y = field.weights(size[0], distance)
    return (
        torch.from_numpy(first).to(device),
        torch.from_numpy(along_y.astype(np.float32)).to(device),
        torch.from_numpy(field.matrix(size[1], distance, columns)).to(device),
    )


def _prefiltered(images: Pictures, plan: Plan) -> tuple[Pictures, NDArray[np.int32]]:
    """Return the pictures that are filtered before they are resampled, and for each row its place among them or −1."""
    blurs = np.ceil(prefilter.REACH * plan.blur).max(axis=1) > 0
    rows = np.flatnonzero((plan.jpeg > 0) | blurs | (plan.sharpen > 0))
    slots = np.full(len(plan), -1, np.int32)
    slots[rows] = np.arange(len(rows))
    if not len(rows):
        return images, slots
    found = images[torch.from_numpy(rows).to(images.device)]
    for slot in np.flatnonzero(plan.jpeg[rows] > 0).tolist():
        stored = prefilter.as_jpeg(found[slot].cpu().numpy(), int(plan.jpeg[rows[slot]]))
        found[slot] = torch.from_numpy(stored.copy()).to(found.device)
    chosen = np.flatnonzero(blurs[rows])
    for part in _parts(chosen, plan.source):
        found[part] = _blurred(found[part], plan.blur[rows[part]])
    chosen = np.flatnonzero(plan.sharpen[rows] > 0)
    for part in _parts(chosen, plan.source):
        amounts = [round(float(amount) * prefilter.SHARPEN_UNIT) for amount in plan.sharpen[rows[part]]]
        found[part] = _sharpened(found[part], torch.tensor(amounts, device=found.device))
    return found, slots


def _parts(rows: NDArray[np.int64], source: tuple[int, int]) -> list[NDArray[np.int64]]:
    """Return the rows in parts whose bands fit into memory together."""
    many = max(1, BAND_BYTES // (8 * max(source) ** 2))
    return [rows[begin : begin + many] for begin in range(0, len(rows), many)]


def _blurred(pictures: Pictures, sigmas: NDArray[np.float64]) -> Pictures:
    """Return the pictures smoothed with bells of their own, sigmas along x and along y for each.

    A blur along an axis is a matrix product. Its sums stay below 2³³, which float64 holds exactly in any order.
    """
    count, height, width, channels = pictures.shape
    along_y = _bands(sigmas[:, 1], height, pictures.device) @ pictures.double().reshape(count, height, -1)
    by_column = along_y.reshape(count, height, width, channels).permute(0, 2, 1, 3).reshape(count, width, -1)
    both = _bands(sigmas[:, 0], width, pictures.device) @ by_column
    found = ((both + 2.0**23) * 2.0**-24).floor().to(torch.uint8)
    return found.reshape(count, width, height, channels).permute(0, 2, 1, 3).contiguous()


def _bands(sigmas: NDArray[np.float64], side: int, device: torch.device) -> Float64[Tensor, "picture side side"]:
    """Return for each σ the matrix that blurs a line of `side` pixels, mirrored at its ends, in 4096ths."""
    bells = [prefilter.taps(float(sigma)) for sigma in sigmas]
    radius = max(len(bell) for bell in bells) // 2
    padded = np.stack([np.pad(bell, radius - len(bell) // 2) for bell in bells]).astype(np.float64)
    places = prefilter.mirrored(np.arange(side)[:, None] + np.arange(-radius, radius + 1), side)
    index = torch.from_numpy(places).to(device).expand(len(bells), -1, -1)
    values = torch.from_numpy(padded).to(device)[:, None, :].expand(-1, side, -1)
    return torch.zeros(len(bells), side, side, dtype=torch.float64, device=device).scatter_add_(2, index, values)


def _sharpened(pictures: Pictures, amounts: Tensor) -> Pictures:
    """Return the pictures with their amounts, in 256ths, of what a bell of σ = 1 takes away added."""
    sigmas = np.full((len(pictures), 2), prefilter.SHARPEN_SIGMA)
    whole = pictures.long()
    difference = whole - _blurred(pictures, sigmas).long()
    added = (amounts[:, None, None, None] * difference + prefilter.SHARPEN_UNIT // 2) >> 8
    return (whole + added).clamp(0, 255).to(torch.uint8)
