"""How many pictures to judge together: milliseconds for a picture on a processor, and memory that is cleared anew.

    python benchmarks/judging.py [--threads 2]

For some networks and sizes of picture, in inference mode and float32 as a run judges its validation and test pictures:
the best of five passes over 256 random pictures in batches of 8 to 64. Page faults count memory, in pages of 4 KB, that
glibc gave back to the system after a layer and got again, cleared, for the next. Marked is the batch that a run takes.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import torch

from sightline import network
from sightline.allocation import keep_freed_memory
from sightline.recipe.network import VGG, ResNet, SqueezeNet
from sightline.training.evaluate import batch_to_judge

PICTURES, PASSES, MOST = 256, 5, 64


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    keep_freed_memory()
    default = VGG(widths=(16, 32, 64, 128), convolutions=(1, 1, 2, 2), hidden=(), dropout=0.0)
    sections = {"default": default, "resnet18": ResNet(depth=18, stem="large", dropout=0.0)}
    sections["squeezenet"] = SqueezeNet(normalization="none", dropout=0.0, head="linear")  # type: ignore[assignment]
    for name, section in sections.items():
        for side in (64, 128, 224):
            built = network.build(section, channels=3, classes=5, image_size=(side, side)).eval()
            chosen = batch_to_judge((side, side), device="cpu", most=MOST)
            cells = [_cell(built, side, batch) for batch in sorted({8, 16, 32, MOST, chosen})]
            told = ", ".join(
                f"{'*' if batch == chosen else ''}{batch}: {ms:.2f} ms {faults}" for batch, ms, faults in cells
            )
            print(f"{name:10s} {side:3d} px  batch: ms, page faults a picture  {told}", flush=True)


def _cell(built: Any, side: int, batch: int) -> tuple[int, float, int]:
    built = built.to(memory_format=torch.channels_last)
    inputs = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    count, seconds, faults = max(1, PICTURES // batch), [], []
    with torch.inference_mode():
        for _ in range(2):
            built(inputs)
        for _ in range(PASSES):
            begun, cleared = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(count):
                built(inputs)
            seconds.append(time.perf_counter() - begun)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - cleared)
    return batch, 1000 * min(seconds) / (count * batch), min(faults) // (count * batch)


if __name__ == "__main__":
    main()
