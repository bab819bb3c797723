"""Augmentation on a GPU: pictures per second, the share of the memory's bandwidth, torchvision and kornia beside it.

    python benchmarks/augmentation_gpu.py [--batches 100]

The list is flip, rotation, translation, scaling, crop, brightness, contrast, saturation, noise, elastic distortion and
standardization, from bytes on the device to bfloat16 in channels-last layout. Sending the plan to the device is part of
every batch; drawing it is not. Bandwidth counts bytes in and values out, once each, against copies from the device to
itself. torchvision does to a batch what it draws once, so that its pictures share their numbers; it is given them as it
likes them best, channels first. A version of torchvision without noise leaves it out.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sightline.augmentation import Plan, draw, gpu
from sightline.recipe import operations as op

OPERATIONS = (
    op.HorizontalFlip(),
    op.Rotation(degrees=(-15, 15)),
    op.Translation(horizontal=(-0.1, 0.1), vertical=(-0.1, 0.1)),
    op.Scaling(factor=(0.8, 1.2)),
    op.Crop(area=(0.8, 1.0)),
    op.Brightness(),
    op.Contrast(),
    op.Saturation(),
    op.GaussianNoise(deviation=(0.02, 0.05)),
    op.Elastic(),
)
LISTS = {
    "the whole list": OPERATIONS,
    "without elastic": OPERATIONS[:-1],
    "without elastic and noise": OPERATIONS[:-2],
    "flip only": OPERATIONS[:1],
}
SHAPES = ((224, 256), (32, 4096))
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLANS = 4
"""Plans that take turns, so that none is served from a cache of its numbers."""

Step = Callable[[], Any]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=100, help="batches measured of each")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device was found, and there is nothing to measure without one.", file=sys.stderr)
        return 2
    device = torch.device("cuda", torch.cuda.current_device())
    if not gpu.available(device):
        print("Triton is not installed, and the kernel is written in it.", file=sys.stderr)
        return 2
    bandwidth = _bandwidth(device, given.batches)
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, copies at {bandwidth / 1e9:,.0f} GB/s")
    for side, batch in SHAPES:
        _compare(side, batch, device, bandwidth, given.batches)
    return 0


def _compare(side: int, batch: int, device: torch.device, bandwidth: float, batches: int) -> None:
    print(f"\n{side} px, batch {batch}, bfloat16")
    generator = np.random.default_rng(0)
    images = torch.from_numpy(generator.integers(0, 256, (batch, side, side, 3), dtype=np.uint8)).to(device)
    moved = images.numel() * (1 + 2)
    base = 0.0
    for name, operations in LISTS.items():
        seconds = _seconds(_ours(images, _plans(operations, side, batch)), batches)
        base = base or seconds
        print(
            f"  sightline, {name:26} {batch / seconds:12,.0f} img/s   {moved / seconds / 1e9:7,.0f} GB/s, "
            f"{moved / seconds / bandwidth:4.0%} of a copy"
        )
    for name, make in (("torchvision", _torchvision), ("kornia", _kornia)):
        if importlib.util.find_spec(name) is None:
            print(f"  {name} is not installed.")
            continue
        seconds = _seconds(make(images, side), max(3, batches // 10))
        label, ratio = f"{name}, the whole list", f"sightline is {seconds / base:.1f} × as fast"
        print(f"  {label:37} {batch / seconds:12,.0f} img/s   {ratio}")


def _plans(operations: tuple[op.Operation, ...], side: int, batch: int) -> list[Plan]:
    scale = 1 / np.array(DEVIATION)
    keys = np.arange(batch, dtype=np.uint64)
    made = (draw(operations, keys, epoch=epoch, source=(side, side)) for epoch in range(1, PLANS + 1))
    return [plan.standardized(scale, -np.array(MEAN) * scale) for plan in made]


def _ours(images: torch.Tensor, plans: list[Plan]) -> Step:
    turn = iter(range(sys.maxsize))
    return lambda: gpu.render_on_gpu(images, plans[next(turn) % len(plans)])


def _torchvision(images: torch.Tensor, side: int) -> Step:
    from torchvision.transforms import v2

    steps = [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(15, translate=(0.1, 0.1), scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR),
        v2.RandomResizedCrop((side, side), scale=(0.8, 1.0), ratio=(0.75, 4 / 3), antialias=True),
        v2.ElasticTransform(alpha=50.0, sigma=min(8.0, side / 10)),  # its kernel must fit into the picture
        v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.3),
        v2.ToDtype(torch.float32, scale=True),
        *([v2.GaussianNoise(sigma=0.035)] if hasattr(v2, "GaussianNoise") else []),
        v2.Normalize(MEAN, DEVIATION),
        v2.ToDtype(torch.bfloat16),
    ]
    ready, whole = images.permute(0, 3, 1, 2), v2.Compose(steps)
    return lambda: whole(ready).contiguous(memory_format=torch.channels_last)


def _kornia(images: torch.Tensor, side: int) -> Step:
    from kornia import augmentation as k

    whole = k.AugmentationSequential(
        k.RandomHorizontalFlip(p=0.5),
        k.RandomAffine(15.0, translate=(0.1, 0.1), scale=(0.8, 1.2), p=1.0),
        k.RandomResizedCrop((side, side), scale=(0.8, 1.0), ratio=(0.75, 4 / 3), p=1.0),
        k.RandomElasticTransform(kernel_size=(33, 33), sigma=(8.0, 8.0), p=1.0),
        k.ColorJiggle(brightness=0.2, contrast=0.2, saturation=0.3, p=1.0),
        k.RandomGaussianNoise(std=0.035, p=1.0),
        k.Normalize(torch.tensor(MEAN), torch.tensor(DEVIATION)),
    ).to(images.device)
    ready = images.permute(0, 3, 1, 2)
    return lambda: whole(ready.float() / 255.0).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def _bandwidth(device: torch.device, batches: int) -> float:
    """Return the bytes per second of a copy on the device, read and written counted, far larger than its caches."""
    source = torch.empty(2**29, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _seconds(lambda: target.copy_(source), batches)


def _seconds(step: Step, batches: int) -> float:
    """Return the median time of a batch; groups keep the host's launches from counting more than in a training."""
    group = 5
    for _ in range(2 * group):
        step()
    torch.cuda.synchronize()
    found = []
    for _ in range(max(3, batches // group)):
        begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begun.record()
        for _ in range(group):
            step()
        ended.record()
        ended.synchronize()
        found.append(begun.elapsed_time(ended) / 1e3 / group)
    return statistics.median(found)


if __name__ == "__main__":
    sys.exit(main())
