"""Transfer learning beside fastai: same weights, same pictures, same number of passes, in turn, in one run.

    python benchmarks/transfer_peers.py WEIGHTS ../shared/data/flowers --peer ../peers/bin/python \\
        [--shim ../shared/peers] [--per-class 20] [--seeds 0 1 2] [--freeze-epochs 10] [--epochs 20] [--size 128]

For each seed `--per-class` pictures of each class are drawn for the training, the others are tested on; pictures that
lie in two classes are left out. fastai then does `fine_tune(epochs, freeze_epochs)` as `transfer_fastai.py` says, and
Sightline its two stages with the default recipe but for: as many cached views as fastai has frozen epochs, so that both
pass every picture through the network as often; as many epochs of all layers; the same size. Each runs in a process
of its own with `--threads` threads.

Printed: accuracy, seconds of training (ours from the first stage to the end, with the features; fastai's `fine_tune`)
and seconds of the whole process, with imports, reading and the test; then means, spreads and ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BEGUN = time.perf_counter()


def main() -> None:
    """Run both in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--peer", help="the Python of an environment that has fastai")
    parser.add_argument("--shim", default="", help="folder for the peer's PYTHONPATH")
    parser.add_argument("--per-class", type=int, default=20)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--freeze-epochs", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ours", type=int, default=None, metavar="SEED", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ours is not None:
        print(json.dumps(ours(given, given.ours)))
        return
    found: dict[str, list[dict[str, Any]]] = {"fastai": [], "sightline": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in given.seeds:
            place = Path(folder) / str(seed)
            divide(given.pictures, place, lambda _: given.per_class, seed)
            for who, rows in found.items():
                one = _measured(given, who, place, seed)
                rows.append(one)
                print(
                    f"{who:9s} seed {seed}: accuracy {one['accuracy']:.2%}, training {one['seconds_training']:.1f} s, "
                    f"whole process {one['seconds_total']:.1f} s",
                    flush=True,
                )
    for who, rows in found.items():
        shares = [100 * row["accuracy"] for row in rows]
        spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
        print(f"{who:9s} accuracy {statistics.fmean(shares):.2f} %, standard deviation {spread:.2f}")
    for key in ("seconds_training", "seconds_total"):
        pairs = zip(found["sightline"], found["fastai"], strict=True)
        ratios = [mine[key] / peer[key] for mine, peer in pairs]
        print(f"{key}: Sightline / fastai {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def ours(given: argparse.Namespace, seed: int) -> dict[str, float]:
    """Train, seal and test as a user would, with nothing cached from before."""
    from sightline.recipe import Recipe, apply_overrides
    from sightline.training import prepare, start, survey

    choices = {
        "transfer.weights": given.weights,
        "transfer.depth": "both",
        "transfer.views": given.freeze_epochs,
        "training.epochs": given.epochs,
        "training.batch_size": given.batch,
        "training.threads": given.threads,
        "training.seed": seed,
        "data.image_size": given.size,
        "data.validation_fraction": 0.0,
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepared = prepare(survey(str(given.pictures), apply_overrides(Recipe(), choices)), cache=place / "cache")
        (place / "run").mkdir()
        session = start(prepared, place / "run")
        begun = time.perf_counter()
        for _ in session.events():
            pass
        trained = time.perf_counter() - begun
        accuracy = session.seal()["test"].accuracy
    total = time.perf_counter() - BEGUN
    return {"accuracy": accuracy, "seconds_training": trained, "seconds_total": total}


def divide(source: Path, to: Path, trained: Callable[[int], int], seed: int) -> None:
    """Make folders `train` and `test` of links, without pictures that lie in two classes and without copies.

    Args:
        source: a folder with one folder of pictures for each class.
        to: where both are made.
        trained: how many of a class's pictures go to `train`.
        seed: of the draw.
    """
    places: dict[str, list[Path]] = {}
    for path in sorted(source.glob("*/*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            places.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), []).append(path)
    by_class: dict[str, list[Path]] = {}
    for copies in places.values():
        if len({path.parent for path in copies}) == 1:
            by_class.setdefault(copies[0].parent.name, []).append(copies[0])
    for name, paths in sorted(by_class.items()):
        order = np.random.default_rng(seed).permutation(len(paths))
        for place, index in enumerate(order):
            side = to / ("train" if place < trained(len(paths)) else "test") / name
            side.mkdir(parents=True, exist_ok=True)
            (side / paths[index].name).symlink_to(paths[index].resolve())


def _measured(given: argparse.Namespace, who: str, pictures: Path, seed: int) -> dict[str, Any]:
    shared = ["--size", given.size, "--batch", given.batch, "--threads", given.threads, "--epochs", given.epochs]
    shared += ["--freeze-epochs", given.freeze_epochs]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    if who == "sightline":
        command = [sys.executable, __file__, given.weights, pictures, *shared, "--ours", seed]
    else:
        environment["PYTHONPATH"] = given.shim
        script = Path(__file__).with_name("transfer_fastai.py")
        command = [given.peer, script, "--weights", given.weights, "--pictures", pictures, *shared, "--seed", seed]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True, env=environment)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    main()
