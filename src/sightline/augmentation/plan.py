"""The plan of a batch: every random number of its augmentation, drawn before a pixel is touched."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt64
from numpy import ndarray
from numpy.typing import NDArray

from sightline.augmentation.geometry import between_frames
from sightline.errors import RecipeError
from sightline.recipe.augmentation import Fill, Interpolation
from sightline.writing import write_whole


@dataclass(frozen=True)
class Plan:
    """What is done to each picture of a batch: one row per picture, plain numbers, no chance left.

    A result's pixel is found in this order:

    1. the source is stored as JPEG, blurred and sharpened where asked (`jpeg`, `blur`, `sharpen`);
    2. its place q in the result is moved by the displacement field (`grid`), q ← q + d(q), bent by the `lens`,
       q ← c + (q − c)(1 + k r²), and carried into the source by the `homography`, where its value is interpolated;
    3. values from 0 to 1 go through the `color` matrix and are clipped, take the power `gamma`, get `noise` and are
       clipped, `salt_pepper`, then the `erase` box;
    4. `scale` and `offset` of each channel standardize, and the picture is mixed with its `partner`.

    Pixel centers have whole coordinates: the first pixel's is (0, 0), and a picture reaches from −1/2 to width − 1/2.
    """

    source: tuple[int, int]
    """Height and width of the pictures that it is for."""
    size: tuple[int, int]
    """Height and width of the results."""
    own: int
    """Results; rows beyond are pictures that only serve as partners."""
    fill: Fill
    fill_value: int
    interpolation: Interpolation
    spacing: float
    """Pixels of the result between the coefficients of a displacement field, > 0."""
    erase_value: float
    """Gray level of erased boxes, 0 to 1."""
    homography: Float64[ndarray, "picture 3 3"]
    """Carries (x, y, 1) of a result's pixel to the source's."""
    lens: Float64[ndarray, " picture"]
    """k, with r = 1 at the corners of the result; 0 bends nothing."""
    grid: Float32[ndarray, "picture 2 rows columns"]
    """Coefficients of the displacement field in x and in y, in pixels; rows = columns = 0 where there is none."""
    jpeg: Int32[ndarray, " picture"]
    """Quality, 1 to 100; 0 leaves the picture alone."""
    blur: Float64[ndarray, "picture 2"]
    """Standard deviation in pixels of the source, along x and along y; anti-aliasing of what shrinks is in it."""
    sharpen: Float64[ndarray, " picture"]
    color: Float64[ndarray, "picture channel channel_and_one"]
    """Applied to values from 0 to 1 with a 1 appended."""
    gamma: Float64[ndarray, " picture"]
    noise: Float64[ndarray, " picture"]
    """Standard deviation, as a share of the range from black to white."""
    salt_pepper: Float64[ndarray, " picture"]
    """Share of the pixels."""
    noise_key: UInt64[ndarray, " picture"]
    erase: Int32[ndarray, "picture 4"]
    """Top, left, bottom and right of the box, the last two exclusive; all 0 erases nothing."""
    partner: Int64[ndarray, " own"]
    """Row of the picture that is mixed in; −1 for none."""
    weight: Float64[ndarray, " own"]
    """Own share of the label, and of every value in mixup."""
    paste: Int32[ndarray, "own 4"]
    """The box that shows the partner (cutmix); all 0 blends instead (mixup)."""
    others: Int64[ndarray, " other"]
    """Positions, in the pool of partners, of the pictures of the rows from `own` on."""
    scale: Float64[ndarray, " channel"]
    offset: Float64[ndarray, " channel"]
    """Of the standardization: scale · v + offset for v from 0 to 1."""

    def require_finite(self) -> None:
        """Raise RecipeError, with its place, for a number that is not finite; every way of rendering asks first."""
        for field in fields(self):
            value = getattr(self, field.name)
            # A sum is finite only where all are, and is quicker to look at.
            if (
                isinstance(value, np.ndarray)
                and value.dtype.kind == "f"
                and not np.isfinite(value.sum())
                and not np.isfinite(value).all()
            ):
                row = int(np.argwhere(~np.isfinite(value))[0][0])
                raise RecipeError(
                    f"plan.{field.name}: found {value[row].ravel()[:3]} in row {row}, wanted finite numbers. "
                    "Draw the plan anew, or mend that row."
                )

    def __len__(self) -> int:
        return len(self.homography)

    @property
    def channels(self) -> int:
        return int(self.color.shape[1])

    @property
    def mixes(self) -> bool:
        """Whether any picture has a partner."""
        return bool((self.partner >= 0).any())

    def standardized(self, scale: NDArray[np.float64], offset: NDArray[np.float64]) -> Plan:
        """Return the plan that ends with scale · v + offset for each channel, v from 0 to 1."""
        shape = (self.channels,)
        return replace(
            self,
            scale=np.broadcast_to(np.asarray(scale, np.float64), shape).copy(),
            offset=np.broadcast_to(np.asarray(offset, np.float64), shape).copy(),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the plan to a `.npz` file, which `load` reads; it appears whole or not at all."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if not isinstance(getattr(self, f.name), ndarray)}
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in plain}
        buffer = io.BytesIO()
        np.savez(buffer, plain=np.array(json.dumps(plain)), **arrays)
        write_whole(path, buffer.getvalue())

    @staticmethod
    def load(path: str | PathLike[str]) -> Plan:
        """Return the plan in a file.

        Raises:
            RecipeError: the file is missing or holds no plan.
        """
        try:
            # Read whole first: numpy leaves a file open that turns out to be torn.
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as stored:
                values: dict[str, Any] = {name: stored[name] for name in stored.files}
            plain = json.loads(str(values.pop("plain")))
            plain["source"], plain["size"] = tuple(plain["source"]), tuple(plain["size"])
            found = Plan(**values, **plain)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise RecipeError(f"{path}: wanted a plan that Plan.save wrote, and cannot read it ({error}).") from None
        found.require_finite()
        return found


def identity(count: int, *, source: tuple[int, int], size: tuple[int, int] | None = None, channels: int = 3) -> Plan:
    """Return the plan that changes nothing but the size.

    Args:
        count: pictures.
        source: their height and width, each ≥ 1.
        size: height and width of the results; the source's where None.
        channels: 1 or 3.

    Raises:
        RecipeError: a picture without pixels.
    """
    size = source if size is None else size
    if min(*source, *size) < 1:
        raise RecipeError(f"found pictures of {source} pixels and results of {size}, wanted sides of at least 1.")
    zeros = np.zeros(count)
    return Plan(
        source=source,
        size=size,
        own=count,
        fill="reflect",
        fill_value=0,
        interpolation="bilinear",
        spacing=1.0,
        erase_value=0.0,
        homography=_resized(count, source, size),
        lens=zeros.copy(),
        grid=np.zeros((count, 2, 0, 0), np.float32),
        jpeg=np.zeros(count, np.int32),
        blur=np.zeros((count, 2)),
        sharpen=zeros.copy(),
        color=np.broadcast_to(np.eye(channels, channels + 1), (count, channels, channels + 1)).copy(),
        gamma=np.ones(count),
        noise=zeros.copy(),
        salt_pepper=zeros.copy(),
        noise_key=np.zeros(count, np.uint64),
        erase=np.zeros((count, 4), np.int32),
        partner=np.full(count, -1, np.int64),
        weight=np.ones(count),
        paste=np.zeros((count, 4), np.int32),
        others=np.zeros(0, np.int64),
        scale=np.ones(channels),
        offset=np.zeros(channels),
    )


def _resized(count: int, source: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
    plain = np.broadcast_to(np.eye(3), (count, 3, 3))
    return plain.copy() if source == size else between_frames(plain, source=source, size=size)
