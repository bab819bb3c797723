"""`sightline train`: from labelled pictures to a sealed model."""

from __future__ import annotations

import click

from sightline.cli.options import quoted, read, recipe_options, run_options


@click.command("train")
@click.argument("source")
@recipe_options
@run_options
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Train for so long (training.time_budget_minutes)."
)
@click.option("--from", "weights", metavar="WEIGHTS", help="Begin from trained weights (transfer.weights).")
def command(
    source: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    out: str | None,
    overwrite: bool,
    resuming: str,
    epochs: int | None,
    minutes: float | None,
    weights: str | None,
    print_recipe: bool,
    quiet: bool,
) -> None:
    """Train on SOURCE: a folder with one folder of pictures per class (or train/ val/ test/ of such), a CSV, JSONL or
    Parquet table, an .npz file, a folder of IDX files, or the word digits for an embedded set of handwritten digits.
    """
    shortcuts = {
        "training.epochs": epochs,
        "training.time_budget_minutes": minutes,
        "transfer.weights": quoted(weights),
    }
    recipe = read(recipe_file, overrides, shortcuts)
    from sightline.cli.under_way import begin

    begin(
        source,
        recipe,
        out=out,
        overwrite=overwrite,
        resume=resuming == "auto",
        print_recipe=print_recipe,
        quiet=quiet,
    )
