"""`sightline bench`: how fast this machine trains on somebody's pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sightline.cli.options import read, recipe_options

if TYPE_CHECKING:
    from rich.table import Column

    from sightline.training.bench import Bench, Bought
    from sightline.training.bench_compiled import Compiled


@click.command("bench")
@click.argument("source", default="digits")
@recipe_options
@click.option("--seconds", type=click.FloatRange(min=0.05), default=2.0, show_default=True, help="Of each measurement.")
@click.option("--compile", "compiling", is_flag=True, help="Measure training.compile, too, which may take minutes.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    source: str, recipe_file: str | None, overrides: tuple[str, ...], seconds: float, compiling: bool, form: str
) -> None:
    """Measure how fast this machine is on the pictures of SOURCE: reading, decoding, augmenting, training, predicting;
    what share of its best speed each network reaches; and how many epochs 5, 30 and 120 minutes buy. Trains nothing.
    """
    recipe = read(recipe_file, overrides, {})
    if recipe.transfer.weights:
        raise click.UsageError("transfer.weights: a transfer's first stage is too short to be measured; leave it out.")
    from sightline.cli.display import Display

    display = Display(quiet=form == "json")
    display.hello()
    from dataclasses import asdict

    from sightline.training.bench import bench

    with display:
        found = bench(source, recipe, seconds=seconds, compiling=compiling, progress=display.progress)
    if form == "json":
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        _show(found)


def _show(found: Bench) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    height, width = found.image_size
    console.print(f"{found.machine}, {found.device}, {found.threads} threads, {found.precision}")
    console.print(f"Its fastest 3×3 convolution, forth and back: {found.peak / 1e12:.3g} TFLOP/s")
    console.print(f"{found.pictures:,} pictures, brought to {width} × {height}")
    parts = Table(*_columns("part", "pictures/s"), box=None, pad_edge=False)
    for part in found.parts:
        parts.add_row(part.name, f"{part.images_per_second:,.0f}")
    console.print(parts)
    columns = _columns("network", "parameters", "GFLOP/picture", "batch", "pictures/s", "of the peak")
    networks = Table(*columns, box=None, pad_edge=False)
    for each in found.networks:
        networks.add_row(
            f"{each.name} (chosen)" if each.chosen else each.name,
            f"{each.parameters:,}",
            f"{each.gigaflops:.3g}",
            f"{each.batch_size:,}",
            f"{each.images_per_second:,.0f}",
            f"{each.share_of_peak:.0%}",
        )
    console.print(networks)
    if len(found.by_threads) > 1:
        speeds = ", ".join(f"{each.threads}: {each.images_per_second:,.0f}" for each in found.by_threads)
        console.print(f"Pictures/s of a training step of the recipe's network by threads: {speeds}")
    if found.compiled is not None:
        console.print(_of_compiling(found.compiled))
    bought = ", ".join(map(_told, found.bought))
    console.print(f"Epochs of the recipe's network within a time (--minutes): {bought}")


def _of_compiling(found: Compiled) -> str:
    shapes = "one size" if found.shapes == 1 else f"each of {found.shapes:,} sizes"
    after = found.pays_after_minutes
    pays = "never" if after is None else f"after {after:.1f} minutes of training"
    return (
        f"Compiled (training.compile): steps {found.times_as_fast:.2f} times as fast, after {found.seconds:.1f} s of "
        f"compiling for {shapes} of inputs; it pays {pays}"
    )


def _told(bought: Bought) -> str:
    maps = f" with {', '.join(map(str, bought.widths))} maps" if bought.widths else ""
    side = f" at {bought.side} px" if bought.side else ""
    return f"{bought.minutes:g} minutes: {bought.epochs:,}{side}{maps}"


def _columns(first: str, *others: str) -> list[Column]:
    """Return columns of which the first is text and the others are numbers."""
    from rich.table import Column

    return [Column(first, no_wrap=True), *(Column(each, justify="right", no_wrap=True) for each in others)]
