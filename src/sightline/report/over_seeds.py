"""`comparison.html`: recipes over several seeds on one page that needs nothing but itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from string import ascii_uppercase
from typing import Any

from sightline.errors import DataError
from sightline.report import charts
from sightline.report.templates import template
from sightline.writing import write_whole

NUMBERS, PAGE = "comparison.json", "comparison.html"
FIELDS = 2
"""Fields of a grid whose combinations are shown as a table."""


def write(folder: Path) -> Path:
    """Write the page of a comparison from its numbers, and return where it is.

    Raises:
        DataError: there is no comparison, or its numbers cannot be read.
        OutputError: the page cannot be written.
    """
    try:
        found = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        page = render(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / NUMBERS}: found no numbers of a comparison ({error}). Make them: sightline compare … "
            f"--out {folder}"
        ) from error
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE


def render(found: Mapping[str, Any]) -> str:
    """Return the page as HTML; every name in it is escaped."""
    arms = list(found["arms"])
    letters = dict(zip(arms, _letters(len(arms)), strict=True))
    return str(
        template("over_seeds.html").render(
            found=found,
            arms=[(letters[arm], arm) for arm in arms],
            looks=charts.looks(len(arms)),
            forest=_forest(found, letters),
            verdicts=list(_verdicts(found, letters)),
            rows=list(_rows(found, arms)),
            curves=_curves(found, letters),
            gradients=_gradients(found, letters),
            cost=_cost(found, letters),
            grid=_grid(found),
            findings=_findings(found, arms),
            done=sum(trial["state"] == "done" for trial in found["trials"]),
        )
    )


def _letters(count: int) -> list[str]:
    return [*ascii_uppercase[:count], *(str(number) for number in range(len(ascii_uppercase) + 1, count + 1))]


def _forest(found: Mapping[str, Any], letters: Mapping[str, str]) -> str:
    rows = [
        (letters[arm], verdict["mean"], verdict["interval"]["low"], verdict["interval"]["high"])
        for arm, verdict in found["verdicts"]["accuracy"].items()
    ]
    base = letters[found["arms"][0]]
    return charts.forest(rows, f"points of {found['side']} accuracy more than {base}") if rows else ""


def _verdicts(found: Mapping[str, Any], letters: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    for arm, verdict in found["verdicts"]["accuracy"].items():
        spread = verdict["spread"]
        yield (
            letters[arm],
            [
                verdict["says"],
                f"{verdict['mean']:+.2f}",
                _range(verdict["interval"]),
                _range(verdict["bootstrap"]),
                f"{verdict['mean'] / spread:+.1f}" if spread else "–",
                _chance(verdict["p_value"]),
                _chance(verdict["sign_flip"]),
                "–" if verdict["equivalence"] is None else _chance(verdict["equivalence"]),
                "> 10,000" if verdict["needed"] is None else f"{verdict['needed']:,}",
            ],
        )


def _rows(found: Mapping[str, Any], arms: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each measure with mean and standard deviation of each arm, and of how many trainings where not of all."""
    trained = Counter(trial["arm"] for trial in found["trials"])
    for name, measure in found["measures"].items():
        unit = "%" if measure["unit"] == "points" else measure["unit"]
        cells = []
        for arm in arms:
            values = list(found["values"][name][arm].values())
            spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
            of = f" ({len(values)} of {trained[arm]})" if len(values) < trained[arm] else ""
            cells.append(f"{fmean(values):.2f}{spread}{of}" if values else "–")
        yield f"{measure['says']}{', ' if unit else ''}{unit}", cells


def _curves(found: Mapping[str, Any], letters: Mapping[str, str]) -> dict[str, str]:
    drawn = {}
    for name, label, factor in (("loss", "validation loss", 1.0), ("accuracy", "validation accuracy, %", 100.0)):
        arms: dict[str, dict[int, list[float]]] = {arm: {} for arm in letters}
        for trial in found["trials"]:
            for epoch in trial.get("curve", ()):
                if epoch[name] is not None:
                    arms[trial["arm"]].setdefault(epoch["epoch"], []).append(factor * epoch[name])
        if any(arms.values()):
            drawn[name] = charts.bands(list(arms.values()), list(letters.values()), label)
    return drawn


def _gradients(found: Mapping[str, Any], letters: Mapping[str, str]) -> str:
    """Return the gradients of the layers before the first step; nothing where none were looked at."""
    arms: dict[str, list[list[float]]] = {arm: [] for arm in letters}
    for trial in found["trials"]:
        if layers := trial.get("gradients"):
            arms[trial["arm"]].append([layer["gradient"] or 0.0 for layer in layers])
    if not any(arms.values()):
        return ""
    return charts.by_layer(list(arms.values()), list(letters.values()), "norm of the gradient")


def _cost(found: Mapping[str, Any], letters: Mapping[str, str]) -> str:
    points: list[tuple[str, float, float] | None] = []
    for arm, letter in letters.items():
        seconds, accuracy = (list(found["values"][name][arm].values()) for name in ("seconds", "accuracy"))
        points.append((letter, fmean(seconds), fmean(accuracy)) if seconds and accuracy else None)
    return charts.scatter(points, "seconds of a training, beside others", f"{found['side']} accuracy, %")


def _grid(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mean accuracy of each combination of two fields; empty where the arms are no such grid."""
    choices = found["choices"]
    fields = list(choices[0]) if choices else []
    if len(fields) != FIELDS:
        return {}
    down, across = ([*dict.fromkeys(each[field] for each in choices)] for field in fields)
    cells: dict[tuple[str, str], str] = {}
    for arm, chosen in zip(found["arms"], choices, strict=True):
        values = list(found["values"]["accuracy"][arm].values())
        cells[chosen[fields[0]], chosen[fields[1]]] = f"{fmean(values):.2f}" if values else "–"
    rows = [(value, [cells.get((value, other), "") for other in across]) for value in down]
    return {"down": fields[0], "across": fields[1], "columns": across, "rows": rows}


def _findings(found: Mapping[str, Any], arms: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return how many trainings of each arm diagnosis found something in, by its code."""
    counts: dict[str, dict[str, int]] = {}
    for trial in found["trials"]:
        for code in trial.get("findings", ()):
            of = counts.setdefault(code, {})
            of[trial["arm"]] = of.get(trial["arm"], 0) + 1
    return [(code, [str(of.get(arm, "")) for arm in arms]) for code, of in sorted(counts.items())]


def _range(interval: Mapping[str, float]) -> str:
    return f"{interval['low']:+.2f} to {interval['high']:+.2f}"


def _chance(p_value: float) -> str:
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"
