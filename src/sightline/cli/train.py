"""`sightline train`: from labelled pictures to a sealed model."""

from __future__ import annotations

import click

from sightline.cli.options import read, recipe_options


@click.command("train")
@click.argument("source")
@recipe_options
@click.option("--out", metavar="DIR", help="Directory of the run. Default: the next free one below runs/.")
@click.option("--overwrite", is_flag=True, help="Take the place of an earlier run in --out.")
@click.option(
    "--resume",
    "resuming",
    type=click.Choice(["never", "auto"]),
    default="never",
    show_default=True,
    help="auto: go on with the run in --out, or the last of SOURCE below runs/, where it ended early; otherwise begin.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the pictures (training.epochs).")
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Train for so long (training.time_budget_minutes)."
)
@click.option("--print-recipe", is_flag=True, help="Print the resolved recipe with its reasons, and stop.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
def command(
    source: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    out: str | None,
    overwrite: bool,
    resuming: str,
    epochs: int | None,
    minutes: float | None,
    print_recipe: bool,
    quiet: bool,
) -> None:
    """Train on SOURCE: a folder with one folder of pictures per class (or train/ val/ test/ of such), a CSV, JSONL or
    Parquet table, an .npz file, a folder of IDX files, or the word digits for an embedded set of handwritten digits.
    """
    if print_recipe and (out or overwrite):
        raise click.UsageError("--print-recipe writes nothing: leave out --out and --overwrite.")
    if overwrite and not out:
        raise click.UsageError("--overwrite wants the run to replace: --out DIR.")
    if resuming == "auto" and (overwrite or print_recipe):
        raise click.UsageError("--resume auto goes on where it can: leave out --overwrite and --print-recipe.")
    recipe = read(recipe_file, overrides, {"training.epochs": epochs, "training.time_budget_minutes": minutes})
    from sightline.cli.display import Display

    display = Display(quiet=quiet or print_recipe)
    display.hello()
    if print_recipe:
        from sightline.recipe import to_toml
        from sightline.training import survey

        resolved = survey(source, recipe, progress=display.progress).resolved
        click.echo(to_toml(resolved.recipe, resolved.reasons), nl=False)
        return

    from sightline.cli.under_way import carry_out, go_on_at

    if resuming == "auto":
        from sightline.training.directory import finished
        from sightline.training.resume import earlier

        if (run := earlier(source, recipe, out)) is not None:
            if finished(run):
                display.finished(run)
            else:
                go_on_at(run, display)
            return
        overwrite = out is not None  # what is there has nothing to go on from
    from sightline.training import prepare, start, survey
    from sightline.training.directory import made

    with made(out, source=source, overwrite=overwrite) as path, display:
        surveyed = survey(source, recipe, progress=display.progress)
        display.survey(surveyed)
        prepared = prepare(surveyed, progress=display.progress)
        display.prepared(prepared)
        session = start(prepared, path)
        carry_out(session, display)
