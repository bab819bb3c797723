"""What reading a source has shown before: digest and size of every item, by the stamp of its file.

One file per source in the cache folder. It only saves time: a missing, torn or unwritable one is no error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.cache import cache_folder, replacing
from sightline.errors import OutputError

ENTRY = np.dtype(
    [
        ("stamp", "<u8", 2),
        ("digest", "u1", 16),
        ("bytes", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("channels", "u1"),
    ]
)
"""One item that was read. A zero stamp marks one that must not be remembered."""

_ODD = np.uint64(0x9E3779B97F4A7C15)  # modulo 2⁶⁴, multiplying by an odd number loses nothing
_MAGIC = b"sightline listing 1\n"


def location(name: str) -> Path:
    """Return the file that remembers the source `name`."""
    key = hashlib.blake2b(os.fsencode(os.path.abspath(name)), digest_size=12).hexdigest()
    return cache_folder() / "listings" / f"{key}.bin"


def recall(name: str, stamps: NDArray[np.uint64]) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
    """Return an entry for each stamp, shape (items,), and which of them are known; the rest are zeros."""
    entries = np.zeros(len(stamps), ENTRY)
    entries["stamp"] = stamps
    known = np.zeros(len(stamps), np.bool_)
    held = _load(location(name))
    if not len(held) or not len(stamps):
        return entries, known
    at = np.minimum(np.searchsorted(_mixed(held["stamp"]), _mixed(stamps)), len(held) - 1)
    known = (held["stamp"][at] == stamps).all(axis=1) & stamps.any(axis=1)
    entries[known] = held[at[known]]
    return entries, known


def remember(name: str, entries: NDArray[np.void]) -> None:
    """Keep `entries`, shape (items,), for the next time; those with a zero stamp are left out."""
    kept = entries[entries["stamp"].any(axis=1)]
    kept = kept[np.argsort(_mixed(kept["stamp"]))]
    payload = kept.tobytes()
    check = hashlib.blake2b(payload, digest_size=16).digest()
    with contextlib.suppress(OutputError), replacing(location(name), needed=len(payload)) as descriptor:
        whole = memoryview(_MAGIC + check + payload)
        while whole:
            whole = whole[os.write(descriptor, whole) :]


def _load(path: Path) -> NDArray[np.void]:
    try:
        data = path.read_bytes()
    except OSError:
        return np.zeros(0, ENTRY)
    head = len(_MAGIC) + 16
    payload = data[head:]
    check = hashlib.blake2b(payload, digest_size=16).digest()
    if data[:head] != _MAGIC + check or len(payload) % ENTRY.itemsize:
        return np.zeros(0, ENTRY)
    return np.frombuffer(payload, ENTRY)


def _mixed(stamps: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one word for each stamp, to sort by; the rows of one file share their first word."""
    mixed: NDArray[np.uint64] = stamps[:, 0] + stamps[:, 1] * _ODD
    return mixed
