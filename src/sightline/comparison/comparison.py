"""A comparison: arms and seeds, what each trial came to, and what that says of the arms."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from sightline.comparison.measures import Measure, measures
from sightline.comparison.rates import Search
from sightline.comparison.store import Row
from sightline.errors import DataError
from sightline.statistics.verdict import Verdict, judged
from sightline.writing import write_whole

TABLE, NUMBERS = "trials.csv", "comparison.json"
PAIR = 2


@dataclass(frozen=True)
class Comparison:
    """What was found, arm by arm and seed by seed."""

    source: str
    side: str
    """Which pictures arms are compared on: test or validation."""
    arms: tuple[str, ...]
    """The first is the one that the others are held against."""
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    margin: float | None = None
    """A difference in accuracy, 0 to 1, that does not matter; None where none was stated."""
    choices: tuple[Mapping[str, str], ...] = ()
    """Of each arm, field and value; empty where arms are recipes of their own."""
    command: str = ""
    """That makes it again, where it was made by one."""
    levels: Mapping[str, float] = field(default_factory=dict)
    """What the p-value of each arm had to undercut when its trainings ended; empty where all seeds were trained."""
    searches: Mapping[str, Search] = field(default_factory=dict)
    """How each arm came to its learning rate, where it was searched for."""
    reach: float | None = None
    """A validation accuracy, 0 to 1, of which arms are also compared by how soon they reach it."""

    @property
    def base(self) -> str:
        """The arm that the others are held against."""
        return self.arms[0]

    @property
    def measures(self) -> dict[str, Measure]:
        """The numbers that arms are compared by, by name."""
        return measures(self.reach)

    def values(self, measure: str = "accuracy") -> dict[str, dict[int, float]]:
        """Return a number of each trial that is done, by arm and seed, in the unit that is shown.

        Args:
            measure: one of `measures`.

        Raises:
            DataError: there is no such measure.
        """
        if measure not in self.measures:
            raise DataError(f"measure: found {measure!r}, wanted one of {', '.join(self.measures)}.")
        chosen = self.measures[measure]
        found: dict[str, dict[int, float]] = {arm: {} for arm in self.arms}
        for row in self.rows:
            if row.state == "done" and (value := chosen.of(row.result, self.side)) is not None:
                found[row.trial.arm][row.trial.seed] = chosen.factor * value
        return found

    def trials(self, arm: str) -> int:
        """Return how many trainings of an arm there are, failed ones among them."""
        return sum(row.trial.arm == arm for row in self.rows)

    def whole(self, measure: str) -> set[str]:
        """Return the arms that can be judged by a measure, as `Measure.whole_by` says."""
        if not (by := self.measures[measure].whole_by):
            return set(self.arms)
        return {arm for arm, values in self.values(by).items() if len(values) == self.trials(arm)}

    def differences(self, measure: str = "accuracy") -> dict[str, Float64[ndarray, " seed"]]:
        """Return what each other arm has more than the first, for the seeds that both have; two of them at least."""
        values = self.values(measure)
        base = values[self.base]
        found = {}
        whole = self.whole(measure)
        for arm in self.arms[1:]:
            if not {arm, self.base} <= whole:
                continue
            shared = [seed for seed in self.seeds if seed in base and seed in values[arm]]
            if len(shared) > 1:
                found[arm] = np.array([values[arm][seed] - base[seed] for seed in shared])
        return found

    def verdicts(self, measure: str = "accuracy") -> dict[str, Verdict]:
        """Return what the seeds say of each other arm, all judged together; nothing of one that has too few."""
        differences = self.differences(measure)
        chosen = self.measures[measure]
        margin = None if self.margin is None or measure != "accuracy" else chosen.factor * self.margin
        levels = [self.levels[arm] for arm in differences] if self.levels and measure == "accuracy" else None
        found = judged(
            list(differences.values()), margin=margin, higher_is_better=chosen.higher_is_better, levels=levels
        )
        return dict(zip(differences, found, strict=True))

    def failed(self) -> dict[str, dict[int, str]]:
        """Return why trials failed, by arm and seed; arms without such are left out."""
        found: dict[str, dict[int, str]] = {}
        for row in self.rows:
            if row.state == "failed":
                found.setdefault(row.trial.arm, {})[row.trial.seed] = row.says
        return found

    def table(self) -> dict[str, list[Any]]:
        """Return columns with a row a trial, as `pandas.DataFrame` takes them: arm, seed, state, all measures."""
        columns: dict[str, list[Any]] = {"arm": [], "seed": [], "state": [], **{name: [] for name in self.measures}}
        values = {name: self.values(name) for name in self.measures}
        for row in self.rows:
            columns["arm"].append(row.trial.arm)
            columns["seed"].append(row.trial.seed)
            columns["state"].append(row.state)
            for name in self.measures:
                columns[name].append(values[name][row.trial.arm].get(row.trial.seed))
        return columns

    def write(self, folder: Path) -> None:
        """Write `trials.csv` and `comparison.json`.

        Raises:
            OutputError: they cannot be written.
        """
        columns = self.table()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        write_whole(folder / TABLE, text.getvalue().encode())
        write_whole(folder / NUMBERS, json.dumps(self.as_dict(), indent=1).encode())

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "source": self.source,
            "side": self.side,
            "arms": list(self.arms),
            "seeds": list(self.seeds),
            "margin": self.margin,
            "choices": [dict(each) for each in self.choices],
            "command": self.command,
            "levels": dict(self.levels),
            "rates": {arm: _rate(search) for arm, search in self.searches.items()},
            "sentences": sentences(self),
            "reach": self.reach,
            "measures": {
                name: {"says": m.says, "unit": m.unit, "factor": m.factor} for name, m in self.measures.items()
            },
            "values": {name: self.values(name) for name in self.measures},
            "verdicts": {
                measure: {arm: asdict(verdict) for arm, verdict in self.verdicts(measure).items()}
                for measure in self.measures
            },
            "failed": {arm: {str(seed): says for seed, says in seeds.items()} for arm, seeds in self.failed().items()},
            "trials": [
                {
                    "arm": row.trial.arm,
                    "seed": row.trial.seed,
                    "state": row.state,
                    "run": row.trial.digest,
                    **row.result,
                }
                for row in self.rows
            ],
        }


def _rate(search: Search) -> dict[str, Any]:
    tried = {f"{rate:g}": list(accuracies) for rate, accuracies in search.tried.items()}
    return {"rate": search.rate, "at_the_edge": search.at_the_edge, "tried": tried}


def sentences(comparison: Comparison, measure: str = "accuracy") -> list[str]:
    """Return what was found: which of several arms comes first, each other arm against the base, and what failed."""
    chosen, verdicts = comparison.measures[measure], comparison.verdicts(measure)
    unit = f" {chosen.unit}" if chosen.unit else ""
    found = []
    whole = comparison.whole(measure)
    means = {arm: summary(v)[0] for arm, v in comparison.values(measure).items() if v and arm in whole}
    if len(means) > PAIR:
        first = (max if chosen.higher_is_better else min)(means, key=means.__getitem__)
        shown = "%" if chosen.unit == "points" else chosen.unit
        found.append(f"Of {len(means)} recipes, {first} has the best mean {chosen.says}: {means[first]:.2f} {shown}.")
    found += [_sentence(comparison.base, arm, verdict, chosen.says, unit) for arm, verdict in verdicts.items()]
    found += _how_soon(comparison)
    for arm, seeds in comparison.failed().items():
        where = "in every seed" if len(seeds) == len(comparison.seeds) else f"with seed {_listed(list(seeds))}"
        found.append(f"{arm} failed {where}: {next(iter(seeds.values()))}")
    if comparison.levels:
        found.append(
            "Trainings of an arm ended once it was decided: at each look its p-value, not adjusted, was held against a "
            "stricter level, so that all looks and arms together err in one comparison of twenty at most."
        )
    if comparison.searches:
        found.append("Each arm has the best of its own learning rates, from a search of the same size for all.")
    found += [
        f"{arm}: the best rate, {search.rate:g}, is at the edge of what was tried, and a better one may lie beyond."
        for arm, search in comparison.searches.items()
        if search.at_the_edge
    ]
    return found


def _how_soon(comparison: Comparison) -> list[str]:
    """Return how soon each arm comes to the accuracy that was stated, and with how many of its seeds."""
    if comparison.reach is None:
        return []
    epochs, seconds = comparison.values("epochs_to"), comparison.values("seconds_to")
    found = []
    for arm in comparison.arms:
        text = f"{arm} reaches {100 * comparison.reach:g} % on the validation pictures with {len(epochs[arm])} of "
        text += f"{comparison.trials(arm)} seeds"
        if epochs[arm]:
            text += f", after {summary(epochs[arm])[0]:.1f} epochs in the mean"
        if seconds[arm]:
            text += f" and {summary(seconds[arm])[0]:.3g} s"
            if len(seconds[arm]) < len(epochs[arm]):
                text += f" (of {len(seconds[arm])} that were not interrupted)"
        found.append(f"{text}.")
    return found


def _sentence(base: str, arm: str, verdict: Verdict, measure: str, unit: str) -> str:
    low, high = verdict.interval.low, verdict.interval.high
    says = {
        "better": f"{arm} is better than {base}",
        "worse": f"{arm} is worse than {base}",
        "equivalent": f"{arm} and {base} are equivalent within the margin",
        "undecided": f"{arm} against {base} is undecided",
    }[verdict.says]
    text = (
        f"{says}: {verdict.mean:+.2f}{unit} of {measure} (95 % interval {low:+.2f} to {high:+.2f}, "
        f"{verdict.seeds} seeds, p = {verdict.p_value:.2g})."
    )
    if verdict.says == "undecided":
        needed = "more than 10,000" if verdict.needed is None else f"about {verdict.needed:,}"
        text += f" A difference as large as this would take {needed} seeds to be found in four cases of five."
    if not verdict.agree:
        text += (
            f" The bootstrap's interval is another one, {verdict.bootstrap.low:+.2f} to {verdict.bootstrap.high:+.2f}: "
            "few seeds, or one that stands apart."
        )
    return text


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def summary(values: Mapping[int, float]) -> tuple[float, float]:
    """Return mean and standard deviation over seeds; 0 for a single one."""
    numbers = np.array(list(values.values()))
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0
