"""The predictions that a run kept: of each picture that was held out, and the pixels of the most remarkable."""

from __future__ import annotations

import base64
import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import DataError
from sightline.training import predictions

KINDS = {"mistakes": "Mistakes it was most sure of", "uncertain": "Predictions it was least sure of"}
QUALITY = 85
SMALL = 96
"""Pixels below which a picture is enlarged without smoothing."""


@dataclass(frozen=True)
class Predicted:
    """What was said of one picture."""

    side: str
    name: str
    true: str
    predicted: str
    confidence: float
    """Probability of the predicted class."""
    of_class: float
    """Probability of the true one."""


@dataclass(frozen=True)
class Shown:
    """A picture with what was said of it."""

    said: Predicted
    pixels: NDArray[np.uint8]
    """Shape (height, width, channel), as the network saw it before preprocessing."""

    @property
    def address(self) -> str:
        """The picture itself, as the address of an image."""
        from PIL import Image

        gray = self.pixels.shape[-1] == 1
        image = Image.fromarray(self.pixels[..., 0] if gray else self.pixels)
        written = io.BytesIO()
        image.save(written, "JPEG", quality=QUALITY)
        return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode("ascii")

    @property
    def small(self) -> bool:
        """Whether it is so small that its pixels are to be seen."""
        return bool(max(self.pixels.shape[:2]) < SMALL)


def read(path: Path) -> tuple[tuple[Predicted, ...], Mapping[str, tuple[Shown, ...]]]:
    """Return the predictions of a run, and the pictures it kept by kind; both empty where it was not finished.

    Raises:
        DataError: they are altered.
    """
    try:
        said = tuple(_rows(path / predictions.LIST))
        return said, dict(_pictures(path / predictions.PICTURES, said))
    except (OSError, KeyError, ValueError, IndexError, csv.Error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: {predictions.LIST} and {predictions.PICTURES} are not what the training wrote ({error}). Remove "
            "both for a report without them."
        ) from error


def _rows(path: Path) -> Iterator[Predicted]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Predicted(
                row["side"],
                row["name"],
                row["class"],
                row["predicted"],
                float(row["confidence"]),
                float(row["of_class"]),
            )


def _pictures(path: Path, said: Sequence[Predicted]) -> Iterator[tuple[str, tuple[Shown, ...]]]:
    if not path.is_file() or not said:
        return
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        for kind in KINDS:
            if kind in kept:
                rows, pixels = kept[kind], kept[f"{kind}_pixels"]
                yield kind, tuple(Shown(said[row], seen) for row, seen in zip(rows.tolist(), pixels, strict=True))
