"""Drawings of a report as SVG that takes the page's colors, so that it is readable in light and in dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any

from sightline.training.calibration import Bin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the page's own color of text, which the finished drawing refers to."""
TRAINING, VALIDATION = "#040506", "#070809"
"""Stand for the page's two colors of lines."""
RUNS = tuple(f"#0a0b{number:02x}" for number in range(8))
"""Stand for the page's colors of several runs."""
DASHES = ((), (6.0, 3.0), (1.5, 2.0), (7.0, 2.5, 1.5, 2.5))
"""Lengths of dash and gap in widths of the line; they tell lines apart without color."""
OF_PAGE = {
    INK: "currentColor",
    TRAINING: "var(--training)",
    VALIDATION: "var(--validation)",
    **{color: f"var(--run-{number})" for number, color in enumerate(RUNS)},
}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sightline",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
}
LARGEST_LOSS = 1e6
DECADES = 100.0
LEAST_APART = 0.075
"""Between two labels at the edge of a drawing, as a share of its height."""


@dataclass(frozen=True)
class Look:
    """What a run's line looks like."""

    stand_in: str
    lengths: tuple[float, ...]

    @property
    def color(self) -> str:
        """As the page has it."""
        return OF_PAGE[self.stand_in]

    @property
    def dashes(self) -> str:
        """As SVG has them for a line of three pixels."""
        return " ".join(f"{2 * length:g}" for length in self.lengths) or "none"


def curves(epochs: Sequence[Mapping[str, Any]], *, best: int) -> dict[str, str]:
    """Return drawings of loss, accuracy and learning rate over the epochs, as SVG by name.

    Args:
        epochs: as the log has them, at least one.
        best: the epoch whose weights were sealed; 0 for none.
    """
    import matplotlib as mpl

    numbers = [int(epoch["epoch"]) for epoch in epochs]
    validation = [epoch.get("validation") or {} for epoch in epochs]
    with mpl.rc_context(STYLE):
        return {
            "loss": _drawn(
                numbers,
                {
                    "training": [_finite(epoch["training_loss"]) for epoch in epochs],
                    "validation": [_finite(each.get("loss")) for each in validation],
                },
                "loss",
                best,
            ),
            "accuracy": _drawn(
                numbers,
                {
                    "training": [100 * epoch["training_accuracy"] for epoch in epochs],
                    "validation": [_percent(each.get("accuracy")) for each in validation],
                },
                "accuracy, %",
                best,
            ),
            "learning rate": _drawn(numbers, {"training": [e["learning_rate"] for e in epochs]}, "learning rate", 0),
        }


def line(points: Sequence[tuple[float, float]]) -> str:
    """Return a small drawing of one number as it went, as SVG; over many powers of ten its axis is logarithmic."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    known = [(x, y) for x, y in points if abs(y) < LARGEST_LOSS]
    values = [y for _, y in known]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 1.9), layout="constrained")
        axes = figure.subplots()
        axes.plot(*zip(*known, strict=True) if known else ([], []), color=VALIDATION, marker="o", markersize=3)
        if values and min(values) > 0 and max(values) / min(values) > DECADES:
            axes.set_yscale("log")
        _whole_numbers(axes)
        return for_page(_svg(figure))


def diagram(bins: Sequence[Bin]) -> str:
    """Return the reliability diagram as SVG: accuracy against confidence, the area of a point as its pictures."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=":")
        largest = max(each.images for each in bins)
        sizes = [12 + 180 * each.images / largest for each in bins]
        places = [100 * each.confidence for each in bins], [100 * each.accuracy for each in bins]
        axes.plot(*places, color=TRAINING, linewidth=1)
        axes.scatter(*places, s=sizes, color=TRAINING, alpha=0.6, linewidths=0)
        axes.set_xlabel("confidence, %")
        axes.set_title("accuracy, %", fontsize=10, loc="left")
        return for_page(_svg(figure))


