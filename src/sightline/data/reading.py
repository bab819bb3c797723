"""The one pass over every item of a source: read, hash, look at the header. Threads, with few items in flight."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sightline.data.formats import calm
from sightline.data.header import probe
from sightline.data.limits import Limits, Refused
from sightline.data.progress import Progress
from sightline.data.remembered import ENTRY, recall, remember
from sightline.data.source import Source
from sightline.ordered import Result, Task, in_order

READ_AT_ONCE = 32
"""Items in one task of a thread."""

_Seen = tuple[bytes, int, int, int, int]


def examine(
    source: Source, *, limits: Limits, threads: int, progress: Progress, reread: bool = False
) -> tuple[NDArray[np.void], dict[int, str]]:
    """Return an entry for every item of `source`, shape (items,), and the reasons of those refused, by position.

    Items whose file has not changed since it was last read are not read again.

    Args:
        source: what to read.
        limits: what a single picture may cost.
        threads: how many read at the same time, ≥ 1.
        progress: advanced by one for every item.
        reread: read every item, whatever is remembered of it.
    """
    count = len(source.labels)
    refused: dict[int, str] = {}
    progress.start("reading", count)
    try:
        stamps = source.stamps
        if stamps is None or reread:
            entries, known = np.zeros(count, ENTRY), np.zeros(count, np.bool_)
        else:
            entries, known = recall(source.name, stamps)
        for i in np.flatnonzero(known & _over(entries, limits)).tolist():
            refused[i] = _excess(entries[i], limits)
        progress.advance(int(known.sum()))
        missing = np.flatnonzero(~known)

        def look(chunk: NDArray[np.int64]) -> list[tuple[int, str]]:
            return _examine_some(source, chunk, limits, entries)

        chunks = [missing[at : at + READ_AT_ONCE] for at in range(0, len(missing), READ_AT_ONCE)]
        with calm():
            for chunk, failures in zip(chunks, in_threads(look, chunks, threads), strict=True):
                refused.update(failures)
                progress.advance(len(chunk))
    finally:
        progress.finish()
    if stamps is not None and len(missing):
        whole = entries.copy()
        whole["stamp"][[i for i in refused if not known[i]]] = 0
        remember(source.name, whole)
    return entries, refused


def in_threads(work: Callable[[Task], Result], tasks: Sequence[Task], threads: int) -> Iterator[Result]:
    """Yield `work` of every task, in their order, from threads; at most two tasks per thread are in flight."""
    if threads <= 1:
        yield from map(work, tasks)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="sightline-read")
    try:
        yield from in_order(pool, work, tasks, ahead=2 * threads)
    finally:
        pool.shutdown(cancel_futures=True)


def digest(found: bytes | NDArray[np.uint8]) -> bytes:
    """Return the 16 bytes that stand for an item's content: blake2b of a file, or of the shape and the pixels."""
    if isinstance(found, bytes):
        return hashlib.blake2b(found, digest_size=16).digest()
    # The shape comes first: 2 × 8 and 4 × 4 pixels may hold the same bytes.
    hashed = hashlib.blake2b(struct.pack("<3I", *_shape(found)), digest_size=16)
    hashed.update(np.ascontiguousarray(found).data)
    return hashed.digest()


def _examine_some(
    source: Source, chunk: NDArray[np.int64], limits: Limits, entries: NDArray[np.void]
) -> list[tuple[int, str]]:
    """Fill the entries at `chunk`; return position and reason of each item that is refused."""
    good: list[int] = []
    seen: list[_Seen] = []
    refused: list[tuple[int, str]] = []
    for index in chunk.tolist():
        try:
            if source.sizes is not None:
                limits.check_bytes(int(source.sizes[index]))
            seen.append(_look(source.read(index, limits.max_bytes), limits))
            good.append(index)
        except Refused as error:
            refused.append((index, error.reason))
        except MemoryError:
            refused.append((index, "needs more memory than is free"))
    # By columns: filling entries one by one costs more than hashing small pictures.
    digests, sizes, widths, heights, channels = zip(*seen, strict=True) if seen else ((),) * 5
    entries["digest"][good] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)
    entries["bytes"][good], entries["channels"][good] = sizes, channels
    entries["width"][good], entries["height"][good] = widths, heights
    return refused


def _look(found: bytes | NDArray[np.uint8], limits: Limits) -> _Seen:
    """Return digest, bytes, width, height and channels of one item."""
    if isinstance(found, bytes):
        header = probe(found, limits)
        return digest(found), len(found), header.width, header.height, header.channels
    height, width, channels = _shape(found)
    limits.check_pixels(height, width)
    return digest(found), found.nbytes, width, height, channels


def _shape(pixels: NDArray[np.uint8]) -> tuple[int, int, int]:
    height, width = pixels.shape[:2]
    return height, width, pixels.shape[2] if pixels.ndim == len(("height", "width", "channels")) else 1


def _over(entries: NDArray[np.void], limits: Limits) -> NDArray[np.bool_]:
    """Return which remembered entries are over limits that may have changed since, shape (items,)."""
    pixels = entries["width"].astype(np.int64) * entries["height"]
    over: NDArray[np.bool_] = (entries["bytes"] > limits.max_bytes) | (pixels > limits.max_pixels)
    return over


def _excess(entry: np.void, limits: Limits) -> str:
    try:
        limits.check_bytes(int(entry["bytes"]))
        limits.check_pixels(int(entry["height"]), int(entry["width"]))
    except Refused as error:
        return error.reason
    raise AssertionError("only entries over a limit come here")
