"""What fine-tuning forgets: a network learns five classes of CIFAR-10, then the other five, in several ways.

    python benchmarks/transfer_forgetting.py ../shared/data/cifar10 --out forgetting [--seeds 0 1 2] [--ways default …]

For each seed a residual network of depth 18 and width 16 is trained on all 25,000 training pictures of airplane to
deer, sealed, and transferred to `--per-class` training pictures of each of dog to truck, in each of the ways below.
Target accuracy is over 400 official test pictures of each of the five new classes, source accuracy that of the old
last layer over as many of the five old ones; no picture is held out for validation but by `WiSE-FT by validation`,
which chooses by it. `full`, `fifth` and `tenth` are plain fine-tuning: all layers at this share of the rate of the head
and nothing done against forgetting. A fifth of it is the rate that is usual from random weights.

Printed: a row for each run, then mean and standard deviation over the seeds, and what the default loses as a share of
what `full` loses. `transfer.json` and `transfer.png` of each run are below `--out`; runs that are there are kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import sightline
from sightline.training import Run, directory

TESTED = 400
PLAIN = {"transfer.layer_decay": 1.0, "transfer.distillation": 0.0}
FULL = {**PLAIN, "transfer.rate_factor": 1.0}
WAYS: dict[str, dict[str, Any]] = {
    "full": FULL,
    "fifth": {**PLAIN, "transfer.rate_factor": 0.2},
    "tenth": PLAIN,
    "default": {},
    "default, old answers not kept": {"transfer.distillation": 0.0},
    "default, statistics frozen": {"transfer.batch_norm": "frozen"},
    "default, gradual": {"transfer.unfreezing": "gradual"},
    "full, L2-SP": {**FULL, "transfer.l2_sp": 0.01},
    "full, distilled": {**FULL, "transfer.distillation": 0.5},
    "full, WiSE-FT 0.5": {**FULL, "transfer.interpolation": 0.5},
    "WiSE-FT by validation": {"transfer.interpolation": "validation", "data.validation_fraction": 0.1},
}


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar10", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--source-epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    halves = [_half(given.cifar10, given.out / name, low) for name, low in (("first", 0), ("second", 5))]
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in given.ways}
    for seed in given.seeds:
        source = _run(halves[0], given.out / f"source-{seed}", {
            "network": "resnet", "network.width": 16, "network.stem": "small", "training.seed": seed,
            "training.epochs": given.source_epochs, "data.validation_fraction": 0.0, "training.threads": given.threads,
        })  # fmt: skip
        print(f"source, seed {seed}: {source.metrics['test']['accuracy']:.2%}", flush=True)
        for way in given.ways:
            choices = {
                "transfer.weights": str(source.model_path),
                "transfer.source_data": str(halves[0]),
                "transfer.depth": "both",
                "data.validation_fraction": 0.0,
                "data.training_per_class": given.per_class,
                "data.seed": seed,
                "training.seed": seed,
                "training.threads": given.threads,
                **WAYS[way],
            }
            run = _run(halves[1], given.out / f"{way.replace(' ', '-').replace(',', '')}-{seed}", choices)
            report = json.loads((run.path / directory.TRANSFER).read_text())
            target = run.metrics["test"]["accuracy"]
            found[way].append((target, report["source_before"], report["source_after"]))
            print(
                f"{way}, seed {seed}: target {target:.2%}, source {report['source_before']:.2%} before, "
                f"{report['source_after']:.2%} after, α {report['share']:g}",
                flush=True,
            )
    print("\n| way | target accuracy | source after | forgotten, points |\n|---|---|---|---|")
    for way, rows in found.items():
        lost = [before - after for _, before, after in rows]
        cells = (_cell([row[0] for row in rows]), _cell([row[2] for row in rows]), _cell(lost))
        print(f"| {way} | {' | '.join(cells)} |")
    if {"full", "default"} <= found.keys():
        full, default = (statistics.fmean(b - a for _, b, a in found[way]) for way in ("full", "default"))
        gained = statistics.fmean(d[0] - f[0] for d, f in zip(found["default"], found["full"], strict=True))
        share, gained = f"{default / full:.0%}", f"{100 * gained:+.2f}"
        print(f"\nThe default forgets {share} of what full does, at {gained} points on the target.")


def _run(source: Path, out: Path, choices: dict[str, Any]) -> Run:
    if directory.finished(out):
        return Run(out)
    return sightline.train(str(source), choices, out=out, overwrite=True)


def _half(cifar10: Path, to: Path, low: int) -> Path:
    """Write the pictures of five classes, whose names take the place of their numbers."""
    import pyarrow
    from pyarrow import compute, parquet

    names = parquet.read_schema(cifar10 / "test.parquet").metadata[b"class_names"].decode().split(",")
    to.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        if not (to / f"{part}.parquet").exists():
            table = parquet.read_table(cifar10 / f"{part}.parquet")
            labels = table.column("label")
            table = table.filter(compute.and_(compute.greater_equal(labels, low), compute.less(labels, low + 5)))
            if part == "test":
                table = _first(table, TESTED)
            named = pyarrow.array([names[label] for label in table.column("label").to_pylist()])
            plain = pyarrow.table({"image": table.column("image"), "label": named})
            parquet.write_table(plain, to / f"{part}.parquet")
    return to


def _first(table: Any, count: int) -> Any:
    """Return the first rows of each label."""
    seen: Counter[int] = Counter()
    kept = []
    for row, label in enumerate(table.column("label").to_pylist()):
        seen[label] += 1
        if seen[label] <= count:
            kept.append(row)
    return table.take(kept)


def _cell(shares: list[float]) -> str:
    spread = f" ± {100 * statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * statistics.fmean(shares):.2f}{spread}"


if __name__ == "__main__":
    main()
