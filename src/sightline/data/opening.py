"""From what a user names to a source: a folder, a table, an archive of arrays, arrays themselves, or `digits`."""

from __future__ import annotations

import os
import re
from typing import Any

from sightline.data.names import printable
from sightline.data.progress import Progress
from sightline.data.source import NONE, SUBSETS, TRAIN, Source
from sightline.errors import DataError

FORMS = (
    "Wanted a folder with a folder of pictures for each class, train/val/test folders of those, a .csv, .jsonl or "
    ".parquet table, a folder of train.parquet and test.parquet, a .npz file, a folder of IDX files, or the name "
    "digits."
)
_TABLES = (".csv", ".jsonl", ".ndjson", ".parquet")
_SHARD = re.compile(r"^(?P<side>[a-z]+)(-\d+-of-\d+(-[0-9a-f]+)?)?(?P<suffix>\.(csv|jsonl|ndjson|parquet))$")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")


def open_source(what: Any, *, progress: Progress | None = None) -> Source:
    """Return the source of labelled images that `what` names. Pictures are listed, not read.

    Args:
        what: a path, the name `digits` (scikit-learn's set; a folder of that name is `./digits`), or a pair
            (images, labels) of arrays.
        progress: told of every file found, from the first moment on.

    Raises:
        DataError: there is nothing there, or nothing in a form that is known.
    """
    if isinstance(what, (tuple, list)):
        return _from_pair(what)
    if not isinstance(what, (str, bytes, os.PathLike)):
        raise DataError(f"source: found {type(what).__name__}. {FORMS} In Python also a pair (images, labels).")
    path = os.fsdecode(what)
    if path == "digits":
        from sightline.data.arrays import open_digits

        return open_digits()
    path = os.path.expanduser(path)
    name = printable(path.rstrip("/\\") or path)
    if "\0" in path or not os.path.lexists(path):
        raise DataError(f"{name}: there is no such file or folder. {FORMS}")
    return _from_folder(name, path, progress) if os.path.isdir(path) else _from_file(name, path, progress)


def _from_pair(pair: tuple[Any, ...] | list[Any]) -> Source:
    from sightline.data.arrays import open_arrays

    if len(pair) != len(("images", "labels")):
        raise DataError(f"source: a {type(pair).__name__} of {len(pair)}. Wanted a pair (images, labels).")
    return open_arrays(pair[0], pair[1])


def _from_file(name: str, path: str, progress: Progress | None) -> Source:
    suffix = os.path.splitext(path)[1].lower()
    if not os.path.isfile(path):
        raise DataError(f"{name}: is neither a file nor a folder. {FORMS}")
    if suffix in _TABLES:
        return _from_tables(name, [(path, NONE)], suffix, progress)
    if suffix == ".npz":
        from sightline.data.arrays import open_npz

        return open_npz(name, path)
    if suffix in _ARCHIVES and "-ubyte" not in os.path.basename(path):
        raise DataError(f"{name}: is an archive. Unpack it, and give the folder.")
    if "-ubyte" in os.path.basename(path):
        raise DataError(f"{name}: is one IDX file. Give the folder that holds the images and their labels.")
    raise DataError(f"{name}: a file that is no source of labelled images. {FORMS}")


def _from_folder(name: str, path: str, progress: Progress | None) -> Source:
    from sightline.data.files import complaint
    from sightline.data.folder import open_folder, subset_folders
    from sightline.data.idx import find_idx, open_idx

    try:
        pairs = find_idx(path)
        if pairs:
            return open_idx(name, pairs)
        found = sorted(os.listdir(path))
    except OSError as error:
        raise DataError(f"{name}: {complaint(error)}. Give a folder that you may read.") from error
    if not subset_folders(name, path):
        tables = _tables(name, path, found)
        if tables:
            return _from_tables(name, tables, os.path.splitext(tables[0][0])[1], progress)
    return open_folder(name, path, progress=progress)


def _tables(name: str, folder: str, found: list[str]) -> list[tuple[str, int]]:
    """Return the tables named after subsets, or the only table of a folder that holds no folders."""
    shards: dict[str, list[tuple[str, int]]] = {}
    for file in found:
        match = _SHARD.match(file.lower())
        if match and match["side"] in SUBSETS and os.path.isfile(os.path.join(folder, file)):
            shards.setdefault(match["suffix"], []).append((os.path.join(folder, file), SUBSETS[match["side"]]))
    if len(shards) > 1:
        raise DataError(
            f"{name}: tables in several forms ({', '.join(sorted(shards))}). Wanted one form; move the rest."
        )
    for tables in shards.values():
        if TRAIN not in {subset for _, subset in tables}:
            listed = ", ".join(os.path.basename(path) for path, _ in tables)
            raise DataError(f"{name}: found {listed}, but no table `train`. Add it, or give one table by its own name.")
        return [(path, NONE) for path, _ in tables] if {subset for _, subset in tables} == {TRAIN} else tables
    single = [file for file in found if os.path.splitext(file)[1].lower() in _TABLES]
    if len(single) == 1 and not any(os.path.isdir(os.path.join(folder, file)) for file in found):
        return [(os.path.join(folder, single[0]), NONE)]
    return []


def _from_tables(name: str, tables: list[tuple[str, int]], suffix: str, progress: Progress | None) -> Source:
    if suffix.lower() == ".parquet":
        from sightline.data.parquet import open_parquet

        return open_parquet(name, tables, progress=progress)
    from sightline.data.tables import open_tables

    return open_tables(name, tables, progress=progress)
