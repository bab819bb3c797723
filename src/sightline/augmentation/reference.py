"""The definition of rendering, in float64, one picture at a time, to be read beside the equations.

The fast implementations are tested against it; it is slow and nothing else uses it.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from sightline.augmentation import field, noise
from sightline.augmentation.plan import Plan
from sightline.augmentation.prefilter import prefiltered

Coordinates = Float64[Tensor, "height width"]

CUBIC = -0.5
"""Keys' a. Source: Keys, Cubic Convolution Interpolation for Digital Image Processing (1981)."""
FARTHEST = 2.0**30
"""Places farther from the picture than this many pixels are taken for this far."""


def render(
    images: UInt8[np.ndarray, "picture height width channel"], plan: Plan
) -> Float64[Tensor, "own height width channel"]:
    """Return what `plan` makes of `images`, by the steps in the plan's docstring."""
    plan.require_finite()
    rendered = torch.stack([_picture(images[row], plan, row) for row in range(len(plan))]) if len(plan) else None
    if rendered is None:
        return torch.zeros(0, *plan.size, plan.channels, dtype=torch.float64)
    mixed = rendered[: plan.own].clone()
    for row in np.flatnonzero(plan.partner >= 0).tolist():
        other = rendered[plan.partner[row]]
        top, left, bottom, right = plan.paste[row].tolist()
        if bottom > top and right > left:
            mixed[row, top:bottom, left:right] = other[top:bottom, left:right]
        else:
            mixed[row] = plan.weight[row] * rendered[row] + (1.0 - plan.weight[row]) * other
    return mixed


def _picture(image: UInt8[np.ndarray, "height width channel"], plan: Plan, row: int) -> Tensor:
    image = prefiltered(
        np.asarray(image),
        jpeg=int(plan.jpeg[row]),
        blur=(float(plan.blur[row, 0]), float(plan.blur[row, 1])),
        sharpen=float(plan.sharpen[row]),
    )
    x, y = places(plan, row)
    values = _sampled(torch.from_numpy(image).double() / 255.0, x, y, plan)
    color = torch.from_numpy(plan.color[row])
    values = (values @ color[:, :-1].T + color[:, -1]).clamp(0.0, 1.0)
    if plan.gamma[row] != 1.0:
        values = values ** plan.gamma[row]
    values = _noisy(values, plan, row)
    top, left, bottom, right = plan.erase[row].tolist()
    values[top:bottom, left:right] = plan.erase_value
    return values * torch.from_numpy(plan.scale) + torch.from_numpy(plan.offset)


def places(plan: Plan, row: int) -> tuple[Coordinates, Coordinates]:
    """Return the source coordinates of every pixel of the result."""
    height, width = plan.size
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    if plan.grid.shape[2]:
        move_x, move_y = (_displacement(plan, plan.grid[row, axis]) for axis in (0, 1))
        x, y = x + move_x, y + move_y
    if plan.lens[row] != 0.0:
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        radius_2 = ((x - middle_x) ** 2 + (y - middle_y) ** 2) / ((width / 2) ** 2 + (height / 2) ** 2)
        bent = 1.0 + plan.lens[row] * radius_2
        x, y = middle_x + (x - middle_x) * bent, middle_y + (y - middle_y) * bent
    (a, b, c), (d, e, f), (g, h, i) = plan.homography[row].tolist()
    w = g * x + h * y + i
    # Beyond the horizon there is no picture; a place far outside has whatever the fill puts there.
    w = torch.where(w.abs() < 1e-12, torch.full_like(w, 1e-12), w)
    found_x, found_y = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    return found_x.clamp(-FARTHEST, FARTHEST), found_y.clamp(-FARTHEST, FARTHEST)


def _displacement(plan: Plan, grid: NDArray[np.float64]) -> Coordinates:
    height, width = plan.size
    first_row, row_weights = field.weights(height, plan.spacing)
    first_column, column_weights = field.weights(width, plan.spacing)
    found = np.zeros((height, width))
    for j in range(4):
        for i in range(4):
            part = grid[np.ix_(first_row + j, first_column + i)]
            found += row_weights[:, j : j + 1] * column_weights[:, i] * part
    return torch.from_numpy(found)


def _sampled(image: Tensor, x: Coordinates, y: Coordinates, plan: Plan) -> Tensor:
    if plan.interpolation == "nearest":
        return _pixels(image, torch.floor(x + 0.5), torch.floor(y + 0.5), plan)
    x0, y0 = torch.floor(x), torch.floor(y)
    along, down = _kernel(x - x0, plan), _kernel(y - y0, plan)
    first = 0 if plan.interpolation == "bilinear" else -1
    total = torch.zeros(*x.shape, image.shape[2], dtype=torch.float64)
    for j, weight_y in enumerate(down):
        for i, weight_x in enumerate(along):
            total += (weight_x * weight_y)[..., None] * _pixels(image, x0 + (first + i), y0 + (first + j), plan)
    return total


def _kernel(t: Tensor, plan: Plan) -> list[Tensor]:
    """Return the weights of the taps for a place t beyond the pixel before it."""
    if plan.interpolation == "bilinear":
        return [1.0 - t, t]

    def near(s: Tensor) -> Tensor:
        return (CUBIC + 2) * s**3 - (CUBIC + 3) * s**2 + 1

    def far(s: Tensor) -> Tensor:
        return CUBIC * (s**3 - 5 * s**2 + 8 * s - 4)

    return [far(1 + t), near(t), near(1 - t), far(2 - t)]


def _pixels(image: Tensor, x: Tensor, y: Tensor, plan: Plan) -> Tensor:
    """Return the values at whole coordinates, which may lie outside."""
    height, width = image.shape[:2]
    x, y = x.long(), y.long()
    if plan.fill == "reflect":
        inside = image[_mirrored(y, height), _mirrored(x, width)]
    else:
        inside = image[y.clamp(0, height - 1), x.clamp(0, width - 1)]
    if plan.fill != "constant":
        return inside
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return torch.where(within[..., None], inside, torch.tensor(plan.fill_value / 255.0, dtype=torch.float64))


def _mirrored(index: Tensor, side: int) -> Tensor:
    period = index.remainder(2 * side)
    return torch.minimum(period, 2 * side - 1 - period)


def _noisy(values: Tensor, plan: Plan, row: int) -> Tensor:
    height, width, channels = values.shape
    key = int(plan.noise_key[row])
    if plan.noise[row] > 0:
        drawn = noise.gaussian(key, rows=height, per_row=width * channels).reshape(height, width, channels)
        values = (values + plan.noise[row] * torch.from_numpy(drawn.astype(np.float64))).clamp(0.0, 1.0)
    if plan.salt_pepper[row] > 0:
        drawn_16 = noise.halfwords(key, noise.SALT_PEPPER, rows=height, per_row=width).astype(np.int64)
        hit = round(65536 * float(plan.salt_pepper[row]))
        black, white = torch.from_numpy(drawn_16 < hit), torch.from_numpy(drawn_16 < hit // 2)
        values = values.masked_fill(black[..., None], 0.0).masked_fill(white[..., None], 1.0)
    return values
