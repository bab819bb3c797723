"""`report.html` of a run: one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.recipe import to_toml
from sightline.report import charts
from sightline.report.card import render_card
from sightline.report.filters import sheet
from sightline.report.predicted import KINDS, address
from sightline.report.sentences import opening, percent
from sightline.report.story import SIDES, Judged, Story
from sightline.report.templates import template
from sightline.statistics.counted import balanced_accuracy, bootstrap, macro_f1, wilson
from sightline.statistics.interval import Interval
from sightline.training import directory
from sightline.training.calibration import expected_calibration_error, reliability
from sightline.training.metrics import most_confused
from sightline.writing import write_whole

TABLE = 25
"""Classes up to which the whole confusion matrix is a table that a person reads."""
CONFUSIONS = 10
"""Most frequent mistakes that are listed."""
LISTED = 50
"""Refused files that are named."""


@dataclass(frozen=True)
class Measure:
    """A number with what it may truly be."""

    name: str
    value: float
    interval: Interval
    says: str


@dataclass(frozen=True)
class OfClass:
    """How one class fared."""

    name: str
    images: int
    recall: float
    interval: Interval | None
    """None where there is no picture of the class."""
    precision: float


def write(story: Story) -> Path:
    """Write report and model card of a run into its directory, and return where the report is.

    Raises:
        OutputError: they cannot be written.
    """
    page = story.path / directory.REPORT
    write_whole(page, render(story).encode())
    write_whole(story.path / directory.CARD, render_card(story).encode())
    return page


def render(story: Story, *, live: str = "") -> str:
    """Return the page as HTML; every name in it is escaped.

    Args:
        story: what the run tells.
        live: where the run stands, for the page of a server: it has a line for that and a script that keeps all of it
            up to date, and the server has to say what the page may load. Empty for a page that stands for itself.
    """
    best = int(story.sealed.get("best_epoch", 0))
    return str(
        template("page.html").render(
            story=story,
            live=live,
            name=Path(story.source).name,
            opening=opening(story),
            judged=[_judged(story, each) for each in story.judged],
            curves=charts.curves(story.epochs, best=best) if story.epochs else {},
            best=best,
            findings=[(each, charts.line(each.curve) if each.curve else "") for each in story.findings],
            validated=any(each.get("validation") for each in story.epochs),
            rows=[_epoch(each) for each in story.epochs],
            counts=[(name, [of.get(side, 0) for side in SIDES]) for name, of in story.counts.items()],
            sides=[side for side in SIDES if any(of.get(side, 0) for of in story.counts.values())],
            all_sides=SIDES,
            table=TABLE,
            pictures=[(KINDS[kind], shown) for kind, shown in story.pictures.items()],
            looked=any(each.places is not None for shown in story.pictures.values() for each in shown),
            drawings={name: address(drawing, "png") for name, drawing in story.drawings.items()},
            filters="" if story.filters is None else address(sheet(story.filters), "png"),
            recipe=to_toml(story.recipe),
            refused=story.refused[:LISTED],
            fingerprint=story.sealed.get("fingerprint", ""),
        )
    )


def measures(judged: Judged) -> tuple[Measure, ...]:
    """Return accuracy, balanced accuracy and macro F1, each with its 95 % interval."""
    confusion, values = judged.confusion, judged.values
    return (
        Measure("accuracy", judged.accuracy, judged.interval, "share of pictures that are right"),
        Measure(
            "balanced accuracy",
            float(values["balanced_accuracy"]),
            bootstrap(confusion, balanced_accuracy),
            "mean over the classes of the share of their pictures that is found",
        ),
        Measure(
            "macro F1",
            float(values["macro_f1"]),
            bootstrap(confusion, macro_f1),
            "mean over the classes of 2 · precision · recall / (precision + recall)",
        ),
    )


def of_classes(names: Sequence[str], judged: Judged) -> tuple[OfClass, ...]:
    """Return each class's share that is found, with its interval, and its precision; the worst first."""
    confusion = judged.confusion
    found = [
        OfClass(
            name,
            int(confusion[index].sum()),
            float(judged.values["recall"][index]),
            wilson(int(confusion[index, index]), int(confusion[index].sum())) if confusion[index].any() else None,
            float(judged.values["precision"][index]),
        )
        for index, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda each: (each.interval is None, each.recall)))


def confusions(names: Sequence[str], judged: Judged) -> tuple[tuple[str, str, int, int], ...]:
    """Return the most frequent mistakes: true class, predicted class, how many, of how many pictures of the class."""
    of_class = judged.confusion.sum(axis=1)
    found = most_confused(judged.confusion, CONFUSIONS)
    return tuple((names[true], names[taken], count, int(of_class[true])) for true, taken, count in found)


def _judged(story: Story, judged: Judged) -> Mapping[str, Any]:
    small = len(story.class_names) <= TABLE
    return {
        "side": judged.side,
        "images": judged.images,
        "loss": judged.values["loss"],
        "measures": measures(judged),
        "classes": of_classes(story.class_names, judged),
        "confusions": confusions(story.class_names, judged),
        "matrix": _matrix(judged) if small else None,
        "calibration": _calibration(story, judged.side),
    }


def _calibration(story: Story, side: str) -> Mapping[str, Any] | None:
    said = [each for each in story.predicted if each.side == side]
    if not said:
        return None
    told = story.sealed.get("calibration", {})
    of_side = told.get(side, {})
    right = np.array([each.true == each.predicted for each in said])
    confidence = np.array([each.confidence for each in said])
    bins = reliability(confidence, right)
    gap = float(confidence.mean() - right.mean())
    return {
        "bins": bins,
        # The list has six digits of a confidence, which may put one at an edge into another bin than the log did.
        "error": of_side.get("error_after") or expected_calibration_error(bins),
        "before": of_side.get("error_before"),
        "temperature": told.get("temperature"),
        "why": told.get("why", ""),
        "drawing": charts.diagram(bins),
        "says": f"Its mean confidence is {percent(float(confidence.mean()))}, {100 * abs(gap):.1f} points "
        f"{'above' if gap > 0 else 'below'} its accuracy.",
    }


def _matrix(judged: Judged) -> list[list[tuple[int, int]]]:
    """Return each cell's count and its share of its row in percent, which its shade follows."""
    confusion = judged.confusion
    of_class = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares = np.rint(100 * confusion / of_class).astype(int)
    return [
        [(int(count), int(share)) for count, share in zip(row, of_row, strict=True)]
        for row, of_row in zip(confusion, shares, strict=True)
    ]


def _epoch(epoch: Mapping[str, Any]) -> tuple[str, ...]:
    validation = epoch.get("validation") or {}
    loss = validation.get("loss")
    return (
        f"{epoch['epoch']:,}",
        f"{epoch['learning_rate']:.2g}",
        f"{epoch['training_loss']:.4f}",
        percent(epoch["training_accuracy"]),
        "" if loss is None else f"{loss:.4f}",
        percent(validation["accuracy"]) if validation else "",
    )
