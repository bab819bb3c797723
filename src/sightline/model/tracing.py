"""Who may call a network while another thread follows one through its layers.

To see which layers a network calls, torch puts a function of its own in the place of `Module.__call__`, for the whole
process: a network that another thread calls meanwhile would be asked for its place in one that it is not part of.
So whoever traces waits until nobody calls, and calls wait until it is done. Only Sightline's models know of this; a
program that trains or calls networks of its own in other threads should have its models ready before.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_changed = threading.Condition()
_calls = 0
_traced = False


@contextlib.contextmanager
def calling() -> Iterator[None]:
    """Call networks, beside others that do; one thread never within itself."""
    global _calls  # noqa: PLW0603 - of the process, as what torch exchanges is
    with _changed:
        _changed.wait_for(lambda: not _traced)
        _calls += 1
    try:
        yield
    finally:
        with _changed:
            _calls -= 1
            _changed.notify_all()


@contextlib.contextmanager
def tracing() -> Iterator[None]:
    """Follow a network through its layers, with no other thread calling one."""
    global _traced  # noqa: PLW0603
    with _changed:
        _changed.wait_for(lambda: not _traced)
        _traced = True
    try:
        with _changed:
            _changed.wait_for(lambda: _calls == 0)
        yield
    finally:
        with _changed:
            _traced = False
            _changed.notify_all()
