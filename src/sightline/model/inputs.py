"""What a caller may hand over to be predicted, brought to one list."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.data import Limits, Refused, files
from sightline.data.names import printable
from sightline.errors import DataError

Picture = str | os.PathLike[str] | bytes | NDArray[Any] | Image.Image
"""A file's path, a file's bytes, pixels (h, w) or (h, w, c), or a Pillow image."""

Inputs = Picture | Iterable[Picture]
"""A picture, several of them, or pixels of several: (n, h, w, c), or (n, h, w) in gray."""

MOST_CHANNELS = 4


@dataclass(frozen=True)
class Item:
    """One picture, not yet read."""

    name: str
    picture: Picture

    def read(self, limits: Limits) -> bytes | NDArray[Any] | Image.Image:
        """Return what `decode` takes; raise Refused where a file cannot be read or is too large to be."""
        if not isinstance(self.picture, str | os.PathLike):
            return self.picture
        path = os.fspath(self.picture)
        try:
            with contextlib.suppress(OSError):
                limits.check_bytes(Path(path).stat().st_size)
            return files.read(path)
        except ValueError as error:  # a NUL, or half of a surrogate pair
            raise Refused("no file can have this name") from error


def items(inputs: Inputs) -> list[Item]:
    """Return the pictures that `inputs` holds. Paths keep their name, others are called by their position.

    An array of three axes is one picture where the last has 1 to 4 entries, channels then, and otherwise several gray
    ones.

    Raises:
        DataError: something is no picture.
    """
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind not in "OSU":
        return _of_array(inputs)
    if isinstance(inputs, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return [_item(inputs, "the picture")]
    if (
        isinstance(inputs, Iterable)
        and not isinstance(inputs, dict)
        and type(inputs).__module__.split(".")[0] != "torch"
    ):
        return [_item(picture, f"picture {position}") for position, picture in enumerate(inputs)]
    raise _unknown("the input", inputs)


def _of_array(array: NDArray[Any]) -> list[Item]:
    if array.ndim == 2 or (array.ndim == 3 and 1 <= array.shape[-1] <= MOST_CHANNELS):
        return [Item("the picture", array)]
    if array.ndim in (3, 4):
        return [Item(f"picture {position}", pixels) for position, pixels in enumerate(array)]
    raise DataError(
        f"the input: found an array of shape {array.shape}, wanted one picture, (h, w) or (h, w, c), or several, "
        "(n, h, w, c) or (n, h, w)."
    )


def _item(picture: Any, called: str) -> Item:
    if isinstance(picture, str | os.PathLike):
        return Item(_shown(os.fspath(picture)), picture)
    if isinstance(picture, bytearray | memoryview):
        picture = bytes(picture)
    if isinstance(picture, bytes | np.ndarray | Image.Image):
        return Item(called, picture)
    raise _unknown(called, picture)


def _shown(path: str) -> str:
    try:
        return printable(path)
    except UnicodeEncodeError:
        return ascii(path)


def _unknown(called: str, found: object) -> DataError:
    kind = type(found)
    return DataError(
        f"{called}: found {kind.__module__}.{kind.__qualname__}, wanted a path, the bytes of a file, a uint8 array of "
        "pixels (height, width, channels) or a Pillow image."
    )
