"""The proof of the diagnosis: each fault in a sick training, silence in a healthy one, and what the cure comes to.

    python benchmarks/diagnosis_proof.py --work DIR [--seeds 3] [--part 0/2] [--only CODE]
    python benchmarks/diagnosis_proof.py --work DIR --write docs

The first trains, for each case and seed, the sick run, the healthy one, and the sick one with what its finding
prescribes; runs that are there already are not trained again, so that several processes can divide the work (`--part`).
The second writes docs/diagnosis.md and docs/pictures/diagnosis.png from those runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from healthy_trainings import HEALTHY, data_for
from sick_trainings import CASES, Case

from sightline.comparison.cure import prescribe
from sightline.diagnosis import Finding, History, diagnose
from sightline.errors import SightlineError
from sightline.training import directory, train
from sightline.training.watching import history_of

OTHER = {"class-never-predicted": "balanced_accuracy"}
"""What is to rise, where that is not the accuracy."""
KINDS = ("sick", "healthy", "cured")


def main() -> None:
    """Train, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where the runs go")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="which share of the trainings, such as 0/2")
    parser.add_argument("--only", action="append", help="a code; may be repeated")
    parser.add_argument("--healthy", action="store_true", help="train the healthy recipes instead, for false alarms")
    parser.add_argument("--write", type=Path, help="the folder of the docs; trains nothing")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    options.work.mkdir(parents=True, exist_ok=True)
    if options.write is not None:
        write(options.work, options.write, options.seeds)
        return
    if options.healthy:
        for number, (name, chosen) in enumerate(HEALTHY.items()):
            if number % parts == part:
                print(name, accuracy_of(trained(options.work / f"healthy-{name}", *data_for(name), chosen)), flush=True)
        return
    jobs = [
        (case, seed) for seed in range(options.seeds) for case in CASES if not options.only or case.code in options.only
    ]
    for number, (case, seed) in enumerate(jobs):
        if number % parts == part:
            print(
                case.code,
                seed,
                *(f"{kind} {accuracy}" for kind, accuracy in prove(options.work, case, seed)),
                flush=True,
            )


def prove(work: Path, case: Case, seed: int):
    """Train one case and yield each kind's accuracy."""
    folder = work / f"pictures-{case.code}-{seed}"
    folder.mkdir(exist_ok=True)
    seeded = {"training.seed": seed}
    source, extra = case.source(folder, seed)
    sick = trained(place(work, case, "sick", seed), source, extra, {**case.sick, **seeded})
    yield "sick", accuracy_of(sick)
    well, other = case.healthy_source(folder, seed)
    yield "healthy", accuracy_of(trained(place(work, case, "healthy", seed), well, other, {**case.healthy, **seeded}))
    history = history_of(sick)
    if case.code not in {each.code for each in diagnose(history)}:
        return
    prescription = prescribe(history, (case.code,))
    if prescription.change:
        yield "cured", accuracy_of(trained(place(work, case, "cured", seed), source, {}, prescription.recipe))


def place(work: Path, case: Case, kind: str, seed: int) -> Path:
    return work / f"{case.code}-{kind}-{seed}"


def trained(path: Path, source, extra, chosen) -> Path:
    """Train a run that is not there yet; one that breaks down has a log too."""
    if not (path / directory.EVENTS).is_file():
        try:
            train(source, {**chosen, **extra} if isinstance(chosen, dict) else chosen, out=path, overwrite=True)
        except SightlineError as error:
            print(path.name, str(error)[:120], flush=True)
    return path


def accuracy_of(path: Path) -> float | None:
    """Accuracy on the test pictures; None where the training broke down."""
    sealed = history_of(path).sealed
    return sealed["test"]["accuracy"] if "test" in sealed else None


@dataclass(frozen=True)
class Proved:
    """What one case came to over the seeds."""

    case: Case
    finding: Finding | None
    fired: int
    silent: int
    gone: int
    seeds: int
    cured: int
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    histories: dict[str, list[History]]


