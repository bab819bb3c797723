"""`sightline tune`: search for a better recipe, and find out whether it is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import recipe_options

if TYPE_CHECKING:
    from sightline.cli.display import Display


@click.command("tune")
@click.argument("source")
@recipe_options
@click.option(
    "--space",
    metavar="FILE",
    help="TOML with fields and what they may be. Default: learning rate, weight decay, label smoothing, dropout.",
)
@click.option("--trials", type=click.IntRange(min=1), default=40, show_default=True, help="Recipes to try in all.")
@click.option("--seeds", default=5, show_default=True, help="Trainings of start and winner in the confirmation.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the trials.")
@click.option("--out", metavar="DIR", help="Folder of the tuning. Default: runs/SOURCE-tune.")
@click.option("--workers", type=click.IntRange(min=1), help="Trainings at once in the confirmation. Default: measured.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
def command(
    source: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    space: str | None,
    trials: int,
    seeds: int,
    seed: int,
    out: str | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Search for a recipe that is better than --recipe on the validation pictures of SOURCE, then hold both against
    each other on fresh seeds: the best of many trials is an optimistic number. The same command goes on with a tuning
    that was stopped.
    """
    from sightline.cli.display import Display
    from sightline.cli.options import read

    recipe = read(recipe_file, overrides, {})
    display = Display(quiet=quiet)
    display.hello()
    from sightline.comparison import sentences
    from sightline.comparison.plan import refuse_seeds
    from sightline.comparison.space import read_space
    from sightline.comparison.tuning import TRIALS, TUNED, tune
    from sightline.training.directory import RUNS, named

    refuse_seeds(seeds)
    place = Path(out) if out else RUNS / f"{Path(named(source)).name}-tune"
    with display:
        found = tune(
            source,
            recipe,
            space=read_space(space, recipe) if space else None,
            trials=trials,
            seeds=seeds,
            seed=seed,
            out=place,
            workers=workers,
            progress=display.progress,
            told=lambda number, accuracy, choices: _told(display, number, accuracy, choices),
        )
    choices = ", ".join(f"{field}={text}" for field, text in found.choices.items()) or "the start itself"
    display.result(
        f"The best of {found.trials:,} trials ({found.cut_short:,} ended early), by validation: {choices}, "
        f"{found.accuracy:.2%}"
    )
    if found.confirmed is None:
        display.result("No other recipe was better on the validation pictures.")
    else:
        for sentence in sentences(found.confirmed):
            display.result(sentence)
        from sightline.report.over_seeds import write

        display.result(f"Report: {write(place)}")
    display.result(f"Recipe: {place / TUNED}; what was tried: {place / TRIALS}")


def _told(display: Display, number: int, accuracy: float | None, choices: Mapping[str, str]) -> None:
    shown = ", ".join(f"{field.rpartition('.')[2]}={text}" for field, text in choices.items()) or "the start"
    value = "ended early" if accuracy is None else f"{accuracy:.2%}"
    display.line(f"trial {number + 1:>3}  {value:>11}  {shown}")
