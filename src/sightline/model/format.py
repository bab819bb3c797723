"""The bytes of a model file: a safetensors file whose header also carries a description, and digests of everything.

    8 bytes        length of the header, little-endian
    header         JSON: `__metadata__`, and for each tensor its dtype, shape and place; padded with spaces
    tensors        one after the other, without gaps, wide types first and then by name

`__metadata__` holds `format`, `format_version`, `description` (JSON) and `digest`, which is BLAKE2b-256 over length and
header with the digest itself written as zeros. The description holds the digest of the tensors. So no byte of the file
can change unseen, and the header is known to be whole before a tensor is read. Digests tell accidents and careless
edits, not authors: whoever writes a file can compute them.

Nothing here is executed or imported by a file's word, and nothing is allocated that the file's true size does not
cover. Any safetensors reader opens these files; the library's own writer is not used, as it orders the metadata anew
each time.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ModelFileError

FORMAT = "sightline-model"
VERSION = 1
LARGEST_HEADER = 100_000_000
"""Bytes; safetensors has the same limit."""

DTYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_CODES = {dtype: code for code, dtype in DTYPES.items()}
_NO_DIGEST = "0" * 64
_FOREIGN = {
    b"PK\x03\x04": "a zip archive, as PyTorch's .pt and .pth files are; it holds a pickle, which could run any code",
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"version ": "a pointer of Git LFS, not the file itself",
    b"<!DOCTYP": "a web page",
    b"<html": "a web page",
}


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in the part after the header."""

    name: str
    dtype: str
    """A key of `DTYPES`."""
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header whose digest is right and whose tensors fill the rest of the file exactly."""

    description: str
    entries: tuple[Entry, ...]


def encode(description: str, tensors: Mapping[str, NDArray[Any]], *, kind: str = FORMAT) -> bytes:
    """Return the file's bytes; the same content gives the same bytes. `kind` tells what the file is for.

    Raises:
        ValueError: a tensor has a dtype outside `DTYPES`, or the header would be larger than `LARGEST_HEADER`.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, Any] = {
        "__metadata__": {
            "description": description,
            "digest": _NO_DIGEST,
            "format": kind,
            "format_version": str(VERSION),
        }
    }
    begin = 0
    for name in order:
        tensor = tensors[name]
        end = begin + tensor.nbytes
        header[name] = {"dtype": _code(name, tensor), "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise ValueError(
            f"found a header of {len(text):,} bytes, wanted {LARGEST_HEADER:,} at most: shorten the metrics"
        )
    head = len(text).to_bytes(8, "little") + text
    head = head.replace(_digest_field(_NO_DIGEST), _digest_field(_digest_of_head(head)), 1)
    return b"".join([head, *(tensors[name].tobytes() for name in order)])


def is_sealed(path: Path) -> bool:
    """Return whether a file says of itself that it is a model of Sightline; nothing of it is checked.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return length <= LARGEST_HEADER and f'"format":"{FORMAT}"'.encode() in file.read(length)


def digest_of_tensors(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return BLAKE2b-256 over every tensor's name, dtype, shape and bytes, in the order of the names."""
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, _code(name, tensor), list(tensor.shape)]).encode("ascii") + b"\n")
        digest.update(tensor.reshape(-1).view(np.uint8).data if tensor.size else b"")
    return digest.hexdigest()


def read_header(file: BinaryIO, *, size: int, name: str, kind: str = FORMAT) -> Header:
    """Return the header of a file of `size` bytes, called `name` in messages.

    Raises:
        ModelFileError: the file is foreign, torn, altered or of another format version.
    """
    head = file.read(8)
    length = int.from_bytes(head, "little")
    if size < 8 or length > LARGEST_HEADER or head.startswith(tuple(_FOREIGN)):
        raise ModelFileError(f"{name}: {_what(head, size)}. Wanted a model that Sightline sealed (.safetensors).")
    if length > size - 8:
        raise _torn(name, f"its header has {length:,} bytes, but the file ends after {size:,}")
    text = file.read(length)
    if len(text) < length:
        raise _torn(name, "it ends within its header")
    header = parse_object(text, name=name, what="the header")
    description = _description(header.pop("__metadata__", None), head + text, name, kind)
    return Header(description, _entries(header, size - 8 - length, name))


def read_tensors(file: BinaryIO, header: Header, *, name: str) -> dict[str, NDArray[Any]]:
    """Return the tensors that follow the header, as views of one buffer.

    Raises:
        ModelFileError: the file has become shorter, or the memory is too small.
    """
    size = max((entry.end for entry in header.entries), default=0)
    try:
        buffer = np.empty(size, np.uint8)
    except MemoryError as error:
        raise ModelFileError(f"{name}: {size:,} bytes of weights are more than the memory that is free.") from error
    filled = 0
    while filled < size:
        count = file.readinto(buffer[filled:].data)  # type: ignore[attr-defined]
        if not count:
            raise _torn(name, "it ends within its weights")
        filled += count
    return {
        entry.name: buffer[entry.begin : entry.end].view(DTYPES[entry.dtype]).reshape(entry.shape)
        for entry in header.entries
    }


