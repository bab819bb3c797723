"""Compressed arrays, unpacked once into a nameless file on disk and read from there, so that memory stays flat."""

from __future__ import annotations

import math
import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sightline.data.cache import cache_folder, ready, room_for, unwritable
from sightline.errors import DataError

CHUNK = 1 << 20


def unpacked(where: str, stream: IO[bytes], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the next bytes of `stream` as a memory-mapped uint8 array of `shape`.

    The file has no name, so it disappears with the array.

    Raises:
        DataError: the stream ends early.
        OutputError: the cache folder cannot be written to, or has no room; found before anything is unpacked.
    """
    wanted = math.prod(shape)
    folder = ready(cache_folder())
    room_for(wanted, folder)
    written = 0
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (the mapping outlives this function)
    except OSError as error:
        raise unwritable(folder, error, wanted) from error
    with file:
        while written < wanted:
            chunk = stream.read(min(CHUNK, wanted - written))
            if not chunk:
                raise DataError(f"{where}: ends after {written:,} of {wanted:,} bytes of pixels. Fetch the file again.")
            try:
                file.write(chunk)
            except OSError as error:
                raise unwritable(folder, error, wanted) from error
            written += len(chunk)
        file.flush()
        if not wanted:
            return np.zeros(shape, np.uint8)
        return np.asarray(np.memmap(file, dtype=np.uint8, mode="r", shape=shape))
