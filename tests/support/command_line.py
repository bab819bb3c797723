"""The command line as a user runs it: in a process of its own."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "sightline"]


def sightline(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def fails(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """One clear message on standard error, the documented code, and no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr


def forked(log: Path, *arguments: object) -> multiprocessing.Process:
    """Begin a command in a process that is forked from one where all libraries are loaded; what it says goes to a log.

    Loading them takes most of a short command's time, which tests of many processes do not have.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sightline.cli.main", "sightline.cli.under_way", "sightline.training"])
    process = context.Process(target=_command, args=(log, [str(each) for each in arguments]))
    process.start()
    return process


def _command(log: Path, arguments: list[str]) -> None:
    from sightline.cli.main import main

    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["sightline", *arguments]
    main()
