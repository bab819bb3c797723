"""The directory of a run: where it is made, and what lies in it."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from sightline.data.arrays import DIGITS
from sightline.errors import BusyError, DataError, OutputError
from sightline.training import sums
from sightline.writing import sync_folder

RECIPE = "recipe.toml"
EVENTS = "events.jsonl"
CATALOGUE = "catalogue.csv"
REFUSED = "refused.csv"
MODEL = "model.safetensors"
SHEET = "augmentation.png"
TRANSFER = "transfer.json"
TRANSFER_PLOT = "transfer.png"
REPORT = "report.html"
CARD = "README.md"
PREDICTIONS, MISTAKES = "predictions.csv", "mistakes.npz"
TIMES = "times.jsonl"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
MLFLOW = "mlflow.json"
"""Which MLflow run is this one's."""
RUNS = Path("runs")
"""Where runs go that are not told where."""
LOCK, OWNER, PROBE = ".lock", ".owner", ".writable"
CLOCKS_APART = 5.0
"""Seconds by which a process may seem to have begun after the file that it wrote."""
LASTING = (RECIPE, CATALOGUE, REFUSED, SHEET, TRANSFER, PREDICTIONS, MISTAKES, EVENTS, MODEL)
"""Files that are the same for whoever repeats the run, to the last byte."""
FOLDERS = (CHECKPOINTS, TENSORBOARD)
FILES = (sums.NAME, TIMES, TRANSFER_PLOT, REPORT, CARD, MLFLOW, *LASTING)


@contextlib.contextmanager
def made(out: str | os.PathLike[str] | None, *, source: object, overwrite: bool) -> Iterator[Path]:
    """Make the directory of a run for the body; take it away again where nothing was ever written to it.

    It is made before anything is read, so that a place that cannot be written to is known at once. An earlier run there
    is left as it is: `clear` takes its place when the new training begins.

    Args:
        out: where; None for the first free one of `runs/<source>-1`, `-2`, ….
        source: what is trained on, for that name; "arrays" where it has none.
        overwrite: an earlier run at `out` may be replaced.

    Raises:
        OutputError: something else is there, it lies among the pictures, or nothing can be written there.
    """
    path, new = _make(out, source, overwrite=overwrite)
    try:
        with locked(path):
            yield path
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                path.rmdir()  # which refuses where there is a file in it
        raise


def clear(path: Path) -> None:
    """Remove what an earlier run left, except its model, which the new one replaces when it has something better."""
    try:
        # The first to go are the sums, which mark a run as finished.
        for name in FILES:
            if name != MODEL:
                (path / name).unlink(missing_ok=True)
        # An earlier run's checkpoints may be of later steps, and would be taken for this one's.
        for name in FOLDERS:
            if (path / name).exists():
                shutil.rmtree(path / name)
        # Nothing of the new run may be on the disk while the old one still is.
        sync_folder(path)
    except OSError as error:
        raise OutputError(
            f"{path}: the earlier run cannot be removed ({error.strerror}). Choose another place: --out DIR"
        ) from error


def required(path: Path) -> Path:
    """Return the path of a run, finished or not.

    Raises:
        DataError: it is none.
    """
    if not (path / RECIPE).is_file():
        raise DataError(
            f"{path}: found no {RECIPE}, wanted the directory of a run. Runs lie below runs/, or where --out said."
        )
    return path


def finished(path: Path) -> bool:
    """Return whether a run's training came to its end and its model was judged."""
    return (path / sums.NAME).is_file()


def at_work(path: Path) -> bool:
    """Return whether a process works in a run, as far as its files tell.

    The lock is not tried: whoever looks must never be in the way of a training that begins.
    """
    if not (path / LOCK).exists():
        return False
    try:
        said = (path / OWNER).read_text(encoding="utf-8")
        since = (path / OWNER).stat().st_mtime
    except (OSError, UnicodeDecodeError):
        return True
    found = re.fullmatch(r"process (\d+) on (.*)", said, re.DOTALL)
    if not found or found[2] != socket.gethostname():
        return True  # nobody here can tell
    import psutil

    try:
        process = psutil.Process(int(found[1]))
        # One that began later only has the number of the one that was killed; clocks may be a little apart.
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + CLOCKS_APART)
    except psutil.AccessDenied:
        return True
    except (psutil.Error, OverflowError):
        return False