def proved(work: Path, case: Case, seeds: int) -> Proved:
    """Read the runs of a case."""
    histories = {
        kind: [history_of(path) for seed in range(seeds) if (path := place(work, case, kind, seed)).is_dir()]
        for kind in KINDS
    }
    found = [
        next((each for each in diagnose(history) if each.code == case.code), None) for history in histories["sick"]
    ]

    def silent(kind: str) -> int:
        return sum(case.code not in {each.code for each in diagnose(history)} for history in histories[kind])

    def accuracy(history: History) -> float | None:
        if "test" not in history.sealed:
            return None
        if case.code == "forgetting":  # what is lost is lost on the source's pictures
            return history.transfer["source_after"]
        return history.sealed["test"][OTHER.get(case.code, "accuracy")]

    def accuracies(kind: str) -> tuple[float | None, ...]:
        return tuple(accuracy(history) for history in histories[kind])

    return Proved(
        case,
        next((each for each in found if each is not None), None),
        sum(each is not None for each in found),
        silent("healthy"),
        silent("cured"),
        len(histories["sick"]),
        len(histories["cured"]),
        accuracies("sick"),
        accuracies("cured"),
        histories,
    )


def write(work: Path, docs: Path, seeds: int) -> None:
    """Write the page and its picture."""
    all_proved = [proved(work, case, seeds) for case in CASES]
    (docs / "pictures" / "diagnosis.png").write_bytes(picture(all_proved))
    (docs / "diagnosis.md").write_text(page(work, all_proved), encoding="utf-8", newline="\n")


def page(work: Path, all_proved: list[Proved]) -> str:
    """Return docs/diagnosis.md."""
    parts = [HEAD, TABLE]
    for each in all_proved:
        finding = each.finding
        parts.append(
            f"| [`{each.case.code}`](#{each.case.code}) | {finding.severity if finding else '–'} | "
            f"{each.fired} of {each.seeds} | {each.silent} of {len(each.histories['healthy'])} | "
            f"{f'{each.gone} of {each.cured}' if each.cured else 'no recipe cures it'} | "
            f"{spread(each.before)} | {spread(each.after) if each.cured else '–'} |\n"
        )
    parts += ["\n", alarms(work), PICTURE, "## The faults\n"]
    for each in all_proved:
        finding = each.finding
        if finding is None:
            continue
        codes = sorted({f.code for history in each.histories["sick"] for f in diagnose(history)} - {each.case.code})
        cure = ", ".join(f"`{override}`" for override in finding.overrides) or "none; see the reason"
        parts += [
            f"\n### {each.case.code}\n\n",
            f"Sick: {each.case.says}. {finding.says}\n\n",
            f"- evidence: {'; '.join(f'{name}: {value}' for name, value in finding.told)}\n",
            f"- cure: {cure}\n",
            f"- why: {finding.reason} ({finding.reference})\n",
            f"- found with it: {', '.join(codes) or 'nothing else'}\n",
        ]
    return "".join(parts)


def alarms(work: Path) -> str:
    """Return the paragraph on false alarms."""
    rows = []
    errors = warnings = notes = 0
    for name in HEALTHY:
        path = work / f"healthy-{name}"
        if not path.is_dir():
            continue
        history = history_of(path)
        found = {each.code: each.severity for each in diagnose(history)}
        found |= {line["code"]: line["severity"] for line in history.found}
        errors += "error" in found.values()
        warnings += "warning" in found.values()
        notes += "note" in found.values()
        accuracy = history.sealed.get("test", {}).get("accuracy")
        rows.append(
            f"| {name} | {100 * accuracy:.1f} % | {', '.join(f'{c} ({s})' for c, s in found.items()) or '–'} |\n"
        )
    if not rows:
        return ""
    return (
        f"\n## False alarms\n\nOf {len(rows)} trainings in which nothing was made wrong, {errors} had a finding of "
        f"severity error, {warnings} a warning and {notes} a note, at any time of the "
        "training, those that passed included.\n\n"
        f"| training | test accuracy | findings |\n|---|---:|---|\n{''.join(rows)}\n"
    )