def parse_object(text: str | bytes, *, name: str, what: str) -> dict[str, Any]:
    """Return a JSON object; refuse duplicate keys, NaN, infinity, and nesting that exhausts the stack.

    Raises:
        ModelFileError: `text` is anything else.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else shortened(str(error))
        raise ModelFileError(f"{name}: {what} is not valid JSON ({reason}); not a model, or a damaged one.") from error
    if not isinstance(value, dict):
        raise ModelFileError(f"{name}: {what} is not a JSON object; not a model, or a damaged one.")
    return value


def shortened(text: object, limit: int = 120) -> str:
    """Return what a file says as one printable line of bounded length, fit for a message."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def altered(name: str, what: str) -> ModelFileError:
    """Return the error for content that does not match its digest."""
    return ModelFileError(
        f"{name}: {what} changed after it was sealed: its digest does not match. Copy the file again, or train again."
    )


def _torn(name: str, found: str) -> ModelFileError:
    return ModelFileError(f"{name}: the file is torn: {found}. Copy it again; a download may have been cut short.")


def _what(head: bytes, size: int) -> str:
    if size == 0:
        return "is empty"
    for start, kind in _FOREIGN.items():
        if head.startswith(start):
            return f"is {kind}; it was not opened"
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return "is a pickle, as older .pt, .pth and .pkl files are; it could run any code and was not opened"
    return "is not a safetensors file"


def _description(metadata: object, head: bytes, name: str, kind: str) -> str:
    if not isinstance(metadata, dict) or metadata.get("format") != kind:
        raise ModelFileError(
            f"{name}: is a safetensors file, but not a model of Sightline: its header says nothing of classes and "
            "preprocessing. Train a model, or wanted the file that `sightline train` wrote."
        )
    version = metadata.get("format_version")
    if version != str(VERSION):
        known = isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 9
        if known and int(str(version)) > VERSION:
            raise ModelFileError(
                f"{name}: has format version {version}; this Sightline reads version {VERSION}. Install a newer one."
            )
        raise ModelFileError(f"{name}: has the unknown format version {shortened(version)!r}, wanted {VERSION}.")
    digest, description = metadata.get("digest"), metadata.get("description")
    if not isinstance(digest, str) or not isinstance(description, str) or len(metadata) != 4:
        raise altered(name, "the header")
    field = _digest_field(digest) if digest.isascii() and digest.isalnum() else b""
    if not field or head.count(field) != 1:
        raise altered(name, "the header")
    if _digest_of_head(head.replace(field, _digest_field(_NO_DIGEST))) != digest:
        raise altered(name, "the header")
    return description


def _entries(header: dict[str, Any], size: int, name: str) -> tuple[Entry, ...]:
    entries = sorted((_entry(key, value, name) for key, value in header.items()), key=lambda e: (e.begin, e.end))
    position = 0
    for entry in entries:
        if entry.begin != position or entry.end - entry.begin != math.prod(entry.shape) * DTYPES[entry.dtype].itemsize:
            raise ModelFileError(
                f"{name}: tensor {shortened(entry.name)!r} does not fill its place; the file is damaged."
            )
        position = entry.end
    if position > size:
        raise _torn(name, f"its weights have {position:,} bytes, but only {size:,} follow the header")
    if position < size:
        raise ModelFileError(f"{name}: {size - position:,} bytes follow the last weight; the file is damaged.")
    return tuple(entries)


def _entry(key: str, value: object, name: str) -> Entry:
    if isinstance(value, dict) and value.keys() == {"dtype", "shape", "data_offsets"}:
        dtype, shape, place = value["dtype"], value["shape"], value["data_offsets"]
        if isinstance(dtype, str) and dtype in DTYPES and _counts(shape) and _counts(place) and len(place) == 2:
            return Entry(key, dtype, tuple(shape), place[0], place[1])
    raise ModelFileError(
        f"{name}: tensor {shortened(key)!r} is not described as wanted, by a dtype of {', '.join(DTYPES)}, a shape and "
        "a place; the file is damaged, or another program wrote it."
    )


def _counts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(n) is int and 0 <= n < 2**62 for n in value)


def _code(name: str, tensor: NDArray[Any]) -> str:
    if tensor.dtype not in _CODES:
        raise ValueError(f"{name}: found {tensor.dtype}, wanted float64, float32 or int64")
    return _CODES[tensor.dtype]


def _digest_field(digest: str) -> bytes:
    # Quotes inside strings are escaped, so these bytes cannot occur inside the description or a tensor's name.
    return f'"digest":"{digest}"'.encode("ascii")


def _digest_of_head(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=32).hexdigest()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {shortened(twice, 40)!r} occurs twice")
    return found


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
