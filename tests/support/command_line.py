"""The command line as a user runs it: in a process of its own."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.process import BaseProcess
from pathlib import Path

COMMAND = [sys.executable, "-m", "sightline"]
PRELOADED = [
    "numba", "matplotlib.figure", "sightline.cli.main", "sightline.cli.under_way", "sightline.report",
    "sklearn.datasets", "torch._dynamo",
]  # fmt: skip
SECONDS = 300


def sightline(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and return its code and what it said.

    The process is forked from one in which all libraries are loaded, which takes most of a short command's time.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _forked(out, err, cwd, arguments)
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([*COMMAND, *map(str, arguments)], SECONDS, err.read_text(encoding="utf-8"))
        said = (path.read_text(encoding="utf-8") for path in (out, err))
        return subprocess.CompletedProcess([*COMMAND, *map(str, arguments)], process.exitcode, *said)


def fails(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """One clear message on standard error, the documented code, and no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr


def forked(log: Path, *arguments: object) -> BaseProcess:
    """Begin a command in a process that is forked like that of `sightline`; what it says goes to a log."""
    return _forked(log, log, Path.cwd(), arguments)


def _forked(out: Path, err: Path, cwd: Path, arguments: tuple[object, ...]) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    given = [str(each) for each in arguments]
    process = context.Process(target=_command, args=(out, err, cwd, dict(os.environ), given))
    process.start()
    return process


def _command(out: Path, err: Path, cwd: Path, environment: dict[str, str], arguments: list[str]) -> None:
    from sightline.cli.main import main

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, path in ((1, out), (2, err)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - of the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["sightline", *arguments]
    try:
        main()
    finally:
        sys.stdout.flush()
