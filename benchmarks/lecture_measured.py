"""The lecture's claims, measured: `docs/lecture-measured.md`, from comparisons that are trained as far as they are not.

    python benchmarks/lecture_measured.py ../shared/data [--weights ../shared/weights] [--runs runs/lecture] [--seeds 5]
        [--only NAME …] [--out docs/lecture-measured.md]

`make lecture` does so. Each claim is a comparison of `lecture_claims.py`; stopped, it goes on where it was. A page of
its own is below `--runs`; the generated page has claim, verdict, effects with their intervals, and the command.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lecture_claims import CLAIMS, Claim, Transfers
from sightline.comparison import compare
from sightline.comparison.comparison import NUMBERS
from sightline.recipe.fields import show
from sightline.report.over_seeds import write

SECONDS, FAILED = "seconds.txt", "failed"
HEAD = """# The lecture, measured

Each claim of the lecture is a comparison on real pictures: {seeds} seeds for each arm, the same split, order and draws
for all, and for many a learning rate of its own for each arm, from a search of the same size. `make lecture` trains
them and writes this page; stopped, it goes on where it was. Those that have a verdict took about {minutes} minutes on
two cores. What is measured are small networks on slices of the data; effects may differ where networks and data are
large.

"Holds" where the verdict is the one that the claim wants at the level of 0.05, adjusted for the number of arms; "does
not hold" where the opposite is decided; "undecided" otherwise; "in part" where arms differ. Effects are points of test
accuracy.

| claim | verdict |
|---|---|
"""


def main() -> None:
    """Train what is left, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights"))
    parser.add_argument("--runs", type=Path, default=Path("runs/lecture"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("docs/lecture-measured.md"))
    given = parser.parse_args()
    transfers = Transfers()
    weights = given.weights / transfers.weights
    claims = [(claim, dict(claim.recipe)) for claim in CLAIMS]
    if weights.is_file():
        claims += [(claim, {**claim.recipe, "transfer.weights": str(weights)}) for claim in transfers.claims]
    for claim, recipe in claims:
        if given.only and claim.name not in given.only:
            continue
        begun = time.perf_counter()
        compare(
            str(given.data / claim.data),
            recipe,
            vary=claim.vary,
            seeds=given.seeds,
            margin=claim.margin,
            tune_rate=claim.tune_rate,
            out=given.runs / claim.name,
            command=command(claim, recipe, given.seeds),
        )
        write(given.runs / claim.name)
        seconds = time.perf_counter() - begun
        with (given.runs / SECONDS).open("a", encoding="utf-8") as file:
            file.write(f"{claim.name} {seconds:.1f}\n")
        found = {each.name: measured(given.runs / each.name) for each, _ in claims}
        given.out.write_text(page([each for each, _ in claims], found, minutes_of(given.runs)), encoding="utf-8")
        print(f"{claim.name}: {answer(claim, found[claim.name])} ({seconds:.0f} s)", flush=True)


def measured(folder: Path) -> dict[str, Any]:
    """Return the numbers of a comparison; nothing where it has not been carried out."""
    path = folder / NUMBERS
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def minutes_of(runs: Path) -> float:
    """Return how long all of it took, over the processes that it was carried out by."""
    return sum(float(line.split()[1]) for line in (runs / SECONDS).read_text(encoding="utf-8").splitlines()) / 60.0


def answer(claim: Claim, found: Mapping[str, Any]) -> str:
    """Return whether the claim holds: for all arms that it is about, for some, or for none."""
    if not found:
        return "not measured yet"
    verdicts = found["verdicts"]["accuracy"]
    answers = {_of_one(claim.wanted, verdicts[arm]["says"]) if arm in verdicts else FAILED for arm in found["arms"][1:]}
    return answers.pop() if len(answers) == 1 else "holds in part" if "holds" in answers else "undecided"


def _of_one(wanted: str, says: str) -> str:
    match wanted:
        case "better" | "worse":
            opposite = {"better": ("worse", "equivalent"), "worse": ("better", "equivalent")}[wanted]
            return "holds" if says == wanted else "does not hold" if says in opposite else "undecided"
        case "not better":
            return "does not hold" if says == "better" else "holds" if says in ("worse", "equivalent") else "undecided"
        case _:
            return "does not hold" if says == "worse" else "holds" if says in ("better", "equivalent") else "undecided"


def command(claim: Claim, recipe: dict[str, object], seeds: int) -> str:
    """Return the command line that makes the comparison."""
    words = ["sightline", "compare", claim.data]
    for field, value in recipe.items():
        words += ["--set", f"{field}={value if isinstance(value, str) else show(value)}"]
    for each in claim.vary:
        words += ["--vary", each]
    words += ["--seeds", str(seeds)]
    words += ["--tune-rate"] if claim.tune_rate else []
    words += ["--margin", f"{100 * claim.margin:g}"] if claim.margin is not None else []
    return shlex.join(words)


def page(claims: Sequence[Claim], found: Mapping[str, Mapping[str, Any]], minutes: float) -> str:
    """Return the generated page."""
    done = [claim for claim in claims if found[claim.name]]
    text = HEAD.format(seeds=len(found[done[0].name]["seeds"]), minutes=round(minutes))
    for claim in claims:
        says = f"[{claim.says}](#{claim.name})" if claim in done else claim.says
        text += f"| {says} | {answer(claim, found[claim.name])} |\n"
    for claim in done:
        of = found[claim.name]
        text += f'\n## <a id="{claim.name}"></a>{claim.says}\n\n**{answer(claim, of).capitalize()}.** {claim.data}. '
        text = f"{text.rstrip()} {claim.note}".rstrip() + "\n\n"
        text += "| arm | accuracy, % | effect | 95 % interval | p | verdict |\n|---|---:|---:|---:|---:|---|\n"
        for arm in of["arms"]:
            numbers = list(of["values"]["accuracy"][arm].values())
            mean = f"{sum(numbers) / len(numbers):.2f}" if numbers else "failed"
            verdict = of["verdicts"]["accuracy"].get(arm)
            cells = ["", "", "", ""]
            if verdict is not None:
                interval = f"{verdict['interval']['low']:+.2f} to {verdict['interval']['high']:+.2f}"
                cells = [f"{verdict['mean']:+.2f}", interval, f"{verdict['p_value']:.2g}", verdict["says"]]
            text += f"| {arm} | {mean} | {' | '.join(cells)} |\n"
        for arm, failed in of["failed"].items():
            text += f"\n{arm} failed with {len(failed)} of {len(of['seeds'])} seeds.\n"
        for arm, search in of["rates"].items():
            edge = ", the edge of what was tried" if search["at_the_edge"] else ""
            text += f"\nRate of {arm}: {search['rate']:g}{edge}.\n"
        text += f"\n```text\n{of['command']}\n```\n"
    return text


if __name__ == "__main__":
    main()
