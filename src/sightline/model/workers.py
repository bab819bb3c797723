"""Worker threads in which torch computes alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

_starting = threading.Lock()


@contextlib.contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give `count` threads in each of which torch computes alone; the caller's own setting stays."""
    import torch

    barrier = threading.Barrier(count)

    def begin() -> None:
        # Asked first, since torch sets up a thread's number of threads at the first use and would undo ours.
        torch.get_num_threads()
        torch.set_num_threads(1)

    with _starting:
        before = torch.get_num_threads()
        pool = ThreadPoolExecutor(count, thread_name_prefix="sightline", initializer=begin)
        try:
            for started in [pool.submit(barrier.wait) for _ in range(count)]:
                started.result()
        except BaseException:
            barrier.abort()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            # The number is the thread's own, but threads that other code starts later would take over the last one.
            torch.set_num_threads(before)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