def cut_log(path: Path, size: int) -> None:
    """Cut a run's log back to its first `size` bytes: what came after will come again."""
    try:
        with (path / EVENTS).open("r+b") as log:
            found = log.seek(0, os.SEEK_END)
            log.truncate(min(size, found))
            os.fsync(log.fileno())
    except OSError as error:
        raise OutputError(f"{path / EVENTS}: cannot be written ({error.strerror}). Make the run writable.") from error
    if found < size:
        raise DataError(
            f"{path / EVENTS}: found {found:,} bytes, where the checkpoint knows of {size:,}: the log was cut or lost. "
            "Put it back, or train again."
        )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from working in a run's directory while the body runs.

    The system lets go of the lock when a process ends, however it ends, so that none is left behind.

    Raises:
        BusyError: another process has it.
        OutputError: it cannot be written.
    """
    import filelock

    lock = filelock.FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        owner = "another process"
        with contextlib.suppress(OSError):
            owner = (path / OWNER).read_text(encoding="utf-8")
        says = f"{path}: {owner} is working in this run. Wait for it to end, or choose another place: --out DIR"
        raise BusyError(says) from None
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}). Make it writable, or free some room."
        ) from error
    try:
        with contextlib.suppress(OSError):  # it is for a message only
            (path / OWNER).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        for part in (*path.glob(".*.part"), *(path / CHECKPOINTS).glob(".*.part")):
            with contextlib.suppress(OSError):  # half written by a process that was killed
                part.unlink()
        yield
    finally:
        # The lock's file goes while it is held: whoever waits for it then sees that it has another one.
        for name in (OWNER, LOCK):
            with contextlib.suppress(OSError):
                (path / name).unlink()
        lock.release()


def _make(out: str | os.PathLike[str] | None, source: object, *, overwrite: bool) -> tuple[Path, bool]:
    """Return the directory and whether it is new."""
    try:
        _refuse_among_pictures(RUNS if out is None else Path(out), named(source))
        if out is None:
            return _numbered(named(source)), True
        path = Path(out)
        new = not path.exists()
        if not new and any(path.iterdir()):
            _check_earlier(path, overwrite=overwrite)
        path.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent)
        _try_to_write(path)
    except OSError as error:
        where = out if out is not None else RUNS.resolve()
        raise OutputError(
            f"{where}: no run can be written there ({error.strerror}). Choose another place: --out DIR"
        ) from error
    return path, new


def last(source: object) -> Path | None:
    """Return the run of the highest number that a source has below `runs/`, whatever clocks say."""
    stem = _stem(named(source))
    numbers = [
        int(path.name.removeprefix(f"{stem}-"))
        for path in RUNS.glob(f"{glob.escape(stem)}-*")
        if path.name.removeprefix(f"{stem}-").isdecimal()
    ]
    return RUNS / f"{stem}-{max(numbers)}" if numbers else None


def place_of(source: object) -> str:
    """Return where a source is, from wherever it is looked for again; its name where it is no file or folder."""
    if not isinstance(source, str | os.PathLike):
        return named(source)
    path = os.fsdecode(os.fspath(source))
    return str(Path(path).resolve()) if path != DIGITS and Path(path).exists() else path


def named(source: object) -> str:
    """Return what a source is called in words; "arrays" where it has no name."""
    return str(os.fspath(source)) if isinstance(source, str | os.PathLike) else "arrays"


def _stem(source: str) -> str:
    name = Path(source).stem if Path(source).suffix else Path(source).resolve().name
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "run"


def _numbered(source: str) -> Path:
    RUNS.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = RUNS / f"{_stem(source)}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            sync_folder(RUNS)
            return path


def _refuse_among_pictures(path: Path, source: str) -> None:
    """Keep a run out of the folder it is trained on, where it would be taken for a class."""
    folder = Path(source)
    if folder.is_dir() and path.resolve().is_relative_to(folder.resolve()):
        raise OutputError(
            f"{path}: lies in {source}, where a run would be taken for pictures. Choose a place outside: --out DIR"
        )


def _check_earlier(path: Path, *, overwrite: bool) -> None:
    names = {entry.name for entry in path.iterdir() if not (entry.name[0] == "." and entry.name.endswith(".part"))}
    # A page or a folder of that name alone is somebody's own.
    if names <= {CARD, TENSORBOARD} or not names <= {*FILES, *FOLDERS, LOCK, OWNER, PROBE}:
        says = f"{path}: holds files that are no run of Sightline. Choose an empty or new directory: --out DIR"
        raise OutputError(says)
    if not overwrite:
        raise OutputError(f"{path}: a run is there already. Choose another --out, or replace it: --overwrite")


def _try_to_write(path: Path) -> None:
    probe = path / PROBE
    probe.touch()
    probe.unlink()
