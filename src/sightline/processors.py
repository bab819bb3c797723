"""How many processors this process may keep busy."""

from __future__ import annotations

from functools import cache


@cache
def allowed() -> int:
    """Return the number of processors that the system allows this process, at least 1.

    A container's quota, `taskset`, a batch system's cgroup and the variable LOKY_MAX_CPU_COUNT may allow fewer than the
    machine has: more threads than that only take turns. A quota of a part of a processor counts as a whole one.
    """
    import joblib

    count: int = joblib.cpu_count()
    return count
