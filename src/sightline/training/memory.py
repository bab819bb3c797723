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
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc", "bad allocation")


@dataclass(frozen=True)
class Memory:
    """What steps of a network need, and what was free before the first of them, in bytes."""

    fixed: int
    """Weights with their gradients, averages and the state of the update rule."""
    per_picture: int
    """Kept for the way back, and what is needed for a moment besides."""
    free: int

    def needed(self, pictures: int) -> int:
        """Return what a step of so many pictures needs."""
        return self.fixed + pictures * self.per_picture

    @property
    def fitting(self) -> int:
        """The most pictures that a step can take without using more than `SHARE` of what is free."""
        return max(0, int(SHARE * self.free - self.fixed) // max(1, self.per_picture))


def measure(network: nn.Module, inputs: Callable[[int], Tensor], *, device: str) -> Memory:
    """Measure by two trials of a few pictures, forward only; the network is left as it was.

    What autograd keeps for the way back grows with the pictures by the same number of bytes for each.

    Args:
        network: is put into the mode of evaluation for the trials, and back.
        inputs: returns so many pictures as the network takes them.
        device: where it runs.
    """
    own = {each.untyped_storage().data_ptr() for each in network.state_dict().values()}
    mode = network.training
    network.eval()
    try:
        few, more = (_kept(network, inputs(pictures), own) for pictures in TRIAL)
    finally:
        network.train(mode)
    weights = sum(each.untyped_storage().nbytes() for each in network.state_dict().values())
    per_picture = round(WORKSPACE * max(0, more - few) / (TRIAL[1] - TRIAL[0]))
    return Memory(fixed=COPIES * weights, per_picture=per_picture, free=free(device))


def _kept(network: nn.Module, inputs: Tensor, own: set[int]) -> int:
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(inputs).sum()
    return sum(size for place, size in seen.items() if place not in own)


def free(device: str) -> int:
    """Return the bytes that this process may still take: of the device, the machine, its container and its limits."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    import psutil

    found: list[int] = [psutil.virtual_memory().available]
    for limit, used in _CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            found.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
    if sys.platform != "win32":
        import resource

        limit_of_addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit_of_addresses != resource.RLIM_INFINITY:
            found.append(limit_of_addresses - psutil.Process().memory_info().vms)
    return max(0, min(found))


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
        says += f": they need about {_gigabytes(memory.needed(at_once))}, and {_gigabytes(memory.free)} were free"
        fits = min(fits, memory.fitting)
    if fits < 1:
        return f"{says}. Not even one fits: try smaller pictures (--set data.image_size=…) or a smaller network."
    return (
        f"{says}. About {fits} would fit: --set training.batch_size={fits}, or keep the batch and divide it: "
        f"--set training.gradient_accumulation={-(-batch_size // fits)}"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
