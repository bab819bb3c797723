"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from sightline.errors import OutputError

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Put `data` at `path`. Whatever happens, there is the older file or the whole new one, and no litter.

    Raises:
        OutputError: the folder is missing or read-only, the disk is full, or `path` is a folder or no path at all.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with replacing(path) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({_reason(error, len(data), path.parent)}).") from error
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise OutputError(f"{os.fspath(path)!a}: cannot be written (no file can have this name).") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[int]:
    """Give the descriptor of a temporary file that takes the place of `path` at the end, all at once.

    Readers see the old file or the whole new one, several writers may work at the same time (the last one stays), and
    a failure inside the block leaves nothing behind. Its name ends in `.part`.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full.
    """
    # Not tempfile: it makes files that nobody else may read.
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    descriptor = os.open(temporary, _NEW_FILE, 0o666)
    try:
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk: a new, renamed or removed file may otherwise be undone by a power cut.

    Raises:
        OSError: the folder is gone or cannot be opened.
    """
    # Windows cannot open folders, and needs no such call.
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse; the file itself is safe
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError, size: int, folder: Path) -> str:
    said = (error.strerror or str(error)).lower()
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return f"{said}; choose another place"
    free = ""
    with contextlib.suppress(OSError):
        free = f" and {shutil.disk_usage(folder).free:,} are free"
    return f"{said}; {size:,} bytes are needed{free}: make room, or choose another place"
