"""Where decoded pixels and file hashes are kept between runs, and how a file gets there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from sightline import writing
from sightline.errors import OutputError

VARIABLE = "SIGHTLINE_CACHE"

_ABANDONED_SECONDS = 24 * 3600


def cache_folder() -> Path:
    """Return the cache folder: $SIGHTLINE_CACHE, or the platform's cache folder of the user. It need not exist."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_path("sightline", appauthor=False))


def ready(folder: Path) -> Path:
    """Create `folder` where it is missing and return it; raise OutputError where that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


@contextlib.contextmanager
def replacing(path: Path, *, needed: int | None = None) -> Iterator[int]:
    """Give the descriptor of a temporary file that takes the place of `path` in the cache: `writing.replacing`.

    Args:
        path: the file to write; its folder is created.
        needed: bytes that will be written, where known, for the message of a full disk.

    Raises:
        OutputError: the folder is read-only, or the disk is full.
    """
    folder = ready(path.parent)
    _remove_abandoned(folder)
    try:
        with writing.replacing(path) as descriptor:
            yield descriptor
    except OSError as error:
        raise unwritable(folder, error, needed) from error


def room_for(needed: int, folder: Path) -> None:
    """Raise OutputError before the work where `folder` plainly has less than `needed` bytes free."""
    usage = shutil.disk_usage(folder)
    if usage.total > 0 and usage.free < needed:
        raise unwritable(folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), needed)


def unwritable(folder: Path, error: OSError, needed: int | None = None) -> OutputError:
    """Return the OutputError that tells why `folder` cannot be written to and what to do."""
    remedy = f"Choose another cache folder: {VARIABLE}=/path/with/space"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        wanted = "" if needed is None else f"{needed:,} bytes are needed and "
        return OutputError(f"{folder}: the disk is full, {wanted}{_free(folder):,} are free. Make room there. {remedy}")
    return OutputError(f"{folder}: cannot be written to ({error.strerror or error}). {remedy}")


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left half written; a file that is still being written to is younger."""
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()
