"""bfloat16 in channels-last layout against float32 in torch's default layout: ResNet-18 at 32 px.

    python benchmarks/precision.py [--batch 64]

Both sides train the same network on the same pictures, in turns, in one process. Also printed: float32 in channels-last
layout, which is what `auto` takes where the processor has no bfloat16 instructions.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch.nn.functional import cross_entropy

from sightline import network
from sightline.recipe import Recipe
from sightline.training.hardware import machine

VARIANTS = {
    "float32, default layout": (torch.float32, torch.contiguous_format),
    "float32, channels-last": (torch.float32, torch.channels_last),
    "bfloat16, channels-last": (torch.bfloat16, torch.channels_last),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3, help="steps of each variant in a round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    here = machine("auto", None)
    torch.set_num_threads(here.threads)
    print(f"{here.name}, {here.device}, {here.threads} threads, torch {torch.__version__}, batch {given.batch}")
    print(f"bfloat16 instructions: {'yes' if here.bfloat16 else 'no, so auto takes float32'}")
    steps = {name: _step(here.device, given.batch, *variant) for name, variant in VARIANTS.items()}
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(given.rounds + 1):
        for name, step in steps.items():
            begun = time.perf_counter()
            for _ in range(given.steps):
                step()
            if number:  # the first round warms up
                speeds[name].append(given.batch * given.steps / (time.perf_counter() - begun))
    base = speeds["float32, default layout"]
    for name, found in speeds.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(found, base, strict=True))
        print(f"{name:26} {statistics.median(found):8,.1f} img/s   ratio {ratio:.2f}")


def _step(device: str, batch: int, dtype: torch.dtype, layout: torch.memory_format):  # type: ignore[no-untyped-def]
    recipe = Recipe.model_validate(
        {"network": {"name": "resnet", "stem": "small", "dropout": 0.0, "initialization": "he"}}
    )
    module = network.build(recipe.network, channels=3, classes=10, image_size=(32, 32))
    network.initialize(module, network.build_scheme(recipe.network), seed=0)
    module = module.to(device).to(memory_format=layout)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, 3, 32, 32, generator=generator).to(device).contiguous(memory_format=layout)
    labels = torch.randint(0, 10, (batch,), generator=generator).to(device)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = cross_entropy(module(inputs), labels)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


if __name__ == "__main__":
    main()
