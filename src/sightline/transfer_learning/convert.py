"""From a PyTorch pickle to a file that holds numbers alone; the pickle is read by a process of its own.

A pickle is a program. torch's restricted loader runs only the few instructions that rebuild tensors, but it is a large
piece of code and has been got round before (CVE-2025-32434). So it runs where little could be done: see `unpickle`.
What comes back is not trusted either: one line of JSON, and bytes that safetensors checks.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sightline.errors import ModelFileError
from sightline.model.format import shortened
from sightline.recipe.network import Network
from sightline.transfer_learning import unpickle
from sightline.transfer_learning.recognize import recognize
from sightline.writing import write_whole

SECONDS = 900
"""Until the process is ended, whether it computes or waits."""
LARGEST_GROWTH = 4
"""Times the pickle's size that its tensors may take: where several names share one, each gets its own."""
SPARE = 2**30
"""Bytes for the loader itself."""
_KEPT_VARIABLES = ("SYSTEMROOT", "PATH") if sys.platform == "win32" else ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_BEGINNINGS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Conversion:
    """What was written, and what was not."""

    tensors: int
    size: int
    """Bytes of the file."""
    network: Network | None
    """That the tensors belong to; None where it is none of Sightline's own."""
    where: str
    """The entry of the pickle that held the weights; empty where it was the whole of it."""
    prefix: str
    """That was taken from every name."""
    left_out: tuple[str, ...]
    """Entries that are no tensors, the first ones of `left_out_count`."""
    left_out_count: int
    widened: int
    """Tensors of bfloat16 or 8 bits, which are float32 in the file."""
    tied: int
    """Tensors that shared memory with others, and are copies in the file."""


def convert(file: str | os.PathLike[str], out: str | os.PathLike[str]) -> Conversion:
    """Write the tensors of a PyTorch pickle to `out` as safetensors, all at once.

    Args:
        file: a state dict, or a dict with one under state_dict, model, model_state or ema, as torch.save wrote it.
        out: the new file; an older one is replaced.

    Raises:
        ModelFileError: there is no such file; it is torn or no pickle; it wants more than weights, or has none.
        OutputError: `out` cannot be written.
    """
    name = shortened(os.fspath(file))
    try:
        # Not buffered: the other process reads from where this one has come to.
        with Path(file).open("rb", buffering=0) as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelFileError(f"{name}: is not a regular file. Wanted one that torch.save wrote.")
            beginning = opened.read(4)
            if not beginning.startswith(_BEGINNINGS):
                raise ModelFileError(
                    f"{name}: is {'empty' if not beginning else 'no pickle of PyTorch'}, by its first bytes. Wanted "
                    "a file that torch.save wrote; a download may have been cut short, or be a page that says why."
                )
            opened.seek(0)
            report, data = _read(opened, size=found.st_size, name=name)
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read ({(error.strerror or str(error)).lower()}).") from error
    if (kind := report.get("refused")) is not None:
        raise ModelFileError(f"{name}: {_refusal(str(kind), shortened(report.get('detail', '')))}")
    shapes = _shapes(data, name)
    left_out = report["left_out"]
    conversion = Conversion(
        tensors=len(shapes),
        size=len(data),
        network=recognize(shapes),
        where=shortened(report["where"]),
        prefix=shortened(report["prefix"]),
        left_out=tuple(shortened(each, 60) for each in left_out),
        left_out_count=int(report["left_out_count"]),
        widened=int(report["widened"]),
        tied=int(report["tied"]),
    )
    write_whole(out, data)
    return conversion


def _read(file: IO[bytes], *, size: int, name: str) -> tuple[dict[str, Any], bytes]:
    """Return what the other process found; it is ended when it takes too long or says too much."""
    most = LARGEST_GROWTH * size + SPARE
    kept = {key: os.environ[key] for key in _KEPT_VARIABLES if key in os.environ}
    with tempfile.TemporaryDirectory() as empty:
        process = subprocess.Popen(  # noqa: S603
            _command(sys.path, most),
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            cwd=empty,
            env={**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        timer = threading.Timer(SECONDS, _end, [process])
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101
            answer = _at_most(process.stdout, most)
            in_time = timer.is_alive()
        finally:
            timer.cancel()
            _end(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    line, _, data = answer.partition(b"\n")
    try:
        report = json.loads(line)
        assert isinstance(report, dict)  # noqa: S101
    except (ValueError, AssertionError, RecursionError):
        why = f"it ended with {process.returncode}" if in_time else f"it took more than {SECONDS:,} seconds"
        raise ModelFileError(
            f"{name}: the process that was to read it gave no answer ({why}), and nothing was written. The file may "
            "need more memory than there is, or do harm."
        ) from None
    return report, data


def _at_most(stream: IO[bytes], most: int) -> bytes:
    """Return what a stream says until its end, or until it has said too much."""
    chunks, size = [], 0
    while size < most and (chunk := stream.read(2**20)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _command(places: Sequence[str], memory: int) -> list[str]:
    # -I: neither the working folder nor the environment adds code; so the places of the libraries are handed over.
    libraries = json.dumps([place for place in places if os.path.isabs(place)])  # noqa: PTH117
    return [sys.executable, "-I", "-B", "-W", "ignore", str(Path(unpickle.__file__)), libraries, str(memory)]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, and whatever it may have started."""
    try:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        pass


def _shapes(data: bytes, name: str) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, deserialize

    try:
        return {key: tuple(found["shape"]) for key, found in deserialize(data)}  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{name}: the process that read it answered with bytes that are no safetensors ({shortened(error)}), and "
            "nothing was written. The file may be larger than it says, or do harm."
        ) from error


def _refusal(kind: str, detail: str) -> str:
    match kind:
        case "wants":
            return (
                f"wants {detail}, which is more than weights, so it was refused and nothing of it was run. Ask its "
                "maker for a safetensors file, or for one of torch.save(model.state_dict())."
            )
        case "script":
            return (
                "holds TorchScript, which is a program, so it was refused. Ask its maker for the state dict, or for a "
                "safetensors file."
            )
        case "unreadable":
            return (
                f"torch's restricted loader cannot read it ({detail}): the file is torn, or torch.save did not write "
                "it. Copy it again; a download may have been cut short."
            )
        case "other":
            return f"holds a {detail}, where a dict of names and tensors was wanted: torch.save(model.state_dict())."
        case "empty":
            return (
                f"holds no tensors by name ({detail or 'it is empty'}). Wanted a state dict, or a dict with one under "
                f"{', '.join(unpickle.INSIDE)}."
            )
        case "tensor":
            return f"{detail}, which no network here has. Wanted dense tensors of floating-point numbers or integers."
        case "memory":
            return (
                f"its tensors take more than {LARGEST_GROWTH} times the file's own size, or than the memory that is "
                "free, so it was refused."
            )
        case _:
            return f"the process that was to read it failed ({detail}), and nothing was written."
