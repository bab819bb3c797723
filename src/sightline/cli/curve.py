"""`sightline transfer … --curve`: how few pictures are enough, from scratch and from trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.errors import OutputError

if TYPE_CHECKING:
    from sightline.recipe import Recipe

PLOT = "curve.png"


def draw(source: str, recipe: Recipe, sizes: str, *, seeds: int, out: str | None, overwrite: bool, quiet: bool) -> None:
    """Train every point of the curve, or what is left of it, and show the table.

    Raises:
        UsageError: `sizes` are no whole numbers.
        OutputError: something else is in `out`.
    """
    try:
        wanted = sorted({int(size) for size in sizes.split(",")})
    except ValueError as error:
        raise click.UsageError(f"--curve: found {sizes!r}, wanted numbers of pictures such as 5,10,20.") from error
    from rich.table import Table

    from sightline.cli.display import Display

    display = Display(quiet=quiet)
    display.hello()
    from sightline.comparison import data_efficiency
    from sightline.comparison.curve_plot import NAMES, plot
    from sightline.comparison.data_efficiency import RUNS, Trial
    from sightline.training.directory import RUNS as BELOW
    from sightline.training.directory import named
    from sightline.writing import write_whole

    place = Path(out) if out else BELOW / f"{Path(named(source)).name}-curve"
    if overwrite:
        raise click.UsageError("--curve goes on with what is in --out; to begin anew, choose another --out.")
    if place.is_dir() and any(place.iterdir()) and not (place / RUNS).is_dir():
        raise OutputError(f"{place}: holds files that are no curve. Choose an empty or new directory: --out DIR")

    def told(trial: Trial) -> None:
        display.line(
            f"{NAMES[trial.arm]}, {trial.per_class} per class, seed {trial.seed}: {trial.accuracy:.2%} of "
            f"{trial.images:,} test pictures"
        )

    with display:
        curve = data_efficiency(source, recipe, wanted, seeds=seeds, out=place, progress=display.progress, told=told)
    write_whole(place / PLOT, plot(curve))
    table = Table(box=None, pad_edge=False)
    for column in ("", *(f"{size} per class" for size in curve.sizes())):
        table.add_column(column, justify="left" if not column else "right")
    cells: dict[str, list[str]] = {}
    for arm, _, mean, spread, count in curve.rows():
        cells.setdefault(arm, []).append(f"{mean:.1%} ± {100 * spread:.1f}" if count > 1 else f"{mean:.1%}")
    for arm, row in cells.items():
        table.add_row(NAMES[arm], *row)
    display.result(table)
    display.result(
        f"Curve: {place / PLOT}  (mean and standard deviation over {seeds} seeds; curve.csv has the numbers)"
    )
