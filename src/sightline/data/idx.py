"""IDX files, the form of MNIST and its family, gzipped or not."""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import threading
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sightline.data import files
from sightline.data.labels import renumber
from sightline.data.names import Derived, printable
from sightline.data.source import SUBSETS, TEST
from sightline.data.unpack import unpacked
from sightline.errors import DataError, SightlineError

IMAGES = re.compile(r"^(?P<before>.*?)(?P<side>train|t10k|test|val|valid|validation)-images[-.]idx(3|4)-ubyte(\.gz)?$")
_UNSIGNED_BYTES = 0x08
_BROKEN = (OSError, EOFError, zlib.error)
LARGEST_LABELS = 1 << 31
_LONGEST_SIDE = 1 << 15
_GZIP_AT_MOST = 1040  # deflate makes no more out of one byte


class IdxSource:
    """Images and labels from pairs of IDX files. Images are unpacked when the first one is read."""

    refused = ()
    sizes = None

    def __init__(self, name: str, pairs: Sequence[tuple[str, str, int]]) -> None:
        """Read the labels of `pairs`: the path of the images, of their labels, and the subset of both."""
        self.name = name
        self._parts = [_Images(path) for path, _, _ in pairs]
        labels = [_labels(path) for _, path, _ in pairs]
        for part, (_, path, _), read in zip(self._parts, pairs, labels, strict=True):
            if part.shape[0] != len(read):
                raise DataError(
                    f"{part.shown}: {part.shape[0]:,} images, but {os.path.basename(path)} has {len(read):,} labels. "
                    "Wanted as many of one as of the other; fetch both again."
                )
        self._starts = [0, *np.cumsum([len(read) for read in labels]).tolist()]
        used, codes = np.unique(np.concatenate(labels), return_inverse=True)
        self.labels, self.class_names = renumber(name, codes.astype(np.int32), [str(value) for value in used])
        self.subsets: NDArray[np.int8] = np.repeat(
            np.array([subset for _, _, subset in pairs], np.int8), [len(read) for read in labels]
        )
        self.names: Sequence[str] = Derived(len(self.labels), self._name)

    @property
    def stamps(self) -> NDArray[np.uint64]:
        """The stamp of its file and its position for every image, shape (items, 2)."""
        return np.concatenate([files.row_stamps(part.path, part.shape[0]) for part in self._parts])

    def read(self, index: int, most: int | None = None) -> NDArray[np.uint8]:  # noqa: ARG002 (no file of its own)
        """Return the pixels of one image, shape (height, width) or (height, width, channels)."""
        number = self._part(index)
        pixels: NDArray[np.uint8] = self._parts[number].pixels()[index - self._starts[number]]
        return pixels

    def _part(self, index: int) -> int:
        return bisect_right(self._starts, index) - 1

    def _name(self, index: int) -> str:
        number = self._part(index)
        return f"{self._parts[number].shown} image {index - self._starts[number]}"


