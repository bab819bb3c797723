"""The lecture's claims, measured: `docs/lecture-measured.md`, from comparisons that are trained as far as they are not.

    python benchmarks/lecture_measured.py ../shared/data [--weights ../shared/weights] [--runs runs/lecture] [--seeds 5]
        [--only NAME …] [--out docs/lecture-measured.md] [--results benchmarks/results/lecture]

`make lecture` does so. Each claim is a comparison of `lecture_claims.py`; stopped, it goes on where it was. A page of
its own is below `--runs`, what the generated page is made of below `--results`: claim, verdict, effects with their
intervals, a picture, and the command. A claim whose numbers are there, and whose command is still the same, is not
measured again unless it is named.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from lecture_claims import CLAIMS, Claim, Transfers
from lecture_pictures import draw
from sightline.comparison import compare
from sightline.model.backends import multiplies_in_bfloat16
from sightline.recipe.fields import show
from sightline.report.over_seeds import write

FAILED = "failed"
HEAD = """# The lecture, measured

Each claim of the lecture is a comparison on real pictures: {seeds} seeds for each arm, the same split, order and draws
for all, and for many a learning rate of its own for each arm, from a search of the same size. `make lecture` trains
them and writes this page; stopped, it goes on where it was. Those that have a verdict took about {minutes} minutes on
{machine}, some of them beside other work or stopped meanwhile. What is measured are small networks on slices of the
data; effects may differ where networks and data are large.

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
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/lecture"))
    given = parser.parse_args()
    transfers = Transfers()
    weights = given.weights / transfers.weights
    claims = [(claim, dict(claim.recipe)) for claim in CLAIMS]
    claims += [(claim, {**claim.recipe, "transfer.weights": str(weights)}) for claim in transfers.claims]
    words = {claim.name: command(claim, recipe, given.seeds) for claim, recipe in claims}
    for claim, recipe in claims:
        there = known(given.results, claim, words[claim.name])
        if claim.name not in given.only if given.only else bool(there):
            continue
        if "transfer.weights" in recipe and not weights.is_file():
            print(f"{claim.name}: left out, since {weights} is not there", flush=True)
            continue
        given.runs.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        found = compare(
            str(given.data / claim.data),
            recipe,
            vary=claim.vary,
            seeds=given.seeds,
            margin=claim.margin,
            tune_rate=claim.tune_rate,
            out=given.runs / claim.name,
            url=f"sqlite:///{given.runs / claim.data}.db",  # what one claim has trained others need not train
            command=words[claim.name],
        )
        write(given.runs / claim.name)
        # Most of it may have been trained by a process before this one.
        seconds = max(there.get("seconds", 0.0), time.perf_counter() - begun)
        there = kept(claim, found.as_dict(), seconds)
        given.results.mkdir(parents=True, exist_ok=True)
        (given.results / f"{claim.name}.json").write_text(json.dumps(there, indent=1) + "\n", encoding="utf-8")
        print(f"{claim.name}: {answer(claim, there)} ({seconds:.0f} s)", flush=True)
        _write(given.out, [each for each, _ in claims], given.results, words)
    _write(given.out, [each for each, _ in claims], given.results, words)


def _write(out: Path, claims: Sequence[Claim], results: Path, words: Mapping[str, str]) -> None:
    """Write the page and its pictures."""
    found = {claim.name: known(results, claim, words[claim.name]) for claim in claims}
    for name, of in found.items():
        if of:
            draw(of, out.with_suffix("") / f"{name}.svg")
    out.write_text(page(claims, found, out.stem), encoding="utf-8")


