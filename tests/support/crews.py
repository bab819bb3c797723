"""The processes that train for a comparison, found from outside so that they can be killed."""

import psutil


def crew_of(coordinator: psutil.Process) -> list[psutil.Process]:
    """Return a coordinator's workers: what its server has forked, or on other systems what it began itself."""
    children = coordinator.children(recursive=True)
    with_parts = [(each, " ".join(each.cmdline()), each.parent()) for each in children]
    servers = {each for each, line, _ in with_parts if "forkserver" in line}
    forked = [each for each, line, parent in with_parts if "forkserver" in line and parent in servers]
    return [*forked, *(each for each, line, _ in with_parts if "spawn_main" in line)]
