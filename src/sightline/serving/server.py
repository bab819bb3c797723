"""The server: a socket, uvicorn, and an end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import MissingLibraryError, OutputError, RecipeError
from sightline.serving.app import build
from sightline.serving.following import Following, Pace

PATIENCE = 5
"""Seconds that readers have to let go when the server ends."""


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What to open in a browser."""
        # Whoever listens everywhere has no address of its own.
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"


def watch(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[Address], None] = lambda _: None,
    pace: Pace | None = None,
) -> str:
    """Serve the page of a run, live while it trains, and return where the run stands when that is over.

    It ends by itself after the run has: when its last reader has left, or after a minute.

    Args:
        path: the run's directory. It is only read.
        host: where to listen; whatever is no loopback address lets others in.
        port: where to listen; 0 for any that is free.
        ready: told where, once readers may come.
        pace: how often and how long.

    Raises:
        MissingLibraryError: Starlette or uvicorn is not installed.
        DataError: `path` is no run.
        RecipeError: `host` is no address of this machine.
        OutputError: the port is taken or not allowed.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingLibraryError(
            f"sightline watch: needs Starlette and uvicorn; {error.name} is not installed. Install them: "
            'pip install "sightline[watch]"; or write the page now and then: sightline report RUN'
        ) from error
    following = Following(path, pace)
    with _listening(host, port) as listening:
        asyncio.run(_serve(following, listening, host, ready))
    return following.view.says


async def _serve(following: Following, listening: socket.socket, host: str, ready: Callable[[Address], None]) -> None:
    import uvicorn

    # No log of requests, which are the reader's own, and no color: what there is to say, the command says.
    config = uvicorn.Config(
        build(following, bound=host),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    server = uvicorn.Server(config)

    async def follow() -> None:
        try:
            await following.follow(lambda: server.should_exit)
        finally:
            server.should_exit = True

    # uvicorn raises the signal that ended it anew, which a group of tasks would wrap into another exception.
    task = asyncio.create_task(follow())
    ready(Address(host, listening.getsockname()[1]))
    await server.serve(sockets=[listening])
    await task
    # A signal that ended it cancels this task; where nothing is waited for any more, that would not be noticed, and
    # what was waited for may have taken the cancellation upon itself.
    own = asyncio.current_task()
    if own is not None and own.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(0)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that connections can be made to already; they wait there until the server answers."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except (socket.gaierror, UnicodeError) as error:
        raise RecipeError(_no_address(host)) from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise RecipeError(_no_address(host)) from error
        raise OutputError(
            f"{host}: port {port} cannot be had ({(error.strerror or str(error)).lower()}). Leave it to the system: "
            "--port 0"
        ) from error


def _no_address(host: str) -> str:
    return f"--host: found {host}, wanted a name or an address of this machine, such as 127.0.0.1."
