"""Names of many items in little memory: one block of bytes instead of a Python string each."""

from __future__ import annotations

import os
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from typing import overload

JOINER = "\u200d"  # invisible, but emoji such as families are spelled with it


def printable(name: str | bytes) -> str:
    """Return `name` as it can be shown, printed and stored as JSON: odd bytes and control characters are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == JOINER else c.encode("unicode_escape").decode("ascii") for c in text)


def composed(name: str | bytes) -> str:
    """Return `name` printable and in Unicode's composed form (NFC), so that é is é whichever system wrote it."""
    return unicodedata.normalize("NFC", printable(name))


class Names(Sequence[str]):
    """File names as bytes, appended while a folder is listed and read back by position."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])

    def append(self, name: bytes) -> None:
        """Add one more name."""
        self._bytes += name
        self._ends.append(len(self._bytes))

    def raw(self, index: int) -> bytes:
        """Return the name at `index` as the file system spells it."""
        return bytes(self._bytes[self._ends[index] : self._ends[index + 1]])

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return printable(self.raw(within(index, len(self))))


class Derived(Sequence[str]):
    """Names such as `train.parquet row 17`, each made when it is asked for."""

    def __init__(self, count: int, name: Callable[[int], str]) -> None:
        self._count = count
        self._name = name

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._name(within(index, len(self)))


def within(index: int, length: int) -> int:
    """Return `index` counted from the start; raise IndexError outside of `length`."""
    if not -length <= index < length:
        raise IndexError(index)
    return index % length
