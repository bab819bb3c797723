"""Memory: what a step needs, what is free, how many pictures fit, and too little of it said in a sentence."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sightline.errors import TrainingError

TRIAL = (2, 4)
"""Pictures of the two trials from whose difference the need of one picture follows."""
WORKSPACE = 1.25
"""What a step needs at its peak, as a multiple of what it keeps for its way back; measured from 1.1 to 1.2."""
COPIES = 5
"""Of the weights at most: themselves, gradients, two averages of the update rule, the running average."""
SHARE = 0.8
"""Of the free memory that may be used: other programs want some, and a measure is not exact."""
OF_ALL = {"cpu": 0.5, "mps": 0.5, "cuda": 0.8}
"""Share of all memory that an automatic batch may use: what is free changes by the minute, and the bits would too."""
_CGROUPS = (
    ("0::", "", "memory.max", "memory.current", "file"),
    (":memory:", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)
"""How version 2 and 1 of Linux's control groups say what a container may take, takes, and keeps of files for now."""
FEWEST = 2
"""Pictures at once, which batch normalization needs to compare them."""
_SIGNS = (
    "not enough memory", "can't allocate memory", "out of memory", "bad_alloc", "bad allocation",
    "could not create a primitive",  # oneDNN's word for it; a layer that it does not know never comes to it
)  # fmt: skip


@dataclass(frozen=True)
class Memory:
    """What steps of a network need, and what there was before the first of them, in bytes."""

    fixed: int
    """Weights with their gradients, averages and the state of the update rule."""
    per_picture: int
    """Kept for the way back, and what is needed for a moment besides, for each picture at once."""
    per_input: int
    """Of each picture of the batch, as the network takes it."""
    free: int
    total: int

    def needed(self, batch_size: int, parts: int) -> int:
        """Return what a step needs whose batch is divided into parts."""
        return self.fixed + batch_size * self.per_input + -(-batch_size // parts) * self.per_picture

    def fitting(self, room: float, parts: int) -> int:
        """Return the largest batch, divided into parts, whose step needs no more than `room` bytes."""
        return max(0, int((room - self.fixed) / max(1.0, self.per_input + self.per_picture / parts)))


def measure(network: nn.Module, inputs: Callable[[int], Tensor], *, device: str) -> Memory:
    """Measure by two trials of a few pictures, forward only; the network is left as it was.

    What autograd keeps for the way back grows with the pictures by the same number of bytes for each. Frozen parameters
    count as if they were trained.

    Args:
        network: is put into the mode of evaluation for the trials, and back.
        inputs: returns so many pictures as the network takes them.
        device: where it runs.
    """
    own = {each.untyped_storage().data_ptr() for each in network.state_dict().values()}
    mode, given = network.training, [inputs(pictures) for pictures in TRIAL]
    frozen = [parameter for parameter in network.parameters() if not parameter.requires_grad]
    # A later stage may train what this one leaves frozen, and needs the most.
    network.eval().requires_grad_(True)
    try:
        few, more = (_kept(network, pictures, own) for pictures in given)
    finally:
        network.train(mode)
        for parameter in frozen:
            parameter.requires_grad_(False)
    weights = sum(each.untyped_storage().nbytes() for each in network.state_dict().values())
    free, total = room(device)
    return Memory(
        fixed=COPIES * weights,
        per_picture=round(WORKSPACE * max(0, more - few) / (TRIAL[1] - TRIAL[0])),
        per_input=given[0][0].nbytes,
        free=free,
        total=total,
    )


def _kept(network: nn.Module, inputs: Tensor, own: set[int]) -> int:
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(inputs).sum()
    return sum(size for place, size in seen.items() if place not in own)


def room(device: str) -> tuple[int, int]:
    """Return the bytes that this process may still take, and those of the device, machine, container or limit."""
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        return int(free), int(total)
    import psutil

    machine = psutil.virtual_memory()
    found: list[tuple[int, int]] = [(machine.available, machine.total), *_of_containers()]
    if sys.platform != "win32":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            found.append((limit - psutil.Process().memory_info().vms, limit))
    return max(0, min(free for free, _ in found)), min(total for _, total in found)


def _of_containers(
    listing: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[tuple[int, int]]:
    """Yield what is free, and what there is, in this process's control group and those around it."""
    with contextlib.suppress(OSError):
        for line in listing.read_text().splitlines():
            for mark, folder, limit, used, files in _CGROUPS:
                if mark not in line:
                    continue
                group = root / folder / line.partition(mark)[2].strip("/")
                for place in (group, *group.parents):
                    if not place.is_relative_to(root / folder):
                        break
                    with contextlib.suppress(OSError, ValueError):  # not there, or "max"
                        total = int((place / limit).read_text())
                        # Files that are kept for now make room for whoever needs it.
                        stat = dict(each.split() for each in (place / "memory.stat").read_text().splitlines())
                        yield total - int((place / used).read_text()) + int(stat.get(files, 0)), total


@contextlib.contextmanager
def enough_memory(*, machine: str, batch_size: int, parts: int, memory: Callable[[], Memory | None]) -> Iterator[None]:
    """Raise TrainingError where the body needs more memory than there is.

    An accelerator says so with a class of its own, a processor with MemoryError or with words in a RuntimeError.

    Args:
        machine: named in the message.
        batch_size: pictures of a step.
        parts: into which a step is divided already.
        memory: what was measured, where it was.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)
        if not told:
            raise
        raise TrainingError(f"{machine}: {_too_little(batch_size, parts, memory())}") from error


def _too_little(batch_size: int, parts: int, memory: Memory | None) -> str:
    """Return how much was wanted, what there was, and what would fit."""
    at_once = -(-batch_size // parts)
    says, fits = f"too little memory for {at_once} pictures at once", at_once // 2
    if memory is not None:
        needed = memory.needed(batch_size, parts)
        says += f": a step needs about {_gigabytes(needed)}, and {_gigabytes(memory.free)} were free"
        fits = min(fits, memory.fitting(SHARE * memory.free, 1))
    if fits < FEWEST:
        return f"{says}. Try smaller pictures (--set data.image_size=…) or a smaller network."
    return (
        f"{says}. About {fits} would fit: --set training.batch_size={fits}, or keep the batch and divide it: "
        f"--set training.gradient_accumulation={-(-batch_size // fits)}"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
