"""`sightline compare`: which choice is better, by how much, and how sure."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import recipe_options

if TYPE_CHECKING:
    from sightline.cli.display import Display
    from sightline.comparison import Comparison


@click.command("compare")
@click.argument("source")
@recipe_options
@click.option(
    "--vary",
    multiple=True,
    metavar="FIELD=VALUE,VALUE",
    help="Values of a field to compare; may be repeated, and every combination is an arm.",
)
@click.option("--against", multiple=True, metavar="FILE", help="Another recipe to hold --recipe against.")
@click.option("--one-at-a-time", is_flag=True, help="One change at a time from the first values, no combinations.")
@click.option("--seeds", default=5, show_default=True, help="Trainings of each arm.")
@click.option(
    "--margin", type=click.FloatRange(min=0, min_open=True), help="Points of accuracy that do not matter to you."
)
@click.option(
    "--reach",
    type=click.FloatRange(min=0, max=100, min_open=True),
    metavar="PERCENT",
    help="Compare as well how soon this accuracy on the validation pictures is reached.",
)
@click.option(
    "--tune-rate", is_flag=True, help="Give each arm the best of five learning rates around its own, by validation."
)
@click.option("--stop-early", is_flag=True, help="Train no more seeds of an arm that is decided.")
@click.option("--out", metavar="DIR", help="Folder of the comparison. Default: runs/SOURCE-compare.")
@click.option("--database", metavar="URL", help="A database that several machines share. Default: a file in --out.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Trainings at once. Default: what gets most done, measured."
)
@click.option("--quiet", is_flag=True, help="Print only the result.")
def command(
    source: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    vary: tuple[str, ...],
    against: tuple[str, ...],
    one_at_a_time: bool,
    seeds: int,
    margin: float | None,
    reach: float | None,
    tune_rate: bool,
    stop_early: bool,
    out: str | None,
    database: str | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Compare recipes on SOURCE over several seeds, with what statistics say of the differences. The first values of
    --vary, or --recipe, make the arm that the others are held against. The same command goes on with a comparison that
    was stopped; another seed or value is added to it.
    """
    if bool(vary) == bool(against):
        raise click.UsageError("name what to compare: --vary FIELD=VALUE,VALUE, or --against FILE.")
    from sightline.cli.display import Display
    from sightline.cli.options import read
    from sightline.cli.trials_display import TrialsDisplay
    from sightline.processes import load_early

    recipe = read(recipe_file, overrides, {})
    recipes = {recipe_file or "default": recipe, **{file: read(file, overrides, {}) for file in against}}
    display = Display(quiet=quiet)
    display.hello()
    load_early()
    from sightline.comparison import compare
    from sightline.training.directory import RUNS, named

    place = Path(out) if out else RUNS / f"{Path(named(source)).name}-compare"
    shown = TrialsDisplay(display)
    with display:
        found = compare(
            source,
            recipe,
            vary=vary,
            recipes=recipes if against else None,
            one_at_a_time=one_at_a_time,
            seeds=seeds,
            margin=None if margin is None else margin / 100.0,
            reach=None if reach is None else reach / 100.0,
            tune_rate=tune_rate,
            stop_early=stop_early,
            out=place,
            url=database,
            workers=workers,
            command=_command(database),
            progress=display.progress,
            told=shown.told,
        )
    _result(display, found, place)


def _command(database: str | None) -> str:
    """Return this command, for whoever may read the page: without a database's password."""
    from sightline.comparison.store import shown

    words = ["sightline", *sys.argv[1:]]
    return shlex.join(words if database is None else [each.replace(database, shown(database)) for each in words])


def _result(display: Display, found: Comparison, place: Path) -> None:
    from rich.table import Table

    from sightline.comparison import sentences
    from sightline.comparison.comparison import NUMBERS, TABLE, summary

    table = Table(box=None, pad_edge=False)
    for column in ("", f"{found.side} accuracy, %", "difference, points", "verdict"):
        table.add_column(column, justify="left" if column in ("", "verdict") else "right")
    values, verdicts = found.values(), found.verdicts()
    for arm in found.arms:
        cells = ["–", "", "failed" if arm in found.failed() else ""]
        if values[arm]:
            mean, spread = summary(values[arm])
            cells[0] = f"{mean:.2f} ± {spread:.2f}"
        if arm in verdicts:
            verdict = verdicts[arm]
            cells[1] = f"{verdict.mean:+.2f} ({verdict.interval.low:+.2f} to {verdict.interval.high:+.2f})"
            cells[2] = verdict.says
        table.add_row(arm, *cells)
    display.result(table)
    for sentence in sentences(found):
        display.result(sentence)
    from sightline.report.over_seeds import write

    display.result(f"Numbers: {place / NUMBERS}, {place / TABLE}")
    display.result(f"Report:  {write(place)}")
