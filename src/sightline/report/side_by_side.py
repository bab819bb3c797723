"""`comparison.html`: several runs beside each other on one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sightline.errors import OutputError
from sightline.report import charts
from sightline.report.contenders import Comparison, Contender, Pair, differing_fields
from sightline.report.cost import amount
from sightline.report.page import TABLE, measures
from sightline.report.sentences import percent
from sightline.report.templates import template
from sightline.writing import write_whole

MARK = "Sightline comparison"
"""What tells such a page from somebody's own, among its first bytes."""
BEGINNING = 4096
SHOWN = 12
"""Pairs up to which each has its sentence without being asked."""


def refuse_foreign(place: Path) -> None:
    """Raise OutputError where something lies at `place` that is no page of several runs."""
    try:
        if not place.exists():
            return
        with place.open("rb") as file:
            known = MARK.encode() in file.read(BEGINNING)
    except (OSError, ValueError) as error:
        raise OutputError(f"{place}: cannot be written ({error}). Choose another name: --out FILE") from error
    if not known:
        raise OutputError(
            f"{place}: holds something that is no comparison of runs. Choose another name (--out FILE), or replace it: "
            "--overwrite"
        )


def write_comparison(comparison: Comparison, place: Path) -> None:
    """Write the page.

    Raises:
        OutputError: it cannot be written there.
    """
    write_whole(place, render_comparison(comparison).encode())


def render_comparison(comparison: Comparison) -> str:
    """Return the page as HTML; every name in it is escaped."""
    contenders = comparison.contenders
    epochs = sorted({int(epoch["epoch"]) for each in contenders for epoch in each.story.epochs})
    curves = {name: _curve(comparison, name) for name in ("loss", "accuracy")}
    return str(
        template("comparison.html").render(
            mark=MARK,
            contenders=contenders,
            looks=charts.looks(len(contenders)),
            opening=tuple(overview(comparison)),
            side=comparison.side,
            rows=list(_rows(comparison)),
            differing=differing_fields(comparison),
            pairs=[(pair, sentence(pair)) for pair in comparison.pairs],
            folded=len(comparison.pairs) > SHOWN,
            curves={
                name: charts.together(points, [each.letter for each in contenders], label)
                for (name, points), label in zip(
                    curves.items(), ("validation loss", "validation accuracy, %"), strict=True
                )
                if any(points)
            },
            epochs=[(epoch, [_of_epoch(each, epoch) for each in contenders]) for epoch in epochs],
            classes=_classes(comparison),
            judged=comparison.judged,
            table=TABLE,
        )
    )


def overview(comparison: Comparison) -> Iterator[str]:
    """Yield the sentences that the page opens with: which is best, how comparable they are, what chance explains."""
    judged = [(each, each.judged) for each in comparison.judged if each.judged is not None]
    missing = [each.letter for each in comparison.contenders if each.judged is None]
    if not judged:
        yield "None of these runs has been judged on pictures that were held out, so that none can be called better."
        return
    best = max(found.accuracy for _, found in judged)
    first = [(each, found) for each, found in judged if found.accuracy == best]
    names = _listed([each.letter for each, _ in first])
    low, high = first[0][1].interval.low, first[0][1].interval.high
    yield (
        f"Right most often: {names}, on {percent(best)} of {first[0][1].images:,} {comparison.side} pictures "
        f"({percent(low)} to {percent(high)} with 95 % confidence)."
    )
    if missing:
        has = "has" if len(missing) == 1 else "have"
        yield f"{_listed(missing)} {has} no judgment of {comparison.side} pictures, and {has} no part in that."
    if len(judged) > 1:
        yield from _how_comparable(comparison)
        yield (
            "Each run is one training: with another seed its order among the others may change. The test is of these "
            "models, not of their recipes."
        )


def sentence(pair: Pair) -> str:
    """Return what a pair of runs on the same pictures comes to."""
    first, second = pair.first, pair.second
    if not pair.only_first and not pair.only_second:
        return f"{first} and {second} are right on the very same pictures."
    counts = f"Only {first} is right on {pair.only_first:,} pictures, only {second} on {pair.only_second:,}"
    if pair.beyond_chance:
        better = first if pair.only_first > pair.only_second else second
        return f"{counts}: {better} is better, which chance alone would hardly show ({_chance(pair)})."
    return f"{counts}: chance alone may show as much ({_chance(pair)})."


