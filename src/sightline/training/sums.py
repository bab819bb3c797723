"""`SHA256SUMS` of a finished run: the digest of each of its files, as `sha256sum --check` reads them too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.errors import DataError
from sightline.writing import write_whole

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\n]+)")


def write(folder: Path, names: Sequence[str]) -> None:
    """Note the digests of the files of `names` that are in the folder.

    Raises:
        OutputError: the disk is full, read-only or failing.
    """
    lines = [f"{_digest(folder / name)}  {name}\n" for name in names if (folder / name).is_file()]
    write_whole(folder / NAME, "".join(lines).encode())


def check(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each noted file, and what is wrong with it: empty, or a few words.

    Args:
        folder: of the run.
        names: files that have to be noted, where they are there.

    Raises:
        DataError: the note itself cannot be read, or is none.
    """
    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Restore it from a copy of the run.") from error
    noted = set()
    for line in lines:
        if (match := _LINE.fullmatch(line)) is None:
            raise DataError(f"{path}: found {line[:80]!r}, wanted a digest and a name. Restore it from a copy.")
        wanted, name = match.groups()
        noted.add(name)
        try:
            found = _digest(folder / name)
        except OSError as error:
            yield name, f"cannot be read ({(error.strerror or str(error)).lower()})"
        else:
            yield name, "" if found == wanted else "is not what the training wrote: its digest differs"
    for name in names:
        if name not in noted and (folder / name).exists():
            yield name, f"has no line in {NAME}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
