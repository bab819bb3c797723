"""CSV and JSON-lines tables: one column names a picture file beside the table, another its label."""

from __future__ import annotations

import csv
import json
import os
from array import array
from collections.abc import Iterator, Sequence
from time import time_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data import files
from sightline.data.columns import ENCODED, picture_and_label
from sightline.data.labels import Collected
from sightline.data.names import Names, printable
from sightline.data.progress import Progress, Silent
from sightline.data.source import Refusal
from sightline.errors import DataError

LISTED_AT_ONCE = 256
Row = tuple[int, Any, Any]
"""Line in the file, picture, label."""


class TableSource:
    """The picture files that one or more tables name. File names are relative to their table's folder."""

    def __init__(self, name: str, tables: Sequence[tuple[str, int]], progress: Progress) -> None:
        """Read `tables`, pairs of a path and the subset of its rows; pictures are looked up, not read."""
        self.name = name
        self.names: Names = Names()
        refused: list[Refusal] = []
        collected = Collected(name)
        subsets, sizes, modified, inodes = array("b"), array("q"), array("q"), array("Q")
        # One folder for all: the tables of one source lie side by side.
        self._folder = os.fsencode(os.path.dirname(os.path.abspath(tables[0][0])))
        progress.start("listing", None)
        for path, subset in tables:
            for line, file, label in _rows(path):
                where = f"{os.path.basename(path)} line {line}"
                raw = _raw(file)
                if raw is None:
                    refused.append(Refusal(where, "names no file"))
                    continue
                reason = collected.add(label)
                if reason:
                    refused.append(Refusal(f"{where} ({printable(file)})", reason))
                    continue
                self.names.append(raw)
                subsets.append(subset)
                try:
                    found = os.stat(os.path.join(self._folder, raw))
                except (OSError, ValueError):
                    found = None
                sizes.append(-1 if found is None else found.st_size)
                modified.append(0 if found is None else found.st_mtime_ns)
                inodes.append(0 if found is None else found.st_ino)
                if len(self.names) % LISTED_AT_ONCE == 0:
                    progress.advance(LISTED_AT_ONCE)
        progress.advance(len(self.names) % LISTED_AT_ONCE)
        progress.finish()
        self.labels, self.class_names = collected.finish()
        self.subsets: NDArray[np.int8] = np.array(subsets, np.int8)
        self.sizes: NDArray[np.int64] = np.array(sizes, np.int64)
        self.refused = tuple(refused)
        self._modified = np.array(modified, np.int64)
        self._inodes = np.array(inodes, np.uint64)
        self._listed_ns = time_ns()

    @property
    def stamps(self) -> NDArray[np.uint64]:
        """Path, size, time and inode of every file, hashed; shape (items, 2)."""
        return files.as_stamps((self._stamp(i) for i in range(len(self.names))), len(self.names))

    def read(self, index: int, most: int | None = None) -> bytes:
        """Return the bytes of one file; raise Refused where they are more than `most`."""
        return files.read(self._path(index), most)

    def _path(self, index: int) -> bytes:
        return os.path.join(self._folder, self.names.raw(index))

    def _stamp(self, index: int) -> bytes:
        modified, size = int(self._modified[index]), int(self.sizes[index])
        if size < 0 or not files.settled(modified, self._listed_ns):
            return bytes(16)
        return files.stamp(self._path(index), size, modified, int(self._inodes[index]))


def open_tables(name: str, tables: Sequence[tuple[str, int]], *, progress: Progress | None = None) -> TableSource:
    """Return the source of CSV or JSON-lines tables in one folder, each with the subset of its rows.

    Raises:
        DataError: a table cannot be read, or has no column for the picture or the label.
    """
    return TableSource(name, tables, progress or Silent())


def _rows(path: str) -> Iterator[Row]:
    where = printable(os.path.basename(path))
    try:
        # utf-8-sig: spreadsheets put a byte order mark first; surrogateescape: file names may be any bytes.
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _csv_rows(where, file) if files.suffix(path) == ".csv" else _json_rows(where, file)
    except OSError as error:
        raise DataError(f"{where}: {files.complaint(error)}. Give a table that you may read.") from error


def _columns(where: str, found: Sequence[str]) -> tuple[str, str]:
    picture, label = picture_and_label(where, found)
    if picture.strip().lower() in ENCODED:
        raise DataError(
            f"{where}: column {picture!r} would hold pictures, which a table of text cannot. Save them as files and "
            "name them in a column `file`, or write a Parquet table."
        )
    return picture, label


def _raw(file: Any) -> bytes | None:
    """Return a file's name as the file system spells it, or None for what can be no name."""
    try:
        return os.fsencode(file) if isinstance(file, str) and file.strip() and "\0" not in file else None
    except UnicodeEncodeError:
        return None


def _csv_rows(where: str, file: Iterator[str]) -> Iterator[Row]:
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        picture, label = (header.index(name) for name in _columns(where, header))
        for row in reader:
            if row:
                last = len(row)
                yield reader.line_num, row[picture] if picture < last else None, row[label] if label < last else None
    except csv.Error as error:
        raise DataError(f"{where} line {reader.line_num}: {error}. Wanted comma-separated values.") from error


def _json_rows(where: str, file: Iterator[str]) -> Iterator[Row]:
    picture = label = ""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} line {number}: not JSON ({error}). Wanted one object in each line.") from error
        if not isinstance(row, dict):
            raise DataError(f"{where} line {number}: found {type(row).__name__}, wanted one object in each line.")
        if not picture:
            picture, label = _columns(where, list(row))
        yield number, row.get(picture), row.get(label)
