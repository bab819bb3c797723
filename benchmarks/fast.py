"""The recipe `fast`: accuracy, and seconds from the command to the answer, over seeds or time budgets.

    python benchmarks/fast.py PICTURES [--seeds 5] [--minutes 1 2 5 10] [--out benchmarks/results/fast.jsonl]

Each is two commands in fresh processes, timed by the clock around them: `sightline train PICTURES --recipe fast` with
its report, and `sightline evaluate` with views of the test pictures that the model is less than 90 % sure of. The seed
is that of the training; the split stays. A line of JSON is appended for each as soon as it is there. Nothing else
should run beside.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

VIEWS = ("--test-time-augmentation", "both", "--certain", "0.9", "--backend", "torch")


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    parser.add_argument("--minutes", type=float, nargs="*", default=[])
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="FIELD=VALUE")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fast.jsonl"))
    chosen = parser.parse_args()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    for minutes in chosen.minutes or [None]:
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            found = one(chosen.pictures, chosen.recipe, seed, minutes, chosen.overrides)
            print(json.dumps(found), flush=True)
            with chosen.out.open("a") as file:
                file.write(json.dumps(found) + "\n")


def one(pictures: str, recipe: str, seed: int, minutes: float | None, overrides: list[str]) -> dict[str, Any]:
    """Train and judge once."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        options = ["--recipe", recipe] if recipe != "default" else []
        options += [] if minutes is None else ["--minutes", str(minutes)]
        for each in overrides:
            options += ["--set", each]
        begun = time.perf_counter()
        sightline("train", pictures, *options, "--set", f"training.seed={seed}", "--quiet", "--out", str(out))
        trained = time.perf_counter()
        judged = json.loads(sightline("evaluate", str(out), pictures, *VIEWS, "--format", "json"))
        ended = time.perf_counter()
        epochs = [json.loads(line) for line in (out / "times.jsonl").read_text().splitlines()]
    return {
        "pictures": Path(pictures).name,
        "recipe": recipe,
        "overrides": overrides,
        "seed": seed,
        "minutes": minutes,
        "accuracy": judged["without_test_time_augmentation"]["accuracy"],
        "accuracy_with_views": judged["accuracy"],
        "seconds": round(trained - begun, 1),
        "seconds_with_views": round(ended - begun, 1),
        "seconds_of_epochs": [line["seconds"] for line in epochs if line["event"] == "epoch"],
        "machine": platform.processor() or platform.machine(),
    }


def sightline(*arguments: str) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run([sys.executable, "-m", "sightline", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sightline {' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
