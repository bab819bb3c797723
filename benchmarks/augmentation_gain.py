"""What augmentation gains: test accuracy of policies over seeds, all else equal.

    python benchmarks/augmentation_gain.py ../shared/data/sign-digits [--policies none standard] [--seeds 0 1 2]
    python benchmarks/augmentation_gain.py ../shared/data/cifar10 --pictures 5000 --set augmentation.orientation=mirror

Each run is one call of `sightline.train` with the default recipe but for the policy, and `training.seed` and
`data.seed` set to the seed, so that initialization, order, augmentation and, where the source has no test set of its
own, the division all change together. Printed: every accuracy, then mean and standard deviation of each policy, and of
the differences at equal seeds.

`--pictures N` keeps the first N rows of a folder's `train.parquet`; its `test.parquet` is taken whole.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import sightline
from sightline.recipe import Recipe, apply_overrides


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--policies", nargs="+", default=["none", "standard"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--pictures", type=int, default=0, help="rows of train.parquet to keep; 0 keeps all")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="FIELD=VALUE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = (
            _shortened(Path(given.source), given.pictures, Path(folder) / "source") if given.pictures else given.source
        )
        found: dict[str, list[float]] = {policy: [] for policy in given.policies}
        for seed in given.seeds:
            for policy in given.policies:
                wanted = [f"augmentation.policy={policy}", f"training.seed={seed}", f"data.seed={seed}"]
                recipe = apply_overrides(Recipe(), [*given.overrides, *wanted])
                run = sightline.train(source, recipe, out=Path(folder) / f"{policy}-{seed}")
                test = run.metrics["test"]
                found[policy].append(100 * test["accuracy"])
                print(f"{policy:10s} seed {seed}: {found[policy][-1]:.2f} % of {test['images']:,}", flush=True)
    for policy, accuracies in found.items():
        print(f"{policy:10s} mean {statistics.mean(accuracies):.2f} %, standard deviation {_spread(accuracies)}")
    first, *others = given.policies
    for policy in others:
        gains = [after - before for before, after in zip(found[first], found[policy], strict=True)]
        print(f"{policy} − {first}: mean {statistics.mean(gains):+.2f} points, standard deviation {_spread(gains)}")


def _spread(numbers: list[float]) -> str:
    return f"{statistics.stdev(numbers):.2f}" if len(numbers) > 1 else "unknown"


def _shortened(source: Path, count: int, to: Path) -> Path:
    from pyarrow import parquet

    to.mkdir()
    parquet.write_table(parquet.read_table(source / "train.parquet").slice(0, count), to / "train.parquet")
    (to / "test.parquet").write_bytes((source / "test.parquet").read_bytes())
    return to


if __name__ == "__main__":
    main()