def spread(values: tuple[float | None, ...]) -> str:
    """Return mean and standard deviation in percent."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return "broke down"
    return f"{statistics.mean(known):.1f} ± {statistics.stdev(known) if len(known) > 1 else 0:.1f} %"


def picture(all_proved: list[Proved]) -> bytes:
    """Return a sheet: for each fault its evidence, and validation accuracy of the sick and of the cured runs."""
    import io

    from matplotlib.figure import Figure
    from PIL import Image

    shown = [each for each in all_proved if each.finding is not None]
    columns = 3
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.6 * columns, 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, 2 * columns, squeeze=False).reshape(-1, 2)
    for axes in panels[len(shown) :].flat:
        axes.set_axis_off()
    for each, (left, right) in zip(shown, panels, strict=False):
        for history in each.histories["sick"]:
            found = next((f for f in diagnose(history) if f.code == each.case.code), None)
            if found is not None and found.curve:
                left.plot(*zip(*found.curve, strict=True), color="#b35900", linewidth=1)
                left.set_xlabel(
                    "\n".join(found.drawn[at : at + 44] for at in range(0, len(found.drawn), 44)), fontsize=5
                )
        if not left.lines:
            left.set_axis_off()
        left.set_title(each.case.code, fontsize=8, loc="left")
        right.set_title("validation accuracy", fontsize=6, loc="left")
        for kind, color in (("sick", "#b35900"), ("cured", "#0b6fb8")):
            for history in each.histories[kind]:
                curve = history.validation("accuracy")
                if curve:
                    right.plot(*zip(*curve, strict=True), color=color, linewidth=1)
        right.set_ylim(0, 1.03)
        for axes in (left, right):
            axes.tick_params(labelsize=5, length=2)
            axes.spines[["top", "right"]].set_visible(False)
    drawn, written = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=90)
    # A few colors are enough for lines, and keep the file small.
    Image.open(drawn).convert("RGB").quantize(16).save(written, "png", optimize=True)
    return written.getvalue()


HEAD = """\
# Diagnosis

Generated by `benchmarks/diagnosis_proof.py` from the runs that it trains; three seeds each, on the embedded digits.

While a network trains, probes look at some of its steps (1, 4, 16, 64, then about
one in two hundred, fifty at most): what the units of
every layer do, how gradients flow, how far a step goes, whether training and inference agree. What they see goes into
`events.jsonl`; findings are small pure functions of that log, so that `sightline diagnose RUN` says the same as the
terminal did, at any time and of a run that is still training. `sightline cure RUN` trains again with what is
prescribed. No weight is changed by being looked at (`training.diagnosis = false` trains the same bits without), and it
costs 2.2 to 2.9 % of the time of a training on two cores (`benchmarks/diagnosis.py`: digits, Fashion-MNIST, flowers).

## Each fault, silence without it, and its cure

A sick training has one thing wrong with it; the healthy one is the same without. The cure is what the finding
prescribes and nothing else, from the sick recipe. Accuracy is on test pictures, mean and standard deviation over
seeds; of `class-never-predicted` it is the balanced accuracy (rare classes weigh little in the other), and of
`forgetting` that of the old last layer on its own pictures. `labels-shuffled`, `labels-noisy` and `leak-suspected` are
faults of the data, which no recipe mends; `unused-capacity` costs time, not accuracy; and digits are so easy that
`small-batch-norm` costs none here either, and layers that are all trained again get over `preprocessing-mismatch` by
themselves.

"""
TABLE = """\
| finding | severity | fires on the sick | silent on the healthy | gone with the cure | accuracy sick | cured |
|---|---|---:|---:|---:|---:|---:|
"""
PICTURE = """\
Of each fault its evidence in the sick runs, and validation accuracy of the sick (orange) and the cured (blue):

![Evidence and validation accuracy of each fault](pictures/diagnosis.png)

"""

if __name__ == "__main__":
    main()
