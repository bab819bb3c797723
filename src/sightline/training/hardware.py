"""What the machine in front of us computes on, and what it computes fast."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from sightline import processors
from sightline.errors import RecipeError
from sightline.model.backends import multiplies_in_bfloat16
from sightline.recipe.facts import Machine


def machine(device: str, threads: int | None) -> Machine:
    """Return the facts of a device.

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`. auto takes the first that is there of cuda, mps, cpu.
        threads: CPU threads to use; None for all that this process may use.

    Raises:
        RecipeError: the device asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name, present in there.items() if present)
    if not there[device]:
        found = ", ".join(name for name, present in there.items() if present)
        raise RecipeError(
            f"training.device: found {device}, but this machine offers torch only {found}. "
            "Use --set training.device=auto, or install a torch built for the device."
        )
    return Machine(
        device=device,
        name=torch.cuda.get_device_name() if device == "cuda" else _processor(),
        threads=threads or processors.allowed(),
        bfloat16=_computes_in_bfloat16(device),
    )


def _computes_in_bfloat16(device: str) -> bool:
    """Return whether bfloat16 is faster than float32 there: natively multiplied, not emulated."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    return multiplies_in_bfloat16()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
