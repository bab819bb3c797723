"""Peak memory of `sightline train` on 60,000 pictures against that on 6,000.

    python benchmarks/memory.py [--side 96]

Writes both data sets as JPEG files in class folders, trains one epoch on each in a fresh process with a fresh cache,
and prints the peak resident memory of both and the difference.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--counts", type=int, nargs=2, default=(6_000, 60_000))
    given = parser.parse_args()
    peaks = []
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / "pictures", count, given.side)
            peaks.append(peak(Path(folder), given.side))
        print(f"{count:7,} pictures of {given.side} px: peak {peaks[-1] / 1e6:,.0f} MB")
    print(f"difference: {(peaks[1] - peaks[0]) / 1e6:,.0f} MB")


def write(folder: Path, count: int, side: int) -> None:
    """Write `count` pictures, no two alike."""
    generator = np.random.default_rng(0)
    for number in range(count):
        small = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        path = folder / f"class {number % CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((side, side)).save(path)


def peak(folder: Path, side: int) -> int:
    """Return the peak resident memory, in bytes, of a training in a process of its own."""
    recipe = ["--set", "network=lenet", "--set", f"data.image_size={side}", "--epochs", "1"]
    command = [sys.executable, __file__, "train", str(folder / "pictures"), "--out", str(folder / "run"), *recipe]
    done = subprocess.run(
        command,
        env={**os.environ, "SIGHTLINE_CACHE": str(folder / "cache")},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.splitlines()[-1])


def train() -> None:
    """Run the command line in this process, then print its peak."""
    from sightline.cli.main import main as sightline

    try:
        sightline()
    except SystemExit as finished:
        if finished.code:
            raise
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    train() if sys.argv[1:2] == ["train"] else main()
