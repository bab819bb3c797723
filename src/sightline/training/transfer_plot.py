"""`transfer.png` of a run: where the fine-tuning led, how far each layer went, and what the first one looks for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.network import mosaic
from sightline.training.forgetting import Conclusion, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE = "#0b6fb8", "#d9730d"


def plot(conclusion: Conclusion, before: NDArray[np.float32], after: NDArray[np.float32]) -> bytes:
    """Return the picture as PNG.

    Args:
        conclusion: what was measured.
        before: the first convolution at the start, shape (out, channel, height, width).
        after: the same at the end.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 3 if conclusion.path else 2
    figure = Figure(figsize=(4.6 * columns, 7.2), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    grid: Any = figure.subplots(2, columns, squeeze=False)
    if conclusion.path:
        _way(grid[0][0], conclusion)
        _curve(grid[1][0], conclusion)
    names = [layer.name for layer in conclusion.layers]
    _bars(grid[0][-2], names, "relative distance of the weights", [e.relative_distance for e in conclusion.layers])
    _bars(grid[1][-2], names, "linear CKA of features, before and after", [e.cka for e in conclusion.layers])
    largest = float(max(np.abs(before).max(), np.abs(after).max()))
    _filters(grid[0][-1], before, "first layer at the start", largest)
    _filters(grid[1][-1], after, "first layer at the end", largest)
    written = io.BytesIO()
    canvas.print_png(written, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return written.getvalue()


def _way(axes: Axes, conclusion: Conclusion) -> None:
    """Draw target accuracy against source accuracy along the interpolation, or against α without a source."""
    path = conclusion.path
    known = [point for point in path if point.source_accuracy is not None]
    if known:
        axes.plot([_source(p) for p in known], [p.target_accuracy for p in known], "-o", color=BLUE, markersize=4)
        for point in known:
            if round(point.share * 10) % 5 == 0 or point.share == conclusion.share:
                axes.annotate(f"α = {point.share:g}", (_source(point), point.target_accuracy), fontsize=8)
        axes.set_xlabel("accuracy of the old last layer on the source")
    else:
        axes.plot([point.share for point in path], [point.target_accuracy for point in path], "-o", color=BLUE)
        axes.set_xlabel("α, share of the way")
    chosen = [point for point in path if point.share == conclusion.share]
    for point in chosen:
        place = _source(point) if point.source_accuracy is not None else point.share
        axes.plot([place], [point.target_accuracy], "o", color=ORANGE, markersize=9, label="sealed")
        axes.legend(frameon=False)
    axes.set_ylabel(f"accuracy on the target ({conclusion.target_side})")
    axes.set_title("between start and end of stage two")


def _curve(axes: Axes, conclusion: Conclusion) -> None:
    axes.plot([p.share for p in conclusion.path], [p.target_loss for p in conclusion.path], "-o", color=BLUE)
    axes.axvline(conclusion.share, color=ORANGE, linewidth=1)
    axes.set_xlabel("α, share of the way")
    axes.set_ylabel(f"loss on the target ({conclusion.target_side})")


def _source(point: Point) -> float:
    return point.source_accuracy if point.source_accuracy is not None else float("nan")


def _bars(axes: Axes, names: Sequence[str], title: str, values: Sequence[float]) -> None:
    places = range(len(names))
    axes.barh(places, values, color=BLUE)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.set_title(title, fontsize=10)


def _filters(axes: Axes, weights: NDArray[np.float32], title: str, largest: float) -> None:
    """Draw filters as pictures on one scale, middle gray for 0."""
    axes.imshow(mosaic(weights, largest=largest, across=8), interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
