"""A PostgreSQL server of one's own, for as long as it is wanted."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

NUMBERS = itertools.count()


def programs() -> Path | None:
    """Return the folder of the newest server's programs; None where there is none.

    Debian has them beside the path.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    known = shutil.which("initdb")
    return Path(known).parent if known else None


@contextlib.contextmanager
def server() -> Iterator[Callable[[], str]]:
    """Run a server, and yield what makes an empty database and returns its address, as SQLAlchemy takes it.

    It listens on a socket in a folder of its own only. It refuses to be run by root, and is then run by the user
    that Debian's package makes.
    """
    import psycopg

    where = programs()
    assert where is not None
    # Not pytest's folder, which other users cannot enter; and paths of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    by: dict[str, str] = {}
    if os.geteuid() == 0:
        by = {"user": "postgres", "group": "postgres"}
        shutil.chown(folder, **by)

    def run(*command: object) -> None:
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, cwd=folder, **by)

    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    try:
        run(where / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "--no-sync")
        run(where / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")

        def database() -> str:
            name = f"compared{next(NUMBERS)}"
            with psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"postgresql+psycopg://postgres@/{name}?host={folder}"

        yield database
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            run(where / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
