"""A folder per class, or train, validation and test folders of class folders."""

from __future__ import annotations

import os
import unicodedata
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import time_ns

import numpy as np
from numpy.typing import NDArray

from sightline.data import files
from sightline.data.labels import renumber
from sightline.data.names import Names, composed, printable
from sightline.data.progress import Progress, Silent
from sightline.data.source import NONE, SUBSET_NAMES, SUBSETS, TRAIN, Refusal
from sightline.errors import DataError

LISTED_AT_ONCE = 256
_SEPARATORS = os.sep + (os.altsep or "")


class FolderSource:
    """The picture files below one folder. Holds names and stamps in columns, never the pictures."""

    def __init__(self, name: str, root: str, listing: _Listing, subset_given: bool) -> None:
        self.name = name
        self.names: Names = listing.names
        self.refused = tuple(listing.refused)
        self.labels, self.class_names = renumber(name, np.array(listing.codes, np.int32), listing.classes)
        self.subsets: NDArray[np.int8] = np.array(listing.subsets, np.int8)
        if not subset_given:
            self.subsets[:] = NONE
        self.sizes: NDArray[np.int64] = np.array(listing.sizes, np.int64)
        self._modified = np.array(listing.modified, np.int64)
        self._inodes = np.array(listing.inodes, np.uint64)
        self._listed_ns = time_ns()
        self._root = os.fsencode(os.path.abspath(root))

    @property
    def stamps(self) -> NDArray[np.uint64]:
        """Path, size, time and inode of every file, hashed; shape (items, 2)."""
        return files.as_stamps((self._stamp(i) for i in range(len(self.names))), len(self.names))

    def read(self, index: int, most: int | None = None) -> bytes:
        """Return the bytes of one file; raise Refused where they are more than `most`."""
        return files.read(os.path.join(self._root, self.names.raw(index)), most)

    def _stamp(self, index: int) -> bytes:
        modified = int(self._modified[index])
        if not files.settled(modified, self._listed_ns):
            return bytes(16)
        path = os.path.join(self._root, self.names.raw(index))
        return files.stamp(path, int(self.sizes[index]), modified, int(self._inodes[index]))


def open_folder(name: str, root: str, *, progress: Progress | None = None) -> FolderSource:
    """Return the source of a folder of class folders, listed but not read.

    Raises:
        DataError: there are no class folders, a class holds nothing, or two class names clash.
    """
    shown = progress or Silent()
    shown.start("listing", None)
    try:
        top = _entries(name, root)
        folders = [entry for entry in top if _is_folder(entry) and not files.ignored_folder(entry.name)]
        sides = _sides(name, folders)
        listing = _Listing(root, shown)
        listing.visited.update(_above(root))
        if sides:
            for side in folders:
                subset = sides[side.name]
                inside = _entries(f"{name}/{printable(side.name)}", side.path)
                classes = [entry for entry in inside if _is_folder(entry) and not files.ignored_folder(entry.name)]
                listing.loose([entry for entry in inside if not _is_folder(entry)])
                listing.walk([(composed(entry.name), entry.path) for entry in classes], subset)
        else:
            loose = [entry for entry in top if not _is_folder(entry)]
            if not folders:
                raise _no_classes(name, loose)
            listing.loose(loose)
            listing.walk([(composed(entry.name), entry.path) for entry in folders], TRAIN)
        listing.finish()
    finally:
        shown.finish()
    listing.check(name)
    return FolderSource(name, root, listing, bool(sides))


def subset_folders(name: str, root: str) -> bool:
    """Return whether `root` holds train, validation and test folders rather than class folders."""
    folders = [entry for entry in _entries(name, root) if _is_folder(entry) and not files.ignored_folder(entry.name)]
    return bool(_sides(name, folders))


