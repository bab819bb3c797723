"""Class names: their order, their clashes, and labels as positions among them."""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.names import composed
from sightline.errors import DataError

_DIGITS = re.compile(r"([0-9]+)")
NO_LABEL = -1


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sorting key that puts 2 before 10 and is otherwise alphabetical by code point."""
    pieces = (piece for piece in _DIGITS.split(name) if piece)
    return (*((0, int(p), p) if p[0] in "0123456789" and len(p) < 4000 else (1, 0, p) for p in pieces),)


def ordered(where: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return distinct class names in natural order.

    Raises:
        DataError: two of them differ only by upper and lower case or by how Unicode spells the same letter.
    """
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        other = seen.setdefault(unicodedata.normalize("NFC", composed(name).casefold()), name)
        if other != name:
            alike = composed(other) == composed(name)
            shown = [ascii(spelled) if alike else repr(spelled) for spelled in (other, name)]
            raise DataError(
                f"{where}: the class names {shown[0]} and {shown[1]} differ only by case or by Unicode spelling. "
                "Merge the two, or give one of them another name."
            )
    return tuple(sorted(seen.values(), key=natural))


def _checked(where: str, names: tuple[str, ...]) -> tuple[str, ...]:
    empty = next((i for i, name in enumerate(names) if not name.strip()), None)
    if empty is not None:
        raise DataError(f"{where}: class name {empty} of {len(names)} is empty. Give every class a name.")
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(f"{where}: two classes are named {twice!r}. Give each class a name of its own.")
    return names


class Collected:
    """Labels gathered one by one while a table is read; `finish` turns them into positions among class names."""

    def __init__(self, where: str, known: Sequence[str] | None = None) -> None:
        self._where = where
        self._known = _checked(where, tuple(known)) if known else None
        self._codes = array("i")
        self._values: dict[str, int] = {name: i for i, name in enumerate(self._known or ())}

    def add(self, value: Any) -> str | None:
        """Take one label, an integer or a text; return the reason where it is refused."""
        if isinstance(value, (list, dict, tuple, np.ndarray)):
            return "several labels; wanted one class for each picture"
        if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
            return "no label"
        if isinstance(value, (float, np.floating)) and float(value).is_integer():
            value = int(value)
        if self._known is not None and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            if not 0 <= value < len(self._known):
                return f"label {value}; wanted 0 to {len(self._known) - 1}"
            self._codes.append(int(value))
            return None
        if isinstance(value, bytes):
            value = value.decode("utf-8", "backslashreplace")
        text = composed(value.strip() if isinstance(value, str) else str(value))
        if not text:
            return "no label"
        if self._known is not None and text not in self._values:
            return f"label {text!r} is not among the {len(self._known)} class names"
        self._codes.append(self._values.setdefault(text, len(self._values)))
        return None

    def finish(self) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Return labels, shape (items,), and class names. Names given beforehand keep their order."""
        codes = np.array(self._codes, dtype=np.int32)
        if self._known is not None:
            ordered(self._where, self._known)
            used = np.unique(codes)
            renumbered = np.full(len(self._known), NO_LABEL, dtype=np.int32)
            renumbered[used] = np.arange(len(used), dtype=np.int32)
            return renumbered[codes], tuple(self._known[i] for i in used)
        return renumber(self._where, codes, list(self._values))


def renumber(where: str, codes: NDArray[np.int32], values: Sequence[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return `codes`, positions in `values`, as positions in the ordered class names, and those names."""
    names = ordered(where, values)
    position = {name: i for i, name in enumerate(names)}
    table = np.array([position[value] for value in values], dtype=np.int32)
    return (table[codes] if len(table) else codes.astype(np.int32)), names
