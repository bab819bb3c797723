"""What checkpoints cost: the stall of the steps while they are taken and written, and the time from resume to a step.

    python benchmarks/checkpoint.py [--width 43] [--steps 40]

A residual network of about 20 MB trains on made-up pictures, in turns without checkpoints and with one every ten steps,
which is far more often than the default of every five minutes. The stall that remains at the default is the extra time
of one checkpoint, divided by five minutes.
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
from sightline.training.resume import find, go_on

EVERY = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=43, help="of the residual network; 43 makes about 20 MB")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2000, 32, 32, 3), dtype=np.uint8)
    source = (images, generator.integers(0, 10, 2000))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def prepared(every: int):
            choices = {
                "network": "resnet", "network.width": arguments.width, "training.batch_size": 16,
                "training.epochs": 1, "augmentation": "none", "training.checkpoint_steps": every,
                "training.checkpoint_minutes": 0.0,
            }  # fmt: skip
            return prepare(survey(source, apply_overrides(Recipe(), choices)), cache=root / "cache")

        without, often = prepared(0), prepared(EVERY)
        seconds: dict[str, list[float]] = {"without": [], "often": []}
        for number in range(arguments.rounds):
            for name, ready in (("without", without), ("often", often)):
                place = root / f"{name}-{number}"
                place.mkdir()
                session = start(ready, place)
                seconds[name].append(timed(session, arguments.steps))
        parameters = sum(p.numel() for p in session.state.network.parameters())
        plain, checked = (statistics.median(seconds[name]) for name in ("without", "often"))
        taken = arguments.steps // EVERY
        print(f"{4 * parameters / 1e6:.1f} MB of weights, {plain / arguments.steps * 1e3:.0f} ms a step")
        print(f"without checkpoints {plain:.2f} s, with one every {EVERY} steps {checked:.2f} s")
        one = max(checked - plain, 0.0) / taken
        print(f"one checkpoint costs {one * 1e3:.0f} ms of step time: {one / 300:.3%} of it at one in five minutes")
        begun = time.perf_counter()
        resumed = go_on(find(place), often, warn=print)
        events = resumed.events()
        next(event for event in events if isinstance(event, StepEnd))
        print(f"from find to the end of the next step: {time.perf_counter() - begun:.2f} s")
        events.close()


def timed(session: object, steps: int) -> float:
    """Return the seconds of so many steps after two that warm up."""
    events = session.events()  # type: ignore[attr-defined]
    done = 0
    begun = 0.0
    for event in events:
        if isinstance(event, StepEnd):
            done += 1
            if done == 2:
                begun = time.perf_counter()
            if done == steps + 2:
                break
    spent = time.perf_counter() - begun
    events.close()
    return spent


if __name__ == "__main__":
    main()
