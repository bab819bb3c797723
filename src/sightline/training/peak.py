"""What this machine can do at its best: the speed of convolutions, forth and back, of well-suited sizes."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

SHAPES = ((64, 32, 16), (128, 16, 32), (256, 16, 16), (256, 8, 32))
"""Maps, side and pictures of the convolutions that are tried: enough of each to keep a processor's cores busy."""
TIMES_ON_DEVICE = 32
"""As many more pictures keep a GPU busy."""
KERNEL = 3
SECONDS = 0.5


def convolution_peak(*, device: str, bfloat16: bool, seconds: float = SECONDS) -> float:
    """Return the floating point operations a second of the fastest of some 3×3 convolutions, forward and backward.

    Each is as training computes it: channels last, weights in float32, in bfloat16 by autocast where that is asked
    for; gradients of weight and input. It does 3 · 2 · pictures · side² · maps² · 9 operations.

    Args:
        device: where to compute.
        bfloat16: as the training would.
        seconds: that each shape is repeated for.
    """
    times = 1 if device == "cpu" else TIMES_ON_DEVICE
    return max(
        _speed(maps, side, times * pictures, device=device, bfloat16=bfloat16, seconds=seconds)
        for maps, side, pictures in SHAPES
    )


def _speed(maps: int, side: int, pictures: int, *, device: str, bfloat16: bool, seconds: float) -> float:
    layer = nn.Conv2d(maps, maps, KERNEL, padding=1, bias=False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    given = torch.zeros(pictures, maps, side, side, device=device).to(memory_format=torch.channels_last)
    given.requires_grad_()

    def once() -> None:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
            found = layer(given)
        found.backward(torch.ones_like(found))
        layer.weight.grad = given.grad = None

    return 3 * 2 * pictures * side**2 * maps**2 * KERNEL**2 / seconds_of(once, device=device, seconds=seconds)


def seconds_of(work: Callable[[], object], *, device: str, seconds: float, warm_up: int = 2) -> float:
    """Return the mean seconds of some work, repeated for about so long after calls that are not counted."""
    for _ in range(warm_up):
        work()
    _finish(device)
    count, begun = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - begun < seconds:
        work()
        count += 1
        if device != "cpu":
            _finish(device)
    return (time.perf_counter() - begun) / count


def _finish(device: str) -> None:
    """Wait for a device that works on while its caller goes on."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
