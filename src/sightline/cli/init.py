"""`sightline init`: a recipe to edit."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.errors import OutputError


@click.command("init")
@click.argument("file", default="recipe.toml")
@click.option("--overwrite", is_flag=True, help="Take the place of an existing file.")
def command(file: str, overwrite: bool) -> None:
    """Write a recipe with every choice, its default, its range and what it is for, to FILE (recipe.toml)."""
    from sightline.recipe import commented
    from sightline.writing import write_whole

    if Path(file).exists() and not overwrite:
        raise OutputError(f"{file}: exists already. Choose another name, or replace it: --overwrite")
    write_whole(file, commented().encode())
    click.echo(f"Wrote {file}. Change what you like, then: sightline train SOURCE --recipe {file}")
