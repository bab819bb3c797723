"""Loading a sealed model: read, checked, rebuilt; nothing in the file is ever executed."""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO

from sightline.data.names import printable
from sightline.errors import ModelFileError
from sightline.model.description import parse_description
from sightline.model.format import DTYPES, altered, digest_of_tensors, read_header, read_tensors
from sightline.model.model import Model
from sightline.model.rebuild import filled, unfilled

# A pipe must not keep the caller waiting: it is opened without blocking and then refused.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def load(path: str | os.PathLike[str]) -> Model:
    """Return the model in a file that Sightline sealed, on the CPU.

    No training code is imported. What is read is only JSON and numbers, each held against what the format, the
    description and the digests allow before it is used.

    Raises:
        ModelFileError: there is no such file; or it is foreign, torn, altered, of a newer format, or damaged.
    """
    try:
        name = printable(os.fspath(path))
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise _unreadable(name, error) from error
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise ModelFileError(f"{os.fspath(path)!a}: no file can have this name.") from error
    try:
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise _irregular(name, found.st_mode)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return _read(file, size=found.st_size, name=name)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(name, error) from error


def load_bytes(data: bytes, *, name: str = "the model") -> Model:
    """Return the model in the bytes of a sealed file; `name` stands in messages.

    Raises:
        ModelFileError: as `load`.
    """
    return _read(io.BytesIO(data), size=len(data), name=name)


def _read(file: BinaryIO, *, size: int, name: str) -> Model:
    header = read_header(file, size=size, name=name)
    description = parse_description(header.description, name=name)
    forms = {entry.name: (DTYPES[entry.dtype], entry.shape) for entry in header.entries}
    empty = unfilled(forms, description, name=name)
    tensors = read_tensors(file, header, name=name)
    if digest_of_tensors(tensors) != description.weights_digest:
        raise altered(name, "a weight")
    network, statistics = filled(empty, tensors, name=name)
    return Model(network, statistics, description)


def _unreadable(name: str, error: OSError) -> ModelFileError:
    return ModelFileError(f"{name}: cannot be read ({(error.strerror or str(error)).lower()}).")


def _irregular(name: str, mode: int) -> ModelFileError:
    if stat.S_ISDIR(mode):
        return ModelFileError(f"{name}: is a folder. Wanted the model file in it, such as model.safetensors.")
    return ModelFileError(f"{name}: is not a regular file. Wanted a model that Sightline sealed (.safetensors).")
