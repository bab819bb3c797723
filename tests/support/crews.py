"""The processes that train for a comparison, found from outside so that they can be killed."""

import contextlib

import psutil


def crew_of(coordinator: psutil.Process) -> list[psutil.Process]:
    """Return a coordinator's workers: what its server has forked, or on other systems what it began itself."""
    lines: dict[psutil.Process, str] = {}
    parents: dict[psutil.Process, int] = {}
    for each in coordinator.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            lines[each], parents[each] = " ".join(each.cmdline()), each.ppid()
    servers = {each.pid for each, line in lines.items() if "forkserver" in line}
    return [
        each
        for each, line in lines.items()
        if "spawn_main" in line or ("forkserver" in line and parents[each] in servers)
    ]