def kept(claim: Claim, found: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return what the page needs of a comparison."""
    gradients: dict[str, list[list[float]]] = {}
    for trial in found["trials"] if claim.gradients else ():
        if layers := trial.get("gradients"):
            gradients.setdefault(trial["arm"], []).append([layer["gradient"] or 0.0 for layer in layers])
    names = ("arms", "seeds", "command", "rates", "failed")
    return {
        **{name: found[name] for name in names},
        "values": found["values"]["accuracy"],
        "verdicts": found["verdicts"]["accuracy"],
        "gradients": gradients,
        "seconds": round(seconds, 1),
        "machine": f"{os.cpu_count()} cores, {'bfloat16' if multiplies_in_bfloat16() else 'float32'}",
    }


def known(results: Path, claim: Claim, command: str) -> dict[str, Any]:
    """Return what was measured of a claim; nothing where it was not, or was another comparison."""
    path = results / f"{claim.name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if found.get("command") == command else {}


def answer(claim: Claim, found: Mapping[str, Any]) -> str:
    """Return whether the claim holds: for all arms that it is about, for some, or for none."""
    if not found:
        return "not measured yet"
    verdicts, failed = found["verdicts"], found["failed"]
    answers = set()
    for arm in found["arms"][1:]:
        if found["arms"][0] in failed:
            answers.add(FAILED)
        else:  # a loss that is not finite is worse than any accuracy, and seeds that came through do not stand for all
            answers.add(_of_one(claim.wanted, "worse" if arm in failed else verdicts[arm]["says"]))
    if len(answers) == 1:
        return answers.pop()
    if "holds" in answers:
        return "holds in part"
    return (
        "does not hold" if "does not hold" in answers else "undecided"
    )  # one arm is enough to refute what is said of all


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


def page(claims: Sequence[Claim], found: Mapping[str, Mapping[str, Any]], pictures: str) -> str:
    """Return the generated page."""
    done = [claim for claim in claims if found[claim.name]]
    minutes = round(sum(found[claim.name]["seconds"] for claim in done) / 60.0)
    machines = " and ".join(sorted({found[claim.name]["machine"] for claim in done}))
    text = HEAD.format(seeds=len(found[done[0].name]["seeds"]), minutes=minutes, machine=machines)
    for claim in claims:
        says = f"[{claim.says}](#{claim.name})" if claim in done else claim.says
        text += f"| {says} | {answer(claim, found[claim.name])} |\n"
    for claim in done:
        of = found[claim.name]
        text += f'\n## <a id="{claim.name}"></a>{claim.says}\n\n**{answer(claim, of).capitalize()}.** {claim.data}. '
        text = f"{text.rstrip()} {claim.note}".rstrip() + "\n\n"
        text += f"![each seed of each arm]({pictures}/{claim.name}.svg)\n\n"
        text += "| arm | accuracy, % | effect | 95 % interval | p | verdict |\n|---|---:|---:|---:|---:|---|\n"
        for arm in of["arms"]:
            numbers = list(of["values"][arm].values())
            mean = f"{sum(numbers) / len(numbers):.2f}" if numbers else "failed"
            verdict = of["verdicts"].get(arm)
            cells = ["", "", "", ""]
            if verdict is not None:
                interval = f"{verdict['interval']['low']:+.2f} to {verdict['interval']['high']:+.2f}"
                cells = [f"{verdict['mean']:+.2f}", interval, f"{verdict['p_value']:.2g}", verdict["says"]]
            text += f"| {arm} | {mean} | {' | '.join(cells)} |\n"
        for arm, seeds in of["gradients"].items():
            known = [layers[0] / layers[-1] for layers in seeds if layers[-1]]
            share = fmean(known) if known else float("nan")
            text += f"\nGradient of the first layer before the first step, over that of the last, {arm}: {share:.2g}.\n"
        for arm, failed in of["failed"].items():
            text += f"\n{arm} failed with {len(failed)} of {len(of['seeds'])} seeds.\n"
        for arm, search in of["rates"].items():
            edge = ", the edge of what was tried" if search["at_the_edge"] else ""
            text += f"\nRate of {arm}: {search['rate']:g}{edge}.\n"
        text += f"\n```text\n{of['command']}\n```\n"
    return text


if __name__ == "__main__":
    main()
