"""What caching features saves: seconds of an epoch of stage one, and the accuracy it leads to, cached and exact.

    python benchmarks/transfer.py WEIGHTS ../shared/data/flowers [--per-class 400] [--seeds 0 1 2] [--epochs 8]

Both ways train the same head on the same frozen features of the same pictures, with the same augmentation: `exact`
passes freshly augmented pictures through the frozen layers in every epoch, `cached` computes the features of as many
views as there are epochs once and trains on them. An epoch is timed from its first to its last step, validation and
the log included; the first of each run is left out. The time that computing the features takes is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sightline.recipe import Recipe, apply_overrides
from sightline.training import EpochEnd, EpochStart, StageStart, prepare, start, survey


def main() -> None:
    """Train in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("pictures")
    parser.add_argument("--per-class", type=int, default=400)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {"exact": [], "cached": []}
    accuracies: dict[str, list[float]] = {"exact": [], "cached": []}
    for seed in given.seeds:
        for way in seconds:
            epochs, before, accuracy = train(given, way, seed)
            seconds[way] += epochs
            accuracies[way].append(accuracy)
            print(
                f"{way:6s} seed {seed}: {1000 * statistics.median(epochs):8.1f} ms an epoch, {before:.1f} s before the "
                f"first, accuracy {accuracy:.2%}",
                flush=True,
            )
    for way, found in accuracies.items():
        spread = 100 * statistics.stdev(found) if len(found) > 1 else 0.0
        print(f"{way:6s} accuracy {100 * statistics.fmean(found):.2f} %, standard deviation {spread:.2f}")
    exact, cached = (statistics.median(seconds[way]) for way in ("exact", "cached"))
    print(f"an epoch of stage one on cached features is {exact / cached:.1f} times as fast")


def train(given: argparse.Namespace, way: str, seed: int) -> tuple[list[float], float, float]:
    """Return the seconds of each epoch but the first, those before it, and the test accuracy."""
    recipe = apply_overrides(
        Recipe(),
        {
            "transfer.weights": given.weights,
            "transfer.depth": "head",
            "transfer.features": way,
            "transfer.head_epochs": given.epochs,
            "transfer.views": given.epochs if way == "cached" else 1,
            "training.threads": given.threads,
            "training.seed": seed,
            "data.seed": seed,
            "data.training_per_class": given.per_class,
            "data.test_fraction": 0.0,
            "data.validation_fraction": 0.0,
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepared = prepare(survey(given.pictures, recipe), cache=place / "cache")
        (place / "run").mkdir()
        session = start(prepared, place / "run")
        epochs: list[float] = []
        begun = ready = time.perf_counter()
        before = 0.0
        for event in session.events():
            now = time.perf_counter()
            match event:
                case StageStart():
                    begun = now
                case EpochStart():
                    if event.epoch == 1:
                        before = now - begun
                    ready = now
                case EpochEnd():
                    epochs.append(now - ready)
        return epochs[1:], before, session.seal()["test"].accuracy


if __name__ == "__main__":
    main()