@dataclass
class _Listing:
    """Columns that grow while folders are walked."""

    root: str
    progress: Progress
    names: Names = field(default_factory=Names)
    classes: list[str] = field(default_factory=list)
    spellings: dict[str, bytes] = field(default_factory=dict)
    codes: array[int] = field(default_factory=lambda: array("i"))
    subsets: array[int] = field(default_factory=lambda: array("b"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    modified: array[int] = field(default_factory=lambda: array("q"))
    inodes: array[int] = field(default_factory=lambda: array("Q"))
    refused: list[Refusal] = field(default_factory=list)
    visited: set[tuple[int, int]] = field(default_factory=set)
    links: deque[tuple[int, int, str]] = field(default_factory=deque)
    pending: int = 0

    def loose(self, entries: Sequence[os.DirEntry[str]]) -> None:
        """Take note of files that lie beside the class folders."""
        for entry in entries:
            if files.is_picture(entry.name):
                self.refuse(entry.path, "lies beside the class folders; wanted it inside one of them")

    def walk(self, classes: Sequence[tuple[str, str]], subset: int) -> None:
        """List every class folder; folders that are links wait until all others are listed."""
        for name, path in sorted(classes, key=lambda found: os.fsencode(found[1])):
            code = self._code(name, path)
            if os.path.islink(path):
                self.links.append((code, subset, path))
            else:
                self._below(path, code, subset)

    def finish(self) -> None:
        """List the folders behind links, each once, so that links in a circle come to an end."""
        while self.links:
            code, subset, path = self.links.popleft()
            if _identity(path) in self.visited:
                self.refuse(path, "is a link to a folder that is listed already")
            else:
                self._below(path, code, subset)
        self._advance(0)

    def check(self, name: str) -> None:
        """Raise DataError where a class folder holds no file at all."""
        filled = set(self.codes)
        empty = [class_name for code, class_name in enumerate(self.classes) if code not in filled]
        if not empty:
            return
        first = f" {self.refused[0]}." if self.refused else ""
        if len(empty) == len(self.classes):
            raise DataError(
                f"{name}: no images in {_counted(empty)}.{first} Wanted pictures (JPEG, PNG, GIF, BMP, WebP, TIFF) in "
                "a folder for each class."
            )
        raise DataError(
            f"{name}: no images for {_counted(empty)}.{first} Remove the folder, or put pictures of that class in it."
        )

    def refuse(self, path: str, reason: str) -> None:
        """Leave one path out."""
        self.refused.append(Refusal(printable(self._relative(path)), reason))

    def _relative(self, path: str) -> str:
        return path[len(self.root) :].lstrip(_SEPARATORS)

    def _code(self, name: str, path: str) -> int:
        raw = os.fsencode(os.path.basename(path))
        if self.spellings.setdefault(name, raw) != raw:
            # Two spellings of one name: keep the second apart, so that `ordered` reports the pair.
            name = unicodedata.normalize("NFD", name)
        if name not in self.classes:
            self.classes.append(name)
        return self.classes.index(name)

    def _below(self, top: str, code: int, subset: int) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            identity = _identity(folder)
            if identity is None or identity in self.visited:
                self.refuse(folder, "leads back to a folder that is listed already" if identity else _GONE)
                continue
            self.visited.add(identity)
            try:
                for entry in _scan(folder):
                    self._take(entry, code, subset, waiting)
            except OSError as error:
                self.refuse(folder, files.complaint(error))

    def _take(self, entry: os.DirEntry[str], code: int, subset: int, waiting: list[str]) -> None:
        if _is_folder(entry):
            if files.ignored_folder(entry.name):
                return
            if entry.is_symlink():
                self.links.append((code, subset, entry.path))
            else:
                waiting.append(entry.path)
            return
        if files.ignored(entry.name):
            return
        try:
            found = entry.stat()
        except OSError as error:
            self.refuse(entry.path, files.complaint(error))
            return
        reason = files.unusual(found.st_mode)
        if reason:
            self.refuse(entry.path, reason)
            return
        self.names.append(os.fsencode(self._relative(entry.path)))
        self.codes.append(code)
        self.subsets.append(subset)
        self.sizes.append(found.st_size)
        self.modified.append(found.st_mtime_ns)
        self.inodes.append(found.st_ino)
        self._advance(1)

    def _advance(self, count: int) -> None:
        self.pending += count
        if self.pending >= LISTED_AT_ONCE or (not count and self.pending):
            self.progress.advance(self.pending)
            self.pending = 0


_GONE = "cannot be read (it is gone)"


def _scan(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _entries(name: str, folder: str) -> list[os.DirEntry[str]]:
    try:
        return sorted(_scan(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise DataError(f"{name}: {files.complaint(error)}. Give a folder that you may read.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that circles back to itself; its stat says so again where files are refused


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _above(root: str) -> Iterator[tuple[int, int]]:
    """Yield the identities of `root` and all folders above, where no link may lead back to."""
    path = os.path.realpath(root)
    while True:
        identity = _identity(path)
        if identity:
            yield identity
        if path == os.path.dirname(path):
            return
        path = os.path.dirname(path)


def _sides(name: str, folders: Sequence[os.DirEntry[str]]) -> dict[str, int]:
    """Return the subset of each top folder, or nothing where the top folders are classes."""
    sides = {entry.name: SUBSETS[entry.name.lower()] for entry in folders if entry.name.lower() in SUBSETS}
    if not any(entry.name in sides and _holds_folders(entry.path) for entry in folders):
        return {}  # a class may be called "train"
    others = [printable(entry.name) for entry in folders if entry.name not in sides]
    if others and len(set(sides.values())) == 1:
        return {}
    if others:
        raise DataError(
            f"{name}: {_counted(others)} beside {_counted(sorted(sides))}. Wanted either class folders, or only "
            "train, validation and test folders that hold class folders."
        )
    if TRAIN not in sides.values():
        found = ", ".join(sorted(SUBSET_NAMES[side] for side in set(sides.values())))
        raise DataError(f"{name}: class folders for {found} only. Wanted a folder `train` beside.")
    return sides


def _holds_folders(path: str) -> bool:
    try:
        return any(_is_folder(entry) and not files.ignored_folder(entry.name) for entry in _scan(path))
    except OSError:
        return False


def _no_classes(name: str, loose: Sequence[os.DirEntry[str]]) -> DataError:
    pictures = sum(files.is_picture(entry.name) for entry in loose)
    if not loose:
        found = "the folder is empty"
    elif pictures:
        found = f"{pictures} images, but no class folders"
    else:
        found = "no images and no class folders"
    return DataError(
        f"{name}: {found}. Wanted a folder for each class with its pictures inside, such as {name}/cat and {name}/dog."
    )


def _counted(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:3])
    return listed if len(names) <= 3 else f"{listed} and {len(names) - 3} more"
