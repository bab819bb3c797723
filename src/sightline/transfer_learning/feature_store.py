"""Features of frozen layers, computed once and kept in a memory-mapped file."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.data import Progress
from sightline.data.cache import cache_folder, ready, replacing, room_for

B = TypeVar("B")
_VERSION = 1


def store_features(
    blocks: Sequence[B],
    compute: Callable[[B], NDArray[np.float32]],
    *,
    rows: Sequence[int],
    standing: Mapping[str, Any],
    task: str,
    cache: Path | None,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the features of all blocks, one block's rows after the other's, from a file under `cache`.

    The file is named by a hash of what the features depend on. It appears whole or not at all, and is computed where it
    is not there.

    Args:
        blocks: what is computed together.
        compute: features of a block, float32, a row for each picture.
        rows: how many each block has.
        standing: all that the bits of the features depend on, as JSON.
        task: what is computed, for the progress.
        cache: folder; None for the user's.
        progress: told of rows.

    Raises:
        OutputError: the cache cannot be written to, or has no room.
    """
    text = json.dumps({**standing, "version": _VERSION, "rows": list(rows)}, sort_keys=True)
    key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    path = ready((cache or cache_folder()) / "features") / f"{key}.npy"
    total = sum(rows)
    found = _opened(path, total)
    if found is None:
        progress.start(task, total)
        try:
            _build(path, blocks, compute, rows, progress)
        finally:
            progress.finish()
        found = _opened(path, total)
        assert found is not None, f"{path} was written and cannot be read back"  # noqa: S101
    return found


def _build(
    path: Path,
    blocks: Sequence[B],
    compute: Callable[[B], NDArray[np.float32]],
    rows: Sequence[int],
    progress: Progress,
) -> None:
    first = compute(blocks[0])
    needed = sum(rows) * first[0].nbytes
    room_for(needed, path.parent)
    with replacing(path, needed=needed) as descriptor:
        head = io.BytesIO()
        form = {"descr": "<f4", "fortran_order": False, "shape": (sum(rows), *first.shape[1:])}
        np.lib.format.write_array_header_2_0(head, form)
        _write(descriptor, head.getvalue())
        for number, block in enumerate(blocks):
            found = first if number == 0 else compute(block)
            _write(descriptor, np.ascontiguousarray(found, np.float32).data.cast("B"))
            progress.advance(len(found))


def _write(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _opened(path: Path, rows: int) -> NDArray[np.float32] | None:
    """Return what is in the file, or None where there is none or it is not whole."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return np.asarray(found) if len(found) == rows and found.dtype == np.float32 else None
