"""What the diagnosis costs: whole trainings with probes and without, in turns, in one process.

    python benchmarks/diagnosis.py [digits|fashion|PICTURES] [--set FIELD=VALUE] [--rounds 5]

Printed: the seconds of each side's steps, validation and log (without reading the pictures and without the judgment
at the end), the ratio of each round with its median, probes taken, and whether the weights are the same bits. On a
machine whose speed wavers by more than what is measured, the share of the time that was spent in the diagnosis itself,
by a clock around it, says more than the ratio; its median is printed too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sightline.recipe import Recipe, apply_overrides
from sightline.training import Prepared, prepare, start, survey

FASHION = Path(__file__).parents[2] / "shared" / "data" / "fashion-mnist"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="digits")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    source = str(FASHION) if given.source == "fashion" else given.source
    with tempfile.TemporaryDirectory() as folder:
        sides = {}
        for watched in (True, False):
            chosen = [*given.overrides, f"training.diagnosis={str(watched).lower()}"]
            sides[watched] = prepare(survey(source, apply_overrides(Recipe(), chosen)))
        ratios, shares = [], []
        for number in range(given.rounds):
            # Who goes first changes from round to round.
            order = (True, False) if number % 2 else (False, True)
            taken = {watched: seconds(sides[watched], Path(folder) / f"{number}-{watched}") for watched in order}
            ratios.append(taken[True][0] / taken[False][0])
            shares.append(taken[True][3] / (taken[True][0] - taken[True][3]))
            print(
                f"round {number + 1}: with {taken[True][0]:.2f} s, without {taken[False][0]:.2f} s, "
                f"{100 * (ratios[-1] - 1):+.2f} %; spent in it {100 * shares[-1]:.2f} %; {taken[True][2]} probes; "
                f"weights {'the same' if taken[True][1] == taken[False][1] else 'DIFFERENT'}",
                flush=True,
            )
    print(
        f"overhead: {100 * (statistics.median(ratios) - 1):+.2f} % "
        f"({100 * (min(ratios) - 1):+.2f} to {100 * (max(ratios) - 1):+.2f} %); spent in it, by the clock: "
        f"{100 * statistics.median(shares):.2f} % ({100 * min(shares):.2f} to {100 * max(shares):.2f} %)"
    )


def seconds(prepared: Prepared, path: Path) -> tuple[float, str, int, float]:
    """Train once, and return the seconds, the weights' digest, the number of probes and the seconds spent in them."""
    path.mkdir()
    session = start(prepared, path)
    observer, spent = session.watch, [0.0]

    def clocked(function):
        def timed(*given, **named):
            begun = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                spent[0] += time.perf_counter() - begun

        return timed

    # `after` looks for findings itself; at the ends of epochs the session asks `found`.
    find, observer.found = observer.found, clocked(observer.found)
    observer.before = clocked(observer.before)
    after = observer.after

    def without_counting_twice(*given):
        observer.found = find
        try:
            return clocked(after)(*given)
        finally:
            observer.found = clocked(find)

    observer.after = without_counting_twice
    begun = time.perf_counter()
    for _ in session.events():
        pass
    taken = time.perf_counter() - begun
    watch = observer.watch
    return taken, session.fingerprint(), 0 if watch is None else len(watch.history.probes), spent[0]


if __name__ == "__main__":
    main()
