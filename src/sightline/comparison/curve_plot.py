"""The data-efficiency curve as a picture."""

from __future__ import annotations

import io

from sightline.comparison.data_efficiency import Curve

NAMES = {
    "default": "Sightline's own network, from scratch",
    "scratch": "the same network, from scratch",
    "head": "transferred, head only",
    "both": "transferred, both stages",
}
COLORS = {"default": "#999999", "scratch": "#333333", "head": "#d9730d", "both": "#0b6fb8"}


def plot(curve: Curve) -> bytes:
    """Return accuracy against pictures per class as PNG: the mean over seeds, and one standard deviation around it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    rows = list(curve.rows())
    for arm in dict.fromkeys(row[0] for row in rows):
        sizes = [row[1] for row in rows if row[0] == arm]
        means = [100 * row[2] for row in rows if row[0] == arm]
        spreads = [100 * row[3] for row in rows if row[0] == arm]
        axes.errorbar(sizes, means, yerr=spreads, marker="o", capsize=3, color=COLORS[arm], label=NAMES[arm])
    axes.set_xscale("log")
    axes.set_xticks(list(curve.sizes()), [str(size) for size in curve.sizes()])
    axes.minorticks_off()
    axes.set_xlabel("training pictures per class")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    written = io.BytesIO()
    canvas.print_png(written, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return written.getvalue()