def _how_comparable(comparison: Comparison) -> Iterator[str]:
    groups = comparison.groups
    listed = "".join(groups)
    unlisted = [each.letter for each in comparison.judged if each.letter not in listed]
    if unlisted:
        yield f"{_listed(unlisted)} kept no list of predictions, and cannot be compared picture by picture."
    if len(groups) > 1:
        yield (
            f"Not all were judged on the same pictures ({'; '.join(_listed(group) for group in groups)}), so that they "
            "cannot be compared picture by picture; where their intervals overlap, neither can be called better."
        )
    if len(comparison.pairs) == 1:
        yield sentence(comparison.pairs[0])
    elif comparison.pairs:
        beyond = sum(pair.beyond_chance for pair in comparison.pairs)
        yield (
            f"Of {len(comparison.pairs):,} pairs that were judged on the same pictures, {beyond:,} differ by more than "
            "chance explains."
        )


def _rows(comparison: Comparison) -> Iterator[tuple[str, str, list[str]]]:
    """Yield name, explanation and a cell for each run."""
    contenders = comparison.contenders

    def of(name: str, says: str, cell: Any) -> tuple[str, str, list[str]]:
        return name, says, [cell(each) for each in contenders]

    of_side = {
        each.letter: {m.name: m for m in measures(each.judged)} for each in contenders if each.judged is not None
    }
    for name in ("accuracy", "balanced accuracy", "macro F1"):
        cells = []
        for each in contenders:
            measure = of_side.get(each.letter, {}).get(name)
            interval = f" ({percent(measure.interval.low)} to {percent(measure.interval.high)})" if measure else ""
            cells.append(f"{percent(measure.value)}{interval}" if measure else "–")
        yield name, "Wilson's interval" if name == "accuracy" else "bootstrap interval", cells
    yield of("calibration error", "ECE; 0 where confidence is accuracy", lambda c: _percent(c.calibration_error))
    yield of("pictures judged", comparison.side, lambda c: f"{c.judged.images:,}" if c.judged else "–")
    yield of("best epoch", "whose weights were sealed", _best)
    yield of("time", "of the training", lambda c: f"{c.story.cost.seconds:,.1f} s" if c.story.cost.seconds else "–")
    yield of("pictures per second", "judging included", _speed)
    if any(each.story.cost.energy for each in contenders):
        yield of("energy", "by counters of whole devices", _energy)
    yield of("parameters", "of the network", lambda c: f"{c.story.parameters:,}" if c.story.parameters else "–")
    yield of(
        "model", "size of the file", lambda c: f"{c.story.model_bytes / 1e6:,.1f} MB" if c.story.model_bytes else "–"
    )


def _best(contender: Contender) -> str:
    best = int(contender.story.sealed.get("best_epoch", 0))
    return f"{best:,} of {len(contender.story.epochs):,}" if best else "–"


def _speed(contender: Contender) -> str:
    speed = contender.story.cost.images_per_second
    return f"{speed:,.1f}" if speed is not None else "–"


def _energy(contender: Contender) -> str:
    watt_hours = contender.story.cost.watt_hours
    return amount(watt_hours) if watt_hours is not None else "–"


def _curve(comparison: Comparison, name: str) -> list[list[tuple[int, float]]]:
    """Return each run's epochs and validation values, without those that are not known."""
    found = []
    for each in comparison.contenders:
        values = [(int(epoch["epoch"]), (epoch.get("validation") or {}).get(name)) for epoch in each.story.epochs]
        known = [(epoch, float(value)) for epoch, value in values if value is not None]
        found.append([(epoch, 100 * value if name == "accuracy" else value) for epoch, value in known])
    return found


def _of_epoch(contender: Contender, number: int) -> tuple[str, str]:
    epoch: Mapping[str, Any] = next((e for e in contender.story.epochs if e["epoch"] == number), {})
    validation = epoch.get("validation") or {}
    loss = validation.get("loss")
    return "" if loss is None else f"{loss:.4f}", percent(validation["accuracy"]) if validation else ""


def _classes(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return each class with the recall of each run that was judged, the weakest first; none where classes differ."""
    if not comparison.same_classes:
        return []
    recalls = [each.judged for each in comparison.judged if each.judged is not None]
    occurs = [found.confusion.sum(axis=1) > 0 for found in recalls]
    names = comparison.judged[0].story.class_names
    order = sorted(range(len(names)), key=lambda c: sum(float(found.values["recall"][c]) for found in recalls))
    return [
        (
            names[c],
            [
                percent(float(found.values["recall"][c])) if there[c] else "–"
                for found, there in zip(recalls, occurs, strict=True)
            ],
        )
        for c in order
    ]


def _chance(pair: Pair) -> str:
    corrected = "" if pair.corrected == pair.chance else f", for all pairs together {_number(pair.corrected)}"
    return f"p {_number(pair.chance)}{corrected}"


def _number(chance: float) -> str:
    return "< 0.0001" if chance < 1e-4 else f"= {chance:.2g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _listed(letters: Any) -> str:
    found = list(letters)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
