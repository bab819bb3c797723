"""Parquet tables: pictures as bytes, as the Hugging Face `image` struct, or as names of files. Needs pyarrow."""

from __future__ import annotations

import json
import os
import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.data import files
from sightline.data.columns import picture_and_label
from sightline.data.labels import Collected
from sightline.data.limits import Refused
from sightline.data.names import Derived, printable
from sightline.data.progress import Progress, Silent
from sightline.data.source import Refusal
from sightline.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

GROUPS_HELD = 4
"""Row groups kept decoded; neighbors share one, and threads that read ahead straddle two."""


class ParquetSource:
    """The rows of one or more Parquet files. Labels are held; pictures are read by row group when asked for."""

    def __init__(self, name: str, tables: Sequence[tuple[str, int]], progress: Progress) -> None:
        """Open `tables`, pairs of a path and the subset of its rows, and read their labels."""
        self.name = name
        self._files = [_Table(path) for path, _ in tables]
        progress.start("listing", None)
        known = next((table.class_names for table in self._files if table.class_names), None)
        collected = Collected(name, known)
        refused: list[Refusal] = []
        kept: list[NDArray[np.int64]] = []
        for table in self._files:
            rows = array("q")
            for row, value in enumerate(table.labels()):
                reason = collected.add(value)
                if reason:
                    refused.append(Refusal(f"{table.shown} row {row}", reason))
                else:
                    rows.append(row)
            progress.advance(table.rows)
            kept.append(np.array(rows, np.int64))
        progress.finish()
        self.labels, self.class_names = collected.finish()
        self.refused = tuple(refused)
        self._row = np.concatenate(kept)
        self._file = np.repeat(np.arange(len(kept), dtype=np.int32), [len(rows) for rows in kept])
        self.subsets: NDArray[np.int8] = np.array([subset for _, subset in tables], np.int8)[self._file]
        self.names: Sequence[str] = Derived(len(self._row), self._row_name)
        self.sizes: None = None
        self._held: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def stamps(self) -> NDArray[np.uint64] | None:
        """The stamp of its file and its row for every item, shape (items, 2); None where rows name other files."""
        if any(table.names_files for table in self._files):
            return None
        whole = [table.stamps() for table in self._files]
        starts = np.cumsum([0, *(len(words) for words in whole)])[:-1]
        return np.concatenate(whole)[starts[self._file] + self._row]

    def read(self, index: int, most: int | None = None) -> bytes:
        """Return the encoded picture of one row; raise Refused where it names a file of more than `most` bytes."""
        number = int(self._file[index])
        table = self._files[number]
        group, position = table.place(int(self._row[index]))
        held = self._group(number, group)
        data = None if held.data is None else held.data[position].as_py()
        if data is not None:
            return bytes(data)
        try:
            path = None if held.path is None else held.path[position].as_py()
        except UnicodeDecodeError as error:
            raise Refused("names a file in other letters than UTF-8") from error
        if not path:
            raise Refused("holds no picture (null)")
        return files.read(os.path.join(os.path.dirname(table.path), os.fsdecode(path)), most)

    def _row_name(self, index: int) -> str:
        return f"{self._files[int(self._file[index])].shown} row {self._row[index]}"

    def _group(self, number: int, group: int) -> _Group:
        key = (number, group)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            else:
                while len(self._held) >= GROUPS_HELD:
                    self._held.popitem(last=False)
                self._held[key] = self._files[number].group(group)
            found: _Group = self._held[key]
            return found


class _Group:
    """The picture column of one row group."""

    def __init__(self, data: pa.ChunkedArray | None, path: pa.ChunkedArray | None) -> None:
        self.data = data
        self.path = path