def looks(count: int) -> tuple[Look, ...]:
    """Return a look for each of several runs: colors first, dashes for those who see none and where colors end."""
    return tuple(
        Look(RUNS[number % len(RUNS)], DASHES[(number + number // len(RUNS)) % len(DASHES)]) for number in range(count)
    )


def together(lines: Sequence[Sequence[tuple[int, float]]], letters: Sequence[str], label: str) -> str:
    """Return one drawing of several runs as SVG.

    Args:
        lines: of each run its epochs and values; empty where it has none.
        letters: that stand for the runs. Names would be typeset, and glyphs looked for that no font has.
        label: what is drawn.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "lines.scale_dashes": True}):
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        axes = figure.subplots()
        ends = []
        for points, letter, look in zip(lines, letters, looks(len(lines)), strict=True):
            shown = [(epoch, value) for epoch, value in points if abs(value) <= LARGEST_LOSS]
            if not shown:
                continue
            _line(axes, shown, look)
            ends.append((shown[-1][1], letter, look.stand_in))
        return _with_letters(figure, axes, ends, label)


def forest(rows: Sequence[tuple[str, float, float, float]], label: str) -> str:
    """Return a forest plot as SVG: for each letter a mean and the interval around it, beside a line at no difference.

    Args:
        rows: letter, mean, low and high, from above.
        label: what is drawn.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 0.9 + 0.32 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0.0, color=INK, linewidth=0.8, linestyle=":")
        for place, (letter, mean, low, high) in enumerate(reversed(rows)):
            axes.plot([low, high], [place, place], color=TRAINING, linewidth=1.6)
            axes.plot([mean], [place], color=TRAINING, marker="s", markersize=5)
            axes.text(-0.03, place, letter, transform=axes.get_yaxis_transform(), ha="right", va="center", color=INK)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_title(label, fontsize=10, loc="left")
        return for_page(_svg(figure))


def bands(arms: Sequence[Mapping[int, Sequence[float]]], letters: Sequence[str], label: str) -> str:
    """Return curves over epochs as SVG: of each arm the mean over its seeds, and a band from the lowest to the highest.

    Args:
        arms: of each, epochs and the values of its seeds; empty where it has none.
        letters: that stand for the arms.
        label: what is drawn.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "lines.scale_dashes": True}):
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        axes = figure.subplots()
        ends: list[tuple[float, str, str]] = []
        for arm, letter, look in zip(arms, letters, looks(len(arms)), strict=True):
            known = {e: [v for v in values if abs(v) <= LARGEST_LOSS] for e, values in sorted(arm.items())}
            ends += _band(axes, known, fmean, letter, look)
        return _with_letters(figure, axes, ends, label)


def by_layer(arms: Sequence[Sequence[Sequence[float]]], letters: Sequence[str], label: str) -> str:
    """Return what layers have as SVG, on a logarithmic axis: of each arm the geometric mean over its seeds, and a band.

    Args:
        arms: of each, its seeds, and of each seed the values of the layers from the first one on; empty where it has
            none. Zeros, which have no logarithm, are left out.
        letters: that stand for the arms.
        label: what is drawn.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "lines.scale_dashes": True}):
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.set_yscale("log")
        ends: list[tuple[float, str, str]] = []
        for arm, letter, look in zip(arms, letters, looks(len(arms)), strict=True):
            layers = enumerate(zip(*arm, strict=True), start=1)
            known = {layer: [value for value in values if value > 0] for layer, values in layers}
            ends += _band(axes, known, geometric_mean, letter, look)
        return _with_letters(figure, axes, ends, label, across="layer with weights, from the pictures on")


