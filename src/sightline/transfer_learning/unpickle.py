"""What runs in the process that reads a pickle: a script that knows torch and nothing of Sightline.

It is handed the file as its standard input and writes one line of JSON, then the bytes of a safetensors file, to its
standard output. Before the first byte of the file is looked at, the process gives up what it can do without: names in
the network, new files, new processes, the rights of root. What is left is memory, and time that is bounded.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SECONDS = 600
"""Of the processor."""
NOBODY = 65534
NEW_NETWORK, NEW_USER, NO_NEW_RIGHTS = 0x40000000, 0x10000000, 38  # as Linux numbers them
INSIDE = ("state_dict", "model_state_dict", "model_state", "model", "ema")
"""Where training programs put the weights beside other things; the first that is there is taken."""
PREFIXES = ("module.", "_orig_mod.")
"""What torch's wrappers for several devices and for compiling put before every name."""
LISTED = 20


class Refused(Exception):  # noqa: N818
    """The file is not what can be converted. `kind` is known to the process that asked."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def main() -> None:
    """Read standard input, write standard output; nothing that is printed on the way gets between."""
    sys.path += [place for place in json.loads(sys.argv[1]) if place not in sys.path]
    answer = os.dup(1)
    os.dup2(2, 1)
    data = b""
    try:
        leave_the_network()
        warm_up()
        lock(memory=int(sys.argv[2]), descriptors=answer + 1)
        report, data = converted()
    except Refused as error:
        report = {"refused": error.kind, "detail": error.detail}
    except BaseException as error:  # whatever it is, the process that asked says it
        memory = isinstance(error, MemoryError) or "can't allocate memory" in str(error)
        report = {"refused": "memory" if memory else "failed", "detail": f"{type(error).__name__}: {error}"}
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps(report).encode() + b"\n")
        out.write(data)


def leave_the_network() -> None:
    """Move into a network of its own that leads nowhere, where Linux allows it. Only a single thread may ask."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        system = ctypes.CDLL(None)
        system.prctl(NO_NEW_RIGHTS, 1, 0, 0, 0)
        if system.unshare(NEW_NETWORK) != 0:
            system.unshare(NEW_NETWORK | NEW_USER)


def warm_up() -> None:
    """Load one tensor and write it, in each of torch's formats, so that no library is left to be imported."""
    import torch
    from safetensors.torch import save

    torch.set_num_threads(1)
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save({"weight": torch.ones(2, dtype=torch.bfloat16)}, file, _use_new_zipfile_serialization=zipped)
        file.seek(0)
        loaded = torch.load(file, weights_only=True, map_location="cpu")
        save({"weight": loaded["weight"].float().contiguous().clone()})
    with contextlib.suppress(Exception):  # a refusal imports, too
        torch.load(io.BytesIO(b"\x80\x02cposix\nsystem\n."), weights_only=True)


def lock(*, memory: int, descriptors: int) -> None:
    """Give up rights for good: of root, and to open, write and start anything. Systems without such limits have none.

    Args:
        memory: bytes that may be taken beyond what the libraries have.
        descriptors: number of open files that stay open; no other can be opened.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    limits = {"RLIMIT_CPU": SECONDS, "RLIMIT_FSIZE": 0, "RLIMIT_NPROC": 0, "RLIMIT_CORE": 0}
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        limits["RLIMIT_AS"] = int(file.read().split()[0]) * resource.getpagesize() + memory
    limits["RLIMIT_NOFILE"] = descriptors
    for name, most in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (most, most))


def converted() -> tuple[dict[str, Any], bytes]:
    """Return what was found and the bytes of a safetensors file.

    Raises:
        Refused: the pickle wants more than torch's restricted loader gives, or holds no dense tensors.
    """
    from safetensors.torch import save

    state, where, beside = state_dict(loaded())
    tensors, left_out = {}, [*beside]
    widened, tied = 0, 0
    seen: set[int] = set()
    for name, value in state.items():
        if not isinstance(name, str) or not is_tensor(value) or name == "__metadata__":
            left_out.append(f"{name} ({type(value).__name__})")
            continue
        tensor = whole(name, value)
        widened += tensor.dtype != value.dtype
        place = tensor.untyped_storage().data_ptr()
        if tensor.numel() and place in seen:
            tied += 1
            tensor = tensor.clone()
        seen.add(place)
        tensors[name] = tensor
    if not tensors:
        raise Refused("empty", ", ".join(left_out[:LISTED]))
    prefix = ""
    while found := next((each for each in PREFIXES if all(name.startswith(prefix + each) for name in tensors)), ""):
        prefix += found
    data = save({name.removeprefix(prefix): tensor for name, tensor in tensors.items()}, {"format": "pt"})
    return {
        "where": where,
        "prefix": prefix,
        "left_out": left_out[:LISTED],
        "left_out_count": len(left_out),
        "widened": widened,
        "tied": tied,
    }, data


def loaded() -> object:
    """Return what the pickle on standard input makes, by torch's restricted loader and nothing else."""
    import pickle

    import torch

    try:
        with open(0, "rb", closefd=False) as file:
            return torch.load(file, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        text = str(error).rpartition("WeightsUnpickler error:")[2].strip()
        wanted = re.search(r"GLOBAL (\S+)", text)
        raise Refused("wants" if wanted else "unreadable", wanted[1] if wanted else first_line(text)) from None
    except RuntimeError as error:
        if "allocate memory" in str(error):
            raise
        raise Refused("script" if "TorchScript" in str(error) else "unreadable", first_line(error)) from None
    except MemoryError:
        raise
    except Exception as error:  # a torn pickle fails in many ways
        raise Refused("unreadable", first_line(f"{type(error).__name__}: {error}".removesuffix(": "))) from None


def first_line(text: object) -> str:
    """Return what comes before advice that is meant for programmers."""
    return str(text).partition("\n")[0].partition(". ")[0]


def state_dict(found: object) -> tuple[Mapping[Any, Any], str, list[str]]:
    """Return the names and tensors, the key they were under, and what lay beside them."""
    if not isinstance(found, Mapping):
        raise Refused("other", type(found).__name__)
    if not any(is_tensor(value) for value in found.values()):
        for key in INSIDE:
            inside = found.get(key)
            if isinstance(inside, Mapping) and any(is_tensor(value) for value in inside.values()):
                return inside, key, [f"{name} ({type(value).__name__})" for name, value in found.items() if name != key]
    return found, "", []


def is_tensor(value: object) -> bool:
    """Return whether a value is a tensor of any kind."""
    import torch

    return isinstance(value, torch.Tensor)


def whole(name: str, tensor: Tensor) -> Tensor:
    """Return a dense tensor of its own, in a type that safetensors and NumPy both have."""
    import torch

    kept = (torch.float16, torch.float32, torch.float64, torch.int8, torch.int16, torch.int32, torch.int64)
    if tensor.is_quantized or tensor.layout != torch.strided or tensor.device.type != "cpu":
        kind = "quantized" if tensor.is_quantized else f"{tensor.layout}".removeprefix("torch.")
        raise Refused("tensor", f"{name} is {kind if tensor.device.type == 'cpu' else 'without data'}")
    if tensor.dtype.is_floating_point and tensor.dtype not in kept:
        tensor = tensor.float()  # every number of bfloat16 and of 8 bits is one of 32, too
    elif tensor.dtype not in (*kept, torch.uint8, torch.bool):
        raise Refused("tensor", f"{name} has {tensor.dtype}".replace("torch.", ""))
    return tensor.detach().contiguous()


if __name__ == "__main__":
    main()
