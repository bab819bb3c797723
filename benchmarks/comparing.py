"""Trainings an hour: `sightline compare` against the same trainings one after the other by `sightline train`.

    python benchmarks/comparing.py ../shared/data/fashion-mnist [--seeds 5] [--set FIELD=VALUE …]

Sigmoid against ReLU in a small network, five seeds. Decoded pictures are in the cache for both. `train` has all threads
of the machine and writes its page; `compare` measures how many trainings at once get most done, which is counted, and
writes the page of the comparison. Accuracies are printed beside: they agree to what another number of threads changes.
Nothing else should run beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACTIVATIONS = ("sigmoid", "relu")
SMALL = ("network=lenet", "training.epochs=3", "augmentation=none")


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="FIELD=VALUE")
    chosen = parser.parse_args()
    fields = [word for each in (*SMALL, *chosen.overrides) for word in ("--set", each)]
    trainings = len(ACTIVATIONS) * chosen.seeds
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        # Decodes the pictures into the cache, which both have from then on.
        run(
            "train",
            chosen.pictures,
            "--set",
            "network=lenet",
            "--set",
            "data.training_per_class=20",
            "--set",
            "training.epochs=1",
            "--quiet",
            "--out",
            str(place / "warm"),
        )
        begun = time.perf_counter()
        vary = f"network.activation={','.join(ACTIVATIONS)}"
        run(
            "compare", chosen.pictures, *fields, "--vary", vary, "--seeds", str(chosen.seeds), "--out", str(place / "c")
        )
        together = time.perf_counter() - begun
        compared = json.loads((place / "c" / "comparison.json").read_text())
        begun = time.perf_counter()
        for seed in range(chosen.seeds):
            for activation in ACTIVATIONS:
                own = ("--set", f"network.activation={activation}", "--set", f"training.seed={seed}")
                run("train", chosen.pictures, *fields, *own, "--quiet", "--out", str(place / f"{activation}-{seed}"))
        alone = time.perf_counter() - begun
    print(f"compare: {together:.1f} s, {3600 * trainings / together:.0f} trainings an hour")
    print(f"train:   {alone:.1f} s, {3600 * trainings / alone:.0f} trainings an hour")
    print(f"ratio:   {alone / together:.2f}")
    for sentence in compared["sentences"]:
        print(sentence)


def run(*arguments: str) -> None:
    """Run a command, and end with what it said where it fails."""
    done = subprocess.run([sys.executable, "-m", "sightline", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sightline {' '.join(arguments)}: {done.stderr}")


if __name__ == "__main__":
    main()
