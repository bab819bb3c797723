"""The data set decoded once: every picture as uint8 pixels of one size, in one memory-mapped file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.allocation import keep_freed_memory
from sightline.data.cache import cache_folder, ready, replacing, room_for
from sightline.data.catalogue import Catalogue
from sightline.data.decode import Decoder, decode, decoder_version
from sightline.data.formats import calm
from sightline.data.limits import Limits, PassingRefusal, Refused
from sightline.data.progress import Progress, Silent
from sightline.data.reading import digest, in_threads
from sightline.data.resize import Resize
from sightline.errors import DataError, OutputError

_VERSION = 1
_MAGIC = b"SIGHTPIX"
_LENGTH_BYTES = 8
_CHUNK_BYTES = 1 << 20
_CHUNK_ROWS = 1024
_RESIDENT_BYTES = 64 << 20
_FAULT_BYTES = 64 << 10  # Linux maps up to so much around one byte that is touched


class Undecoded(NamedTuple):
    """A picture that could not be decoded: its position in the catalogue, its name, and why."""

    position: int
    name: str
    reason: str


class _Failure(NamedTuple):
    """Why a picture is left out; `passing` where that does not follow from its bytes, and may not come again."""

    reason: str
    passing: bool


_Outcome = NDArray[np.uint8] | _Failure


class Pixels:
    """Decoded pictures, shape (n, height, width, channels), read from a file as they are asked for.

    Memory stays flat: after about 64 MB of the file were touched, the process lets go of them (where the system has
    madvise); the system keeps them cached as long as nobody else needs the room.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int, int], slots: NDArray[np.int64] | None = None) -> None:
        """Open a file of `shape`, of which only the rows at `slots` count where they are given."""
        self.path = path
        self.shape = (shape[0] if slots is None else len(slots), *shape[1:])
        self._slots = slots
        self._row_bytes = shape[1] * shape[2] * shape[3]
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), shape[0] * self._row_bytes, access=mmap.ACCESS_READ)
        self._rows = np.frombuffer(self._map, np.uint8).reshape(shape[0], self._row_bytes)
        self._touched = 0

    def __len__(self) -> int:
        return self.shape[0]

    def gather(self, indices: NDArray[np.int64], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Return the pictures at `indices`, shape (len(indices), h, w, c), in `out` where it is given.

        Raises:
            IndexError: an index is negative or not below n.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"found indices from {wanted.min()} to {wanted.max()}, wanted 0 to {len(self) - 1}")
        if self._slots is not None:
            wanted = self._slots[wanted]
        result = np.empty((len(wanted), *self.shape[1:]), np.uint8) if out is None else out
        flat = result.reshape(len(wanted), self._row_bytes)
        step = max(1, _RESIDENT_BYTES // max(self._row_bytes, _FAULT_BYTES))
        for start in range(0, len(wanted), step):
            part = wanted[start : start + step]
            # With mode "raise" NumPy would gather into a buffer first; the bounds are checked above.
            np.take(self._rows, part, axis=0, out=flat[start : start + step], mode="clip")
            self._release(len(part) * max(self._row_bytes, _FAULT_BYTES))
        return result

    def close(self) -> None:
        """Let go of the file; the object cannot be used afterwards."""
        self._rows = np.empty((0, self._row_bytes), np.uint8)
        with contextlib.suppress(BufferError):
            self._map.close()

    def _release(self, touched: int) -> None:
        self._touched += touched
        if self._touched < _RESIDENT_BYTES or self._rows.nbytes <= _RESIDENT_BYTES:
            return
        self._touched = 0
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Stored:
    """The store of a catalogue. Row i of `pixels` is record i of the catalogue without the refused positions."""

    pixels: Pixels
    refused: tuple[Undecoded, ...]


def store_pixels(
    catalogue: Catalogue,
    *,
    size: tuple[int, int],
    channels: int,
    resize: Resize,
    padding_value: int,
    decoder: Decoder,
    limits: Limits,
    threads: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Stored:
    """Decode every picture of `catalogue` into one file under `cache`, or reopen the file where it exists.

    The file's name is a hash over the records, their contents, every argument that changes a pixel and the decoders'
    versions, so that a changed picture or another size leads to another file. It appears whole or not at all; several
    processes may build it at the same time. A file that is torn is built anew.

    Pictures that fail for another reason than their bytes (they cannot be read, memory or time run out, they are not
    what the catalogue hashed) are left out of this run only: the next one tries them again, and builds the file anew
    where one of them has become usable.

    Args:
        size: height and width; the other arguments up to `limits` as for `decode`.
        threads: how many decode at the same time, ≥ 1.
        cache: folder, `cache_folder()` where None; the file goes to its subfolder `pixels`.

    Raises:
        DataError: not a single picture could be decoded.
        OutputError: the cache cannot be written to, or has no room.
    """
    settings: dict[str, Any] = {
        "size": list(size),
        "channels": channels,
        "resize": resize,
        "padding_value": padding_value,
        "decoder": decoder,
        "decoder_version": decoder_version(decoder),
        "limits": [limits.max_pixels, limits.max_bytes, limits.max_seconds],
        "catalogue": catalogue.digest,
        "store": _VERSION,
    }
    key = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16).hexdigest()
    path = ready((cache or cache_folder()) / "pixels") / f"{key}.pixels"

    def decoded(position: int) -> _Outcome:
        try:
            found = catalogue.source.read(int(catalogue.index[position]), limits.max_bytes)
            if digest(found) != catalogue.digests[position].tobytes():
                return _Failure("changed while it was read", passing=True)
        except Refused as refusal:
            return _Failure(refusal.reason, passing=True)
        except OSError as error:
            return _Failure(f"cannot be read ({error.strerror or error})", passing=True)
        except MemoryError:
            return _Failure("needs more memory than is free", passing=True)
        try:
            return decode(
                found,
                size=size,
                channels=channels,
                resize=resize,
                padding_value=padding_value,
                decoder=decoder,
                limits=limits,
            )
        except Refused as refusal:
            return _Failure(refusal.reason, passing=isinstance(refusal, PassingRefusal))
        except (OSError, MemoryError) as error:
            return _Failure(f"cannot be decoded ({error or type(error).__name__})", passing=True)

    stored = _reopened(path, key, catalogue, again=decoded)
    if stored is not None:
        return stored
    try:
        _build(
            path,
            settings | {"key": key},
            order=catalogue.reading_order,
            decoded=decoded,
            threads=threads,
            progress=progress or Silent(),
        )
    except OutputError:
        # Where another process holds its finished file open, Windows lets nobody replace it; then it serves us too.
        stored = _reopened(path, key, catalogue)
        if stored is None:
            raise
        return stored
    stored = _reopened(path, key, catalogue)
    if stored is None:
        raise OutputError(f"{path}: written, but it cannot be read back. Check the disk, and run again.")
    return stored


def _build(
    path: Path,
    header: dict[str, Any],
    *,
    order: NDArray[np.int64],
    decoded: Callable[[int], _Outcome],
    threads: int,
    progress: Progress,
) -> None:
    """Write the rows, each at its catalogue position, then the header. Rows of refused pictures stay zero."""
    row_bytes = header["size"][0] * header["size"][1] * header["channels"]
    needed = len(order) * row_bytes
    room_for(needed, path.parent)
    step = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // row_bytes))
    chunks = [order[start : start + step] for start in range(0, len(order), step)]
    refused: list[tuple[int, str]] = []
    passing: list[int] = []

    def work(chunk: NDArray[np.int64]) -> list[_Outcome]:
        return [decoded(position) for position in chunk.tolist()]

    keep_freed_memory()
    progress.start("decoding", len(order))
    try:
        with replacing(path, needed=needed) as descriptor, calm():
            for chunk, results in zip(chunks, in_threads(work, chunks, threads), strict=True):
                for position, result in zip(chunk.tolist(), results, strict=True):
                    if isinstance(result, _Failure):
                        refused.append((position, result.reason))
                        passing.extend([position] if result.passing else [])
                    else:
                        _write(descriptor, result.data, position * row_bytes)
                progress.advance(len(chunk))
            if len(refused) == len(order):
                first = f" The first: {refused[0][1]}" if refused else ""
                raise DataError(f"none of {len(order):,} pictures could be decoded, wanted at least one.{first}")
            lists = {"refused": sorted(refused), "passing": sorted(passing)}
            text = json.dumps(header | {"rows": len(order)} | lists).encode()
            _write(descriptor, text + len(text).to_bytes(_LENGTH_BYTES, "little") + _MAGIC, needed)
    finally:
        progress.finish()


def _write(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    view = memoryview(data).cast("B")
    os.lseek(descriptor, offset, os.SEEK_SET)
    while view:
        view = view[os.write(descriptor, view) :]


def _reopened(
    path: Path, key: str, catalogue: Catalogue, again: Callable[[int], _Outcome] | None = None
) -> Stored | None:
    """Return the store at `path`, or None where there is none or it is torn.

    With `again` also None where a picture that was left out for a passing reason can be decoded now.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _LENGTH_BYTES - len(_MAGIC)))
            trailer = file.read()
            length = int.from_bytes(trailer[:_LENGTH_BYTES], "little")
            begin = end - len(trailer) - length
            if trailer[_LENGTH_BYTES:] != _MAGIC or begin <= 0:
                return None
            file.seek(begin)
            header = json.loads(file.read(length))
        if header["key"] != key:
            return None
        (high, wide), channels = header["size"], header["channels"]
        shape = (len(catalogue), int(high), int(wide), int(channels))
        if begin != shape[0] * shape[1] * shape[2] * shape[3]:
            return None
        reasons = {int(i): str(reason) for i, reason in header["refused"]}
        # Older files do not tell which reasons pass; then all are tried again.
        passing = [i for i in reasons if i in header.get("passing", reasons)]
        names = {i: catalogue.name(i) for i in reasons}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    with calm():
        for position, outcome in ((i, again(i)) for i in passing) if again else ():
            if not isinstance(outcome, _Failure):
                return None
            reasons[position] = outcome.reason
    refused = tuple(Undecoded(i, names[i], reason) for i, reason in sorted(reasons.items()))
    slots = np.delete(np.arange(len(catalogue)), [item.position for item in refused]) if refused else None
    return Stored(Pixels(path, shape, slots), refused)
