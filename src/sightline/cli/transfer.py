"""`sightline transfer`: from weights that others trained to a model of one's own pictures."""

from __future__ import annotations

import click

from sightline.cli.options import quoted, read, recipe_options, run_options


@click.command("transfer")
@click.argument("weights")
@click.argument("source")
@recipe_options
@run_options
@click.option("--head-epochs", type=click.IntRange(min=1), help="Passes of stage one (transfer.head_epochs).")
@click.option(
    "--depth", type=click.Choice(["auto", "head", "both"]), help="The new head only, or all layers (transfer.depth)."
)
@click.option(
    "--source-data",
    metavar="PICTURES",
    help="What WEIGHTS were trained on: measure how much of it is forgotten (transfer.source_data).",
)
@click.option(
    "--curve",
    metavar="5,10,20,…",
    help="Instead: accuracy against training pictures per class, for scratch, head and both.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Of each point of --curve.")
def command(
    weights: str,
    source: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    out: str | None,
    overwrite: bool,
    resuming: str,
    epochs: int | None,
    head_epochs: int | None,
    depth: str | None,
    source_data: str | None,
    curve: str | None,
    seeds: int,
    print_recipe: bool,
    quiet: bool,
) -> None:
    """Learn SOURCE from WEIGHTS: a new last layer on frozen features first, then all layers at a tenth of the rate.

    WEIGHTS is a sealed model or its run, a .safetensors file under torchvision's or timm's names, hub:OWNER/NAME or
    timm:NAME; SOURCE is as for `sightline train`.
    """
    shortcuts = {
        "transfer.weights": quoted(weights),
        "training.epochs": epochs,
        "transfer.head_epochs": head_epochs,
        "transfer.depth": depth,
        "transfer.source_data": quoted(source_data),
    }
    recipe = read(recipe_file, overrides, shortcuts)
    if curve is not None:
        from sightline.cli.curve import draw

        if print_recipe or resuming == "auto":
            raise click.UsageError("--curve trains many runs: leave out --print-recipe and --resume.")
        draw(source, recipe, curve, seeds=seeds, out=out, overwrite=overwrite, quiet=quiet)
        return
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
