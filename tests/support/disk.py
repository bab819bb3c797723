"""A disk that counts, records and fails: stands between Python's file operations and the folder of a run.

Everything that changes what is on the disk below a folder passes through it: creating, writing, cutting, flushing,
renaming and removing, from any thread, file locks included.
"""

import builtins
import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it, and nothing reaches the disk after it."""


@dataclass(frozen=True)
class Operation:
    """One change. Files are known by number, since their names change."""

    kind: str
    """create, write, truncate, flush, rename, unlink, mkdir, rmdir or flush_folder."""
    path: str
    file: int = 0
    offset: int = 0
    data: bytes = b""
    target: str = ""


@dataclass
class Disk:
    """Watches `root`. The operation numbered `fails` (from 1) raises `fault()`, with `for_ever` all later ones too."""

    root: Path
    fails: int = 0
    fault: Callable[[], BaseException] = Killed
    for_ever: bool = True
    count: int = 0
    operations: list[Operation] = field(default_factory=list)
    _files: dict[str, int] = field(default_factory=dict)
    _numbers: int = 0
    _open: dict[int, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def watches(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(str(self.root))

    def pass_through(self, kind: str, path: str, carry_out: Callable[[], object], **details: object) -> object:
        """Carry an operation out and note it, or let it fail; a write that fails has done half of its work."""
        with self._lock:
            self.count += 1
            if self.count == self.fails or (self.for_ever and self.count > self.fails > 0):
                if kind == "write" and self.count == self.fails and isinstance(half := details.get("half"), Callable):
                    half()
                raise self.fault()
            done = carry_out()
            details.pop("half", None)
            self.operations.append(Operation(kind, path, **details))  # type: ignore[arg-type]
            return done

    def number(self, path: str) -> int:
        return self._files[path] if path in self._files else self.new_number(path)

    def new_number(self, path: str) -> int:
        self._numbers += 1
        self._files[path] = self._numbers
        return self._numbers

    @contextlib.contextmanager
    def watching(self) -> Iterator["Disk"]:
        real = {name: getattr(os, name) for name in ("open", "close", "write", "fsync", "replace", "rename", "unlink",
                                                     "remove", "mkdir", "rmdir")}  # fmt: skip
        real_open = io.open
        disk = self

        def opened(path, flags, mode=0o777, *, dir_fd=None):
            if dir_fd is not None or not disk.watches(path) or not flags & os.O_CREAT:
                descriptor = real["open"](path, flags, mode, dir_fd=dir_fd)
                if disk.watches(path):
                    disk._open[descriptor] = os.path.abspath(path)
                return descriptor
            name = os.path.abspath(path)
            if os.path.exists(name):
                descriptor = real["open"](path, flags, mode)
            else:
                number = disk.new_number(name)
                descriptor = disk.pass_through("create", name, lambda: real["open"](path, flags, mode), file=number)
            disk._open[descriptor] = name
            return descriptor

        def closed(descriptor):
            disk._open.pop(descriptor, None)
            real["close"](descriptor)

        def written(descriptor, data):
            if descriptor not in disk._open:
                return real["write"](descriptor, data)
            name, offset = disk._open[descriptor], os.lseek(descriptor, 0, os.SEEK_CUR)
            return disk.pass_through(
                "write", name, lambda: real["write"](descriptor, data), file=disk.number(name), offset=offset,
                data=bytes(data), half=lambda: real["write"](descriptor, bytes(data)[: len(data) // 2]),
            )  # fmt: skip

        def flushed(descriptor):
            if descriptor not in disk._open:
                return real["fsync"](descriptor)
            name = disk._open[descriptor]
            if os.path.isdir(name):
                return disk.pass_through("flush_folder", name, lambda: None)
            return disk.pass_through("flush", name, lambda: None, file=disk.number(name))

        def renamed(source, target, **named):
            if not disk.watches(source):
                return real["replace"](source, target, **named)
            before, after = os.path.abspath(source), os.path.abspath(target)
            number = disk.number(before)
            done = disk.pass_through(
                "rename", before, lambda: real["replace"](source, target), file=number, target=after
            )
            disk._files[after] = disk._files.pop(before)
            return done

        def on_path(kind):
            def call(path, *arguments, dir_fd=None, **named):
                if dir_fd is not None:
                    name = os.path.join(disk._open.get(dir_fd, "/nowhere"), path)
                    named["dir_fd"] = dir_fd
                else:
                    name = os.path.abspath(path) if isinstance(path, str | os.PathLike) else "/nowhere"
                if not name.startswith(str(disk.root)):
                    return real[kind](path, *arguments, **named)
                plain = "unlink" if kind == "remove" else kind
                done = disk.pass_through(plain, name, lambda: real[kind](path, *arguments, **named))
                disk._files.pop(name, None)
                return done

            return call

        class File(io.FileIO):
            """A raw file whose writes and cuts pass through the disk."""

            def __init__(self, name, mode, closefd=True):
                if isinstance(name, int):
                    self.place, self.mine = disk._open.get(name), closefd
                    super().__init__(name, mode, closefd=closefd)
                    return
                self.place, self.mine = os.path.abspath(name), False
                if os.path.exists(name):
                    super().__init__(name, mode)
                    if "w" in mode:
                        disk.pass_through("truncate", self.place, lambda: None, file=disk.number(self.place))
                else:
                    number = disk.new_number(self.place)
                    make = super().__init__
                    disk.pass_through("create", self.place, lambda: make(name, mode), file=number)
                disk._open[self.fileno()] = self.place

            def write(self, data):
                data = bytes(data)
                if self.place is None:
                    return super().write(data)
                end = os.fstat(self.fileno()).st_size if "a" in self.mode else self.tell()
                write = super().write
                return disk.pass_through(
                    "write", self.place, lambda: write(data), file=disk.number(self.place), offset=end, data=data,
                    half=lambda: write(data[: len(data) // 2]),
                )  # fmt: skip

            def truncate(self, size=None):
                size, cut = self.tell() if size is None else size, super().truncate
                return disk.pass_through(
                    "truncate", self.place, lambda: cut(size), file=disk.number(self.place), offset=size
                )

            def close(self):
                if not self.closed and self.place is not None and not isinstance(self.name, int):
                    disk._open.pop(self.fileno(), None)
                super().close()

        def opened_as_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True,
                           opener=None):  # fmt: skip
            ours = disk.watches(file) or (isinstance(file, int) and file in disk._open)
            if not ours or not set(mode) & set("wax+"):
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = File(file, mode.replace("b", "").replace("t", ""), closefd)
            if buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        changes = {
            "open": opened, "close": closed, "write": written, "fsync": flushed, "replace": renamed,
            "rename": renamed, "unlink": on_path("unlink"), "remove": on_path("remove"), "mkdir": on_path("mkdir"),
            "rmdir": on_path("rmdir"),
        }  # fmt: skip
        with contextlib.ExitStack() as stack:
            for name, change in changes.items():
                stack.enter_context(mock.patch.object(os, name, change))
            stack.enter_context(mock.patch.object(io, "open", opened_as_file))
            stack.enter_context(mock.patch.object(builtins, "open", opened_as_file))
            yield self
