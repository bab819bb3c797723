"""What it costs to get the same bits each time: `training.deterministic` on against off, on this machine.

    python benchmarks/determinism.py [--network vgg|resnet|lenet] [--side 32] [--batch 64] [--device cuda]

The same training runs in turns with both settings, in one process: the default recipe otherwise, augmentation included.
Printed: the median over rounds of each side's img/s, and of the ratio of each round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from sightline.recipe import Recipe, apply_overrides
from sightline.training import StepEnd, prepare, start, survey
from sightline.training.prepare import Prepared

WARM_UP = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="auto")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--steps", type=int, default=20, help="steps of each side in a round")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    generator = np.random.default_rng(0)
    images = generator.integers(
        0, 256, (given.batch * (given.steps + WARM_UP + 1), given.side, given.side, 3), np.uint8
    )
    source = (images, np.arange(len(images)) % 10)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def prepared(deterministic: bool) -> Prepared:
            choices = {
                "network": given.network,
                "data.image_size": given.side,
                "data.validation_fraction": 0.0,
                "data.test_fraction": 0.0,
                "training.batch_size": given.batch,
                "training.epochs": 1,
                "training.device": given.device,
                "training.deterministic": deterministic,
            }
            return prepare(survey(source, apply_overrides(Recipe(), choices)), cache=root / "cache")

        both = {"deterministic": prepared(True), "free": prepared(False)}
        speeds: dict[str, list[float]] = {name: [] for name in both}
        for number in range(given.rounds + 1):
            for name in sorted(both, reverse=bool(number % 2)):
                place = root / f"{name}-{number}"
                place.mkdir()
                speeds[name].append(speed(both[name], place, given.steps))
    # The first round compiles augmentation and warms up caches.
    pairs = list(zip(speeds["deterministic"][1:], speeds["free"][1:], strict=True))
    ratios = [first / second for first, second in pairs]
    for name in both:
        print(f"{name:<14} {statistics.median(speeds[name][1:]):8,.0f} img/s")
    ratio = statistics.median(ratios)
    print(f"ratio {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}): determinism costs {1 - ratio:+.1%}")


def speed(prepared: Prepared, place: Path, steps: int) -> float:
    """Return the img/s of so many steps after a few that warm up."""
    events = start(prepared, place).events()
    taken = (event for event in events if isinstance(event, StepEnd))
    for _ in range(WARM_UP):
        next(taken)
    begun = time.perf_counter()
    images = sum(next(taken).images for _ in range(steps))
    elapsed = time.perf_counter() - begun
    events.close()
    return images / elapsed


if __name__ == "__main__":
    main()
