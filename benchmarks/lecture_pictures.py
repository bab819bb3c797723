"""A picture of each claim that was measured: each seed of each arm, and where it is about depth, gradients by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "sightline", "font.family": "sans-serif", "font.size": 9}
COLORS = ("#1b6ca8", "#c4491d", "#3d8b37", "#8e44ad", "#b8860b", "#555555")
WIDE, ROW, HEAD = 4.2, 0.36, 0.85
"""Inches: of a panel, of a row of seeds, and of what is around the rows."""


def draw(found: Mapping[str, Any], place: Path) -> None:
    """Draw the accuracies of all seeds, arm by arm, with their mean, as SVG on white.

    Args:
        found: as `lecture_measured.kept` has it.
        place: of the file.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    arms, gradients = found["arms"], found["gradients"]
    with mpl.rc_context(STYLE):
        panels = 2 if gradients else 1
        height = max(HEAD + ROW * len(arms), 2.2 if gradients else 0.0)
        figure = Figure(figsize=(WIDE * panels, height), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for row, arm in enumerate(reversed(arms)):
            values = list(found["values"][arm].values())
            color = COLORS[(len(arms) - 1 - row) % len(COLORS)]
            axes[0].plot(values, [row] * len(values), "o", color=color, alpha=0.6, markersize=5, markeredgewidth=0)
            if values:
                axes[0].plot([sum(values) / len(values)], [row], "|", color="black", markersize=13)
        axes[0].set_yticks(range(len(arms)), [short(arm) for arm in reversed(arms)])
        axes[0].set_ylim(-0.6, len(arms) - 0.4)
        axes[0].set_xlabel("test accuracy, %: each seed, and their mean")
        if gradients:
            _gradients(axes[1], gradients, arms)
        for each in axes:
            each.spines[["top", "right"]].set_visible(False)
        place.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(place, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})


def short(arm: str) -> str:
    """Return the name of an arm without what all arms have: the field that is varied."""
    field, equals, value = arm.partition("=")
    name = value if equals and "{" not in field else arm
    return name if len(name) <= 34 else f"{name[:33]}…"


def _gradients(axes: Any, gradients: Mapping[str, Sequence[Sequence[float]]], arms: Sequence[str]) -> None:
    for arm, color in zip(arms, COLORS, strict=False):
        layers = list(zip(*gradients.get(arm, ()), strict=True))
        known = [(number, [v for v in values if v > 0]) for number, values in enumerate(layers, start=1)]
        drawn = [(number, values) for number, values in known if values]
        means = [geometric_mean(values) for _, values in drawn]
        axes.plot([number for number, _ in drawn], means, ".-", color=color, label=short(arm), linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("layer, from the pictures on")
    axes.set_title("norm of the gradient before the first step", fontsize=9)
    axes.legend(frameon=False)
