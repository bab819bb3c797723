"""Processes beside this one, which begin with their libraries loaded where the system allows it."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

LOADED = ("sightline.comparison.at_once", "sightline.comparison.worker", "torch._dynamo")
"""What processes that train need, the last of it when torch makes an update rule; loading it takes seconds. Named, not
imported: a command has the server begin to load these before it loads them itself."""
FORKS = sys.platform == "linux"


def context() -> ForkServerContext | SpawnContext:
    """Return what makes processes, and the queues and events that they share.

    On Linux they are forked from a server: a process that has loaded the libraries and used none of them, so that no
    thread and no lock is lost in a fork. Elsewhere they begin anew, since other systems' libraries bear no fork.
    """
    if not FORKS:
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(LOADED))
    return found


def load_early() -> None:
    """Have the server begin to load beside what this process does before it needs it.

    Interrupts are this process's to answer, which ends those beside it: the server would answer one with a traceback
    while it loads. Signals that are blocked stay so in what is begun. The server ends with this process; if that comes
    while it loads, it would otherwise keep a pipe open that somebody reads to its end.
    """
    if FORKS:
        from multiprocessing import forkserver, resource_tracker  # which not every system has

        context()
        resource_tracker.ensure_running()  # which would unblock the signal
        there = set(psutil.Process().children())
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for child in set(psutil.Process().children()) - there:
            with contextlib.suppress(psutil.Error):  # what another thread has begun may have ended
                if "forkserver" in " ".join(child.cmdline()):
                    atexit.register(_end, child)


def _end(server: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):  # it has ended
        server.terminate()


def begun(within: ForkServerContext | SpawnContext, target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Begin a process that calls `target`, with the environment of now, and is ended with this one."""
    load_early()  # where nobody has
    process = within.Process(target=_call, args=(dict(os.environ), target, arguments), daemon=True)
    process.start()
    return process


def _call(environment: Mapping[str, str], target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    # The server's is that of when it began.
    os.environ.clear()
    os.environ.update(environment)
    target(*arguments)