class _Images:
    """One file of images: its shape, and its pixels once somebody asks."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.shown = printable(os.path.basename(path))
        self._pixels: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()
        with _open(path) as stream:
            self.shape = _shape(self.shown, stream)
        if len(self.shape) not in (3, 4) or self.shape[3:] not in ((), (1,), (3,)):
            raise DataError(
                f"{self.shown}: shape {self.shape}, wanted (images, height, width) or one with 1 or 3 channels."
            )
        _check_sides(self.shown, self.shape, os.path.getsize(path) * (_GZIP_AT_MOST if path.endswith(".gz") else 1))

    def pixels(self) -> NDArray[np.uint8]:
        """Return all pixels, memory-mapped."""
        if self._pixels is not None:
            return self._pixels
        with self._lock:
            if self._pixels is None:
                with _open(self.path) as stream:
                    try:
                        self._pixels = unpacked(self.shown, stream, _shape(self.shown, stream))
                    except SightlineError:
                        raise
                    except _BROKEN as error:
                        raise _torn(self.shown, error) from error
            return self._pixels


def find_idx(folder: str) -> list[tuple[str, str, int]]:
    """Return pairs of image and label files in `folder`, each with its subset; none where there are no IDX files.

    Raises:
        DataError: the labels of some images are missing, or the files belong to several data sets.
    """
    found = sorted(filter(None, (IMAGES.match(name) for name in os.listdir(folder))), key=lambda match: match.string)
    if len({match["before"] for match in found}) > 1:
        listed = ", ".join(sorted({match.string for match in found})[:4])
        raise DataError(f"{folder}: IDX files of several data sets ({listed}). Wanted one data set in a folder.")
    pairs: dict[int, tuple[str, str, int]] = {}
    for match in found:
        subset = TEST if match["side"] == "t10k" else SUBSETS[match["side"]]
        stem = f"{match['before']}{match['side']}-labels"
        names = [f"{stem}{joint}idx1-ubyte{ending}" for joint in "-." for ending in ("", ".gz")]
        labels = next((name for name in names if os.path.isfile(os.path.join(folder, name))), None)
        if labels is None:
            raise DataError(f"{folder}: {match.string} has no labels. Wanted {names[0]} or {names[1]} beside it.")
        pairs.setdefault(subset, (os.path.join(folder, match.string), os.path.join(folder, labels), subset))
    return [pairs[subset] for subset in sorted(pairs)]


def open_idx(name: str, pairs: Sequence[tuple[str, str, int]]) -> IdxSource:
    """Return the source of pairs of IDX files (see `find_idx`).

    Raises:
        DataError: a file is torn, holds anything but unsigned bytes, or images and labels differ in number.
    """
    return IdxSource(name, pairs)


def _open(path: str) -> IO[bytes]:
    try:
        return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")  # type: ignore[return-value]
    except OSError as error:
        raise DataError(f"{path}: {files.complaint(error)}. Give a file that you may read.") from error


def _shape(shown: str, stream: IO[bytes]) -> tuple[int, ...]:
    try:
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UNSIGNED_BYTES or not 1 <= magic[3] <= 4:
            raise DataError(f"{shown}: not an IDX file of unsigned bytes (it starts with {magic.hex() or 'nothing'}).")
        sizes = stream.read(4 * magic[3])
    except _BROKEN as error:
        raise _torn(shown, error) from error
    if len(sizes) < 4 * magic[3]:
        raise _torn(shown, EOFError("the header is cut off"))
    return struct.unpack(f">{magic[3]}I", sizes)


def _check_sides(shown: str, shape: tuple[int, ...], held: int) -> None:
    """Raise DataError where images have no pixels, absurdly many, or more than a file of `held` bytes can hold."""
    if not all(1 <= side <= _LONGEST_SIDE for side in shape[1:3]):
        raise DataError(
            f"{shown}: images of {shape[1]:,} × {shape[2]:,} pixels, wanted sides of 1 to {_LONGEST_SIDE:,}. "
            "Fetch the file again."
        )
    if math.prod(shape) > held:
        raise DataError(
            f"{shown}: shape {shape}, {math.prod(shape):,} bytes of pixels, of which the file can hold {held:,} at "
            "most. Fetch the file again."
        )


def _labels(path: str) -> NDArray[np.uint8]:
    shown = printable(os.path.basename(path))
    with _open(path) as stream:
        shape = _shape(shown, stream)
        if len(shape) != 1 or shape[0] > LARGEST_LABELS:
            raise DataError(f"{shown}: shape {shape}, wanted one label for each image.")
        try:
            data = stream.read(shape[0])
        except _BROKEN as error:
            raise _torn(shown, error) from error
    if len(data) != shape[0]:
        raise DataError(f"{shown}: ends after {len(data):,} of {shape[0]:,} labels. Fetch the file again.")
    return np.frombuffer(data, np.uint8)


def _torn(shown: str, error: Exception) -> DataError:
    return DataError(f"{shown}: cannot be unpacked ({error or 'it is cut off'}). Fetch the file again.")
