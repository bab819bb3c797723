"""What `training.compile` costs and gains: whole training steps, compiled beside not compiled, in turns in one process.

    python benchmarks/compiling.py ../shared/data/cifar10 [--networks swift vgg resnet] [--batch 256] [--rounds 5]

For each network printed: seconds of the first compiled step, most of which is compiling, since nothing of it is cached;
how much faster later ones are, the median of the rounds and their range; and the steps and minutes of training after
which compiling has paid for itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("--networks", nargs="+", default=["swift", "vgg", "resnet"])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder) / "compiled")  # so that it is compiled, not found
        print("network      first step, s    a step, s: plain  compiled    times as fast          pays after")
        for name in given.networks:
            plain, compiled = (
                _step(given.pictures, name, given.batch, Path(folder), compiled=each) for each in (False, True)
            )
            _seconds(plain)
            first = _seconds(compiled)
            rounds = [(_seconds(plain), _seconds(compiled)) for _ in range(given.rounds)]
            before, after = (statistics.median(each) for each in zip(*rounds, strict=True))
            ratios = sorted(one / other for one, other in rounds)
            gain, cost = before - after, first - after
            pays = f"{cost / gain:,.0f} steps, {cost / gain * before / 60.0:,.1f} min" if gain > 0 else "never"
            print(
                f"{name:10} {first:15.1f} {before:18.3f} {after:9.3f} {statistics.median(ratios):7.3f} "
                f"({ratios[0]:.3f} to {ratios[-1]:.3f}) {pays:>22}",
                flush=True,
            )


def _step(pictures: str, name: str, batch: int, folder: Path, *, compiled: bool) -> Callable[[], object]:
    from sightline.recipe import Recipe, apply_overrides
    from sightline.training import prepare, start, survey

    choices = {
        "network": name,
        "training.batch_size": batch,
        "training.compile": compiled,
        "training.epochs": 10,
        "training.diagnosis": False,
        "augmentation": "none",
    }
    prepared = prepare(survey(pictures, apply_overrides(Recipe(), choices)))
    session = start(prepared, folder)
    session.stage.mode(1)
    shards = session.feed.load(1, np.resize(prepared.split.train, batch))

    def step() -> None:
        with session.numerics():
            session.stage.step(session.state, shards, 0.0)

    return step


def _seconds(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
