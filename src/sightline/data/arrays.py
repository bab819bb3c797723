"""NumPy arrays of images and labels, .npz files of them, and the digits that scikit-learn carries."""

from __future__ import annotations

import re
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.labels import Collected
from sightline.data.names import Derived
from sightline.data.source import NONE, SUBSETS, TRAIN
from sightline.errors import DataError

DIGITS = "digits"
_IMAGES = ("images", "image", "x", "data", "pixels")
_LABELS = ("labels", "label", "y", "targets", "target")
_NEXT = "Wanted shape (images, height, width), or with 1 or 3 channels last, and dtype uint8 (0 to 255)."
Part = tuple[Any, Any, int]
"""Images, labels, subset."""


class ArraySource:
    """Images that lie in arrays, in memory or memory-mapped."""

    refused = ()
    sizes = None
    stamps = None

    def __init__(self, name: str, parts: Sequence[Part]) -> None:
        """Take the images and labels of each subset; nothing is copied."""
        self.name = name
        self._images = [_images(name, images) for images, _, _ in parts]
        collected = Collected(name)
        for images, (_, labels, _) in zip(self._images, parts, strict=True):
            for position, value in enumerate(_labels(name, labels, len(images))):
                reason = collected.add(value)
                if reason:
                    raise DataError(f"{name}: label {position}: {reason}. Leave that image out, or label it.")
        self.labels, self.class_names = collected.finish()
        counts = [len(images) for images in self._images]
        self._starts = [0, *np.cumsum(counts).tolist()]
        self.subsets: NDArray[np.int8] = np.repeat(np.array([subset for _, _, subset in parts], np.int8), counts)
        self.names: Sequence[str] = Derived(len(self.labels), lambda index: f"image {index}")
        if not len(self.labels):
            raise DataError(f"{name}: no images. {_NEXT}")

    def read(self, index: int, most: int | None = None) -> NDArray[np.uint8]:  # noqa: ARG002 (no file of its own)
        """Return the pixels of one image, shape (height, width) or (height, width, channels)."""
        part = bisect_right(self._starts, index) - 1
        pixels: NDArray[np.uint8] = self._images[part][index - self._starts[part]]
        return pixels


def open_arrays(images: Any, labels: Any, *, name: str = "arrays") -> ArraySource:
    """Return the source of images in memory.

    Args:
        images: uint8, shape (n, height, width) or (n, height, width, channels) with 1 or 3 channels.
        labels: integers or texts, shape (n,) or (n, 1).

    Raises:
        DataError: another shape or type, or a different number of images and labels.
    """
    return ArraySource(name, [(images, labels, NONE)])


def open_digits() -> ArraySource:
    """Return scikit-learn's embedded real set: 1,797 handwritten digits, 8 × 8, gray.

    Its levels 0 to 16 become 0 to 255 (level · 255 / 16, rounded).

    Raises:
        DataError: scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(f"{DIGITS}: needs scikit-learn. Install it: pip install scikit-learn") from error
    found = load_digits()
    return ArraySource(DIGITS, [(np.rint(found.images * (255 / 16)).astype(np.uint8), found.target, NONE)])


def open_npz(name: str, path: str) -> ArraySource:
    """Return the source of a .npz file: images and labels, or train_images, train_labels, test_images, …

    `x`/`y` stand for images and labels as well, before or after the subset's name.

    Raises:
        DataError: the file is torn, or holds no such arrays.
    """
    try:
        # Opened here, since NumPy leaves a torn file open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            parts = _npz_parts(name, archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        detail = " ".join(str(error).split())[:200]
        raise DataError(
            f"{name}: not a whole .npz file of plain arrays ({detail}). Save it with numpy.savez."
        ) from error
    return ArraySource(name, parts)


def _npz_parts(name: str, archive: Any) -> list[Part]:
    found: dict[int, dict[str, str]] = {}
    for key in archive.files:
        pieces = [piece for piece in re.split(r"[_.\-]", key.lower()) if piece]
        subset = next((SUBSETS[piece] for piece in pieces if piece in SUBSETS), NONE)
        rest = [piece for piece in pieces if piece not in SUBSETS]
        role = _role(rest[0]) if len(rest) == 1 else None
        if role:
            found.setdefault(subset, {}).setdefault(role, key)
    whole = {subset: keys for subset, keys in found.items() if len(keys) == len(("images", "labels"))}
    if not whole or (NONE not in whole and TRAIN not in whole):
        listed = ", ".join(archive.files[:12]) or "nothing"
        raise DataError(
            f"{name}: found {listed}. Wanted the arrays images and labels, or train_images, "
            "train_labels and the same for validation and test."
        )
    if NONE in whole and len(whole) > 1:
        whole = {subset: keys for subset, keys in whole.items() if subset != NONE}
    return [(archive[keys["images"]], archive[keys["labels"]], subset) for subset, keys in sorted(whole.items())]


def _role(word: str) -> str | None:
    return "images" if word in _IMAGES else "labels" if word in _LABELS else None


def _images(name: str, images: Any) -> NDArray[np.uint8]:
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise DataError(f"{name}: the images differ in shape. {_NEXT} Or save them as files.") from error
    if array.dtype != np.uint8:
        advice = "Multiply by 255 where they run from 0 to 1, then .astype(numpy.uint8)."
        raise DataError(f"{name}: images of dtype {array.dtype}. {_NEXT} {advice}")
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        first = " Channels come first there? images.transpose(0, 2, 3, 1)." if _channels_first(array) else ""
        raise DataError(f"{name}: images of shape {array.shape}. {_NEXT}{first}")
    if 0 in array.shape[1:]:
        raise DataError(f"{name}: images of shape {array.shape} have no pixels. {_NEXT}")
    return array


def _channels_first(array: NDArray[Any]) -> bool:
    return array.ndim == 4 and array.shape[1] in (1, 3)


def _labels(name: str, labels: Any, count: int) -> NDArray[Any]:
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hot = " One-hot labels? Give labels.argmax(1)." if array.ndim == 2 else ""
        raise DataError(
            f"{name}: labels of shape {array.shape}. Wanted one label for each image, shape ({count},).{hot}"
        )
    if len(array) != count:
        raise DataError(f"{name}: {count:,} images and {len(array):,} labels. Wanted as many of one as of the other.")
    return array