class _Table:
    """One Parquet file: its two columns and where its row groups begin."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.shown = printable(os.path.basename(path))
        arrow, parquet = _pyarrow(self.shown)
        try:
            self._file = parquet.ParquetFile(path)
            schema = self._file.schema_arrow
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{self.shown}: not a whole Parquet file ({_one_line(error)}). Fetch it again.") from error
        self._broken = (arrow.ArrowException, OSError)
        metadata = self._file.metadata
        self._starts = [0, *accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))]
        self.rows = self._starts[-1]
        encoded = [field.name for field in schema if _holds_pictures(field.type)]
        self.picture, self.label = picture_and_label(self.shown, schema.names, encoded)
        self._data, self._path = _leaves(self.shown, self.picture, schema.field(self.picture).type)
        self.names_files = self._data is None
        self.class_names = _class_names(schema.metadata or {}, self.label)

    def labels(self) -> Iterator[Any]:
        """Yield the label column."""
        try:
            for batch in self._file.iter_batches(columns=[self.label]):
                yield from batch.column(0).to_pylist()
        except self._broken as error:
            raise DataError(f"{self.shown}: cannot be read ({_one_line(error)}). Fetch it again.") from error

    def stamps(self) -> NDArray[np.uint64]:
        """Return the stamps of the rows, shape (rows, 2); zeros where a row may name another file."""
        words = files.row_stamps(self.path, self.rows)
        for group in range(len(self._starts) - 1) if self._path else ():
            if self._may_name_files(group):
                words[self._starts[group] : self._starts[group + 1]] = 0
        return words

    def _may_name_files(self, group: int) -> bool:
        metadata = self._file.metadata.row_group(group)
        columns = (metadata.column(i) for i in range(metadata.num_columns))
        found = next((column.statistics for column in columns if column.path_in_schema == self._data), None)
        return found is None or not found.has_null_count or found.null_count > 0

    def place(self, row: int) -> tuple[int, int]:
        """Return the row group that holds `row`, and its position there."""
        group = bisect_right(self._starts, row) - 1
        return group, row - self._starts[group]

    def group(self, number: int) -> _Group:
        """Read the picture column of one row group."""
        try:
            data = None if self._data is None else self._column(number, self._data)
            path = self._column(number, self._path) if self._path and (data is None or data.null_count) else None
        except self._broken as error:
            raise Refused(f"cannot be read ({_one_line(error)})") from error
        return _Group(data, path)

    def _column(self, group: int, leaf: str) -> pa.ChunkedArray:
        import pyarrow.compute

        column = self._file.read_row_group(group, columns=[leaf]).column(0)
        if leaf == self.picture:
            return column
        # Only the struct's presence and this one leaf have been read.
        return pyarrow.compute.struct_field(column, [0])


def open_parquet(name: str, tables: Sequence[tuple[str, int]], *, progress: Progress | None = None) -> ParquetSource:
    """Return the source of Parquet files, each with the subset of its rows. Class names come from the metadata.

    Raises:
        DataError: pyarrow is missing, a file is torn, or has no column for the picture or the label.
    """
    return ParquetSource(name, tables, progress or Silent())


def _pyarrow(shown: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{shown}: reading Parquet needs pyarrow. Install it: pip install 'sightline[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet


def _leaves(shown: str, column: str, kind: Any) -> tuple[str | None, str | None]:
    """Return the leaf that holds bytes and the leaf that names a file, either of which may be missing."""
    from pyarrow import types

    if types.is_struct(kind):
        inside = [kind.field(i).name for i in range(kind.num_fields)]
        data, path = (f"{column}.{leaf}" if leaf in inside else None for leaf in ("bytes", "path"))
        if data or path:
            return data, path
    elif _holds_pictures(kind):
        return column, None
    elif types.is_string(kind) or types.is_large_string(kind):
        return None, column
    raise DataError(
        f"{shown}: column {column!r} holds {kind}, wanted encoded pictures (binary), file names (string) or the "
        "Hugging Face struct of `bytes` and `path`."
    )


def _holds_pictures(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(_holds_pictures(field.type) for field in kind if field.name == "bytes")
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _class_names(metadata: dict[bytes, bytes], label: str) -> tuple[str, ...] | None:
    """Return the class names that the file's metadata declares: Hugging Face's, or a comma-separated list."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        names = features[label]["names"]
        if isinstance(names, dict):
            names = [names[str(i)] for i in range(len(names))]
        if names and all(isinstance(name, str) for name in names):
            return tuple(names)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        pass
    listed = metadata.get(b"class_names", b"").decode("utf-8", "backslashreplace")
    return tuple(name.strip() for name in listed.split(",")) if listed.strip() else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
