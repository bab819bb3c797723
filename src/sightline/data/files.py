"""Single files of a source: which names are pictures, how one is read safely, and the stamp that tells of a change."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sightline.data.limits import Limits, Refused

# fmt: off
_PICTURE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    ".pnm", ".jp2", ".avif", ".heic", ".heif",
))
_OTHER_SUFFIXES = frozenset((
    ".txt", ".md", ".rst", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".xml", ".html", ".htm", ".css", ".js", ".py",
    ".ipynb", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log", ".db", ".sqlite", ".sh", ".bat", ".lnk", ".url",
))
_LITTER = frozenset((
    "thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "license", "licence", "readme", "copying", "notice",
    "changelog",
))
# fmt: on
_LITTER_FOLDERS = frozenset(("__macosx", "@eadir", "__pycache__", "lost+found"))

UNSETTLED_NS = 2_000_000_000
"""A file younger than this may change again within one tick of a coarse clock, unseen; its hash is not remembered."""

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def suffix(name: str) -> str:
    """Return the suffix of a file name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def ignored(name: str) -> bool:
    """Return whether a file is no picture by its name alone: hidden, litter of a file browser, or a text beside."""
    lower = name.lower()
    stem, ending = os.path.splitext(lower)
    if name.startswith(".") or ending in _OTHER_SUFFIXES or lower in _LITTER:
        return True
    return stem in _LITTER and ending not in _PICTURE_SUFFIXES


def is_picture(name: str) -> bool:
    """Return whether a file is taken for a picture by its name alone."""
    return suffix(name) in _PICTURE_SUFFIXES and not ignored(name)


def ignored_folder(name: str) -> bool:
    """Return whether a folder is hidden or a file browser's own."""
    return name.startswith(".") or name.lower() in _LITTER_FOLDERS


def unusual(mode: int) -> str | None:
    """Return why a file of this mode is never opened, or None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    return f"is {kind}, not a file"


def complaint(error: OSError) -> str:
    """Return why a file cannot be read, in the system's words."""
    return f"cannot be read ({(error.strerror or str(error) or type(error).__name__).lower()})"


def read(path: str | bytes, most: int | None = None) -> bytes:
    """Return the bytes of a regular file; raise Refused for anything else, without ever waiting on a pipe.

    A file of more than `most` bytes is refused before it is read.
    """
    try:
        descriptor = os.open(path, _READ_FLAGS)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            reason = unusual(found.st_mode)
            if reason:
                raise Refused(reason)
            if most is not None:
                Limits(max_bytes=most).check_bytes(found.st_size)
            return file.read()
    except OSError as error:
        raise Refused(complaint(error)) from error
    except ValueError as error:  # NUL, or letters that no file name can have
        raise Refused(f"cannot be read ({error})") from error
    except MemoryError as error:
        raise Refused("is larger than the memory that is free") from error


def stamp(path: bytes, size: int, modified_ns: int, inode: int) -> bytes:
    """Return 16 bytes that change when the file's path, size, time or inode does."""
    return hashlib.blake2b(b"%d %d %d " % (size, modified_ns, inode) + path, digest_size=16).digest()


def as_stamps(stamps: Iterable[bytes], count: int) -> NDArray[np.uint64]:
    """Return 16-byte stamps as words, shape (count, 2)."""
    joined = bytearray(16 * count)
    for position, value in enumerate(stamps):
        joined[16 * position : 16 * position + 16] = value
    return np.frombuffer(bytes(joined), "<u8").reshape(count, 2).astype(np.uint64, copy=False)


def row_stamps(path: str, rows: int) -> NDArray[np.uint64]:
    """Return the stamps of the rows of one container file, shape (rows, 2): the file's own, and the row."""
    found = os.stat(path)
    words = np.zeros((rows, 2), dtype=np.uint64)
    if settled(found.st_mtime_ns, time.time_ns()):
        own = stamp(os.fsencode(os.path.abspath(path)), found.st_size, found.st_mtime_ns, found.st_ino)
        words[:, 0] = np.frombuffer(own[:8], "<u8")[0]
        words[:, 1] = np.arange(1, rows + 1, dtype=np.uint64)
    return words


def settled(modified_ns: int, now_ns: int) -> bool:
    """Return whether a file's time is old enough to trust that another change would alter it."""
    return modified_ns < now_ns - UNSETTLED_NS