def scatter(points: Sequence[tuple[str, float, float] | None], across: str, up: str) -> str:
    """Return letters at their places as SVG.

    Args:
        points: letter, and its place across and up; None for one that has no place.
        across: what goes across.
        up: what goes up.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.4), layout="constrained")
        axes = figure.subplots()
        for point, look in zip(points, looks(len(points)), strict=True):
            if point is None:
                continue
            letter, x, y = point
            axes.plot([x], [y], color=look.stand_in, marker="o", linestyle="")
            axes.annotate(letter, (x, y), (5, 4), textcoords="offset points", color=look.stand_in, fontweight="bold")
        axes.margins(0.15)
        axes.set_xlabel(across)
        axes.set_title(up, fontsize=10, loc="left")
        return for_page(_svg(figure))


def _line(axes: Axes, points: Sequence[tuple[float, float]], look: Look) -> None:
    """Draw a line with its look; a single point, which a line would not show, as one."""
    mark = "o" if len(points) == 1 else ""
    (line,) = axes.plot(*zip(*points, strict=True), color=look.stand_in, marker=mark, linewidth=1.6)
    if look.lengths:
        line.set_dashes(list(look.lengths))


def _band(
    axes: Axes,
    known: Mapping[int, Sequence[float]],
    mean: Callable[[Sequence[float]], float],
    letter: str,
    look: Look,
) -> list[tuple[float, str, str]]:
    """Draw the mean of the values at each place and a band from the lowest to the highest; return the line's end."""
    drawn = {place: values for place, values in known.items() if values}
    if not drawn:
        return []
    means = [mean(values) for values in drawn.values()]
    _line(axes, list(zip(drawn, means, strict=True)), look)
    low, high = ([edge(values) for values in drawn.values()] for edge in (min, max))
    axes.fill_between(list(drawn), low, high, color=look.stand_in, alpha=0.18, linewidth=0)
    return [(means[-1], letter, look.stand_in)]


def _with_letters(
    figure: Figure, axes: Axes, ends: Sequence[tuple[float, str, str]], label: str, *, across: str = "epoch"
) -> str:
    """Return a drawing as SVG, with letters where lines end, given value, letter and color."""
    _whole_numbers(axes)
    axes.set_xlabel(across)
    axes.set_title(label, fontsize=10, loc="left")
    low, high = axes.get_ylim()
    scale = math.log if axes.get_yscale() == "log" else float
    places = _apart([(scale(value) - scale(low)) / (scale(high) - scale(low)) for value, _, _ in ends])
    for place, (_, letter, color) in zip(places, ends, strict=True):
        axes.text(1.015, place, letter, color=color, transform=axes.transAxes, va="center", fontweight="bold")
    return for_page(_svg(figure))


def _apart(places: Sequence[float]) -> list[float]:
    """Return places between 0 and 1 that are moved as little as needed for none to cover another, in the same order."""
    order = sorted(range(len(places)), key=places.__getitem__)
    found, gap = list(places), min(LEAST_APART, 1 / max(1, len(places) - 1))
    for low, high in pairwise(order):
        found[high] = max(found[high], found[low] + gap)
    top = 1.0
    for index in reversed(order):
        found[index] = min(found[index], top)
        top = found[index] - gap
    return found


def for_page(svg: str) -> str:
    """Return a drawing of matplotlib's as part of a page: without a prologue, in the page's colors, as wide as fits."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 aria-hidden="true"', svg, count=1)
    for stand_in, color in OF_PAGE.items():
        svg = svg.replace(stand_in, color)
    return svg


def _drawn(numbers: Sequence[int], lines: Mapping[str, Sequence[float]], label: str, best: int) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.0), layout="constrained")
    axes = figure.subplots()
    colors = {"training": TRAINING, "validation": VALIDATION}
    known = {name: values for name, values in lines.items() if not all(math.isnan(value) for value in values)}
    for name, values in known.items():
        # A single epoch is a point, which a line would not show; dashes tell lines apart without color.
        mark = "o" if len(numbers) == 1 else ""
        axes.plot(numbers, values, color=colors[name], marker=mark, linestyle="-" if name == "training" else "--")
    if best and len(numbers) > 1:
        axes.axvline(best, color=INK, linewidth=0.8, linestyle=":")
    _whole_numbers(axes)
    axes.set_xlabel("epoch")
    axes.set_title(label, fontsize=10, loc="left")
    return for_page(_svg(figure))


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _svg(figure: Figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return written.getvalue()


def _finite(value: float | None) -> float:
    return float("nan") if value is None or abs(value) > LARGEST_LOSS else float(value)


def _percent(value: float | None) -> float:
    return float("nan") if value is None else 100 * float(value)
