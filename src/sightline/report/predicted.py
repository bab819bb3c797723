"""The predictions that a run kept: of each picture that was held out, and the pixels of the most remarkable."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.diagnosis import Predicted
from sightline.errors import DataError
from sightline.training import directory

KINDS = {"mistakes": "Mistakes it was most sure of", "uncertain": "Predictions it was least sure of"}
QUALITY = 85
OVERLAY = 64
"""Pixels of the longer side of an overlay, which is smooth and laid over the whole picture."""
LOOKED, STRONGEST = (255, 60, 0), 0.45
"""The overlay's color, and how much of the picture it hides where it is strongest."""
SMALL = 96
"""Pixels below which a picture is enlarged without smoothing."""


@dataclass(frozen=True)
class Shown:
    """A picture with what was said of it."""

    said: Predicted
    pixels: NDArray[np.uint8]
    """Shape (height, width, channel), as the network saw it before preprocessing."""
    places: NDArray[np.uint8] | None
    """Where the network found what it predicts, shape (height, width); None where it has no maps to tell by."""

    @property
    def address(self) -> str:
        """The picture itself, as the address of an image."""
        from PIL import Image

        gray = self.pixels.shape[-1] == 1
        image = Image.fromarray(self.pixels[..., 0] if gray else self.pixels)
        written = io.BytesIO()
        image.save(written, "jpeg", quality=QUALITY)
        return address(written.getvalue(), "jpeg")

    @property
    def overlay(self) -> str:
        """Where the network looked, as the address of an image to be laid over it; empty where that is not known."""
        from PIL import Image

        if self.places is None:
            return ""
        height, width = self.places.shape
        shade = min(1.0, OVERLAY / max(height, width))
        opacity = Image.fromarray((self.places * STRONGEST).astype(np.uint8))
        opacity = opacity.resize((max(1, round(width * shade)), max(1, round(height * shade))))
        image = Image.new("RGBA", opacity.size, LOOKED)
        image.putalpha(opacity)
        written = io.BytesIO()
        image.save(written, "png")
        return address(written.getvalue(), "png")

    @property
    def small(self) -> bool:
        """Whether it is so small that its pixels are to be seen."""
        return bool(max(self.pixels.shape[:2]) < SMALL)


def address(written: bytes, form: str) -> str:
    """Return a picture in a page as the address of an image; `form` is jpeg or png."""
    return f"data:image/{form};base64," + base64.b64encode(written).decode("ascii")


def read(path: Path, said: Sequence[Predicted]) -> Mapping[str, tuple[Shown, ...]]:
    """Return the pictures that a run kept by kind; none where it was not finished.

    Args:
        path: the run's directory.
        said: what its list of predictions has.

    Raises:
        DataError: they are altered.
    """
    try:
        return dict(_pictures(path / directory.MISTAKES, said))
    except (OSError, KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: {directory.MISTAKES} is not what the training wrote ({error}). Remove it for a report without "
            "its pictures."
        ) from error


def _pictures(path: Path, said: Sequence[Predicted]) -> Iterator[tuple[str, tuple[Shown, ...]]]:
    if not path.is_file() or not said:
        return
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        for kind in KINDS:
            if kind in kept:
                rows, pixels = kept[kind].tolist(), kept[f"{kind}_pixels"]
                places = kept[f"{kind}_places"] if f"{kind}_places" in kept else [None] * len(rows)
                shown = zip(rows, pixels, places, strict=True)
                yield kind, tuple(Shown(said[row], seen, looked) for row, seen, looked in shown)
