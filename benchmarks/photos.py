"""Photos from scratch: Sightline with a few minutes beside fastai with more, same pictures, one after the other.

    python benchmarks/photos.py ../shared/data/flowers [--minutes 5] [--peer ../peers/bin/python] [--peer-minutes 15]
        [--seeds 0 1 2] [--size 128] [--out benchmarks/results/photos.jsonl]

For each seed a fifth of each class is drawn for the test; pictures that lie in two classes are left out. Sightline is
the command `sightline train FOLDER --minutes M` in a process of its own, report included, which draws its validation
pictures from the training ones; fastai is as `photos_fastai.py` says, with the time of its whole process. A line of
JSON is appended for each training. Nothing else should run beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from transfer_peers import divide

TESTED = 0.2


def main() -> None:
    """Run both in turn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--peer", help="the Python of an environment that has fastai")
    parser.add_argument("--peer-minutes", type=float, default=15.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=128, help="fastai's; Sightline chooses by itself")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/photos.jsonl"))
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for seed in given.seeds:
            place = Path(folder) / str(seed)
            divide(given.pictures, place / "pictures", lambda count: round((1.0 - TESTED) * count), seed)
            found = [("sightline", ours(place, seed, given.minutes))]
            if given.peer:
                found.append(("fastai", peers(given, place, seed)))
            for who, measured in found:
                line = {"pictures": given.pictures.name, "seed": seed, "who": who, **measured}
                print(json.dumps(line), flush=True)
                with given.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")


def ours(place: Path, seed: int, minutes: float) -> dict[str, Any]:
    """Train as a user would who has never seen these pictures."""
    command = [sys.executable, "-m", "sightline", "train", place / "pictures", "--minutes", minutes, "--quiet"]
    command += ["--set", f"training.seed={seed}", "--out", place / "run"]
    begun = time.perf_counter()
    run(command)
    seconds = time.perf_counter() - begun
    lines = [json.loads(line) for line in (place / "run" / "events.jsonl").read_text().splitlines()]
    sealed = next(line for line in lines if line["event"] == "sealed")
    epochs = sum(line["event"] == "epoch" for line in lines)
    return {"minutes": minutes, "accuracy": sealed["test"]["accuracy"], "epochs": epochs, "seconds": round(seconds, 1)}


def peers(given: argparse.Namespace, place: Path, seed: int) -> dict[str, Any]:
    """Train as a user of fastai would."""
    script = Path(__file__).with_name("photos_fastai.py")
    command = [given.peer, script, "--pictures", place / "pictures", "--size", given.size, "--seed", seed]
    measured: dict[str, Any] = json.loads(run([*command, "--minutes", given.peer_minutes]).splitlines()[-1])
    return {"minutes": given.peer_minutes, "size": given.size, **measured}


def run(command: list[Any]) -> str:
    """Run a command in a process of its own, and return what it printed."""
    kept = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, env=kept)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
