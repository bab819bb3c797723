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

    try:
        with Path(file).open("w" if overwrite else "x", encoding="utf-8", newline="\n") as written:
            written.write(commented())
    except FileExistsError:
        raise OutputError(f"{file}: exists already. Choose another name, or replace it: --overwrite") from None
    except OSError as error:
        raise OutputError(f"{file}: cannot be written ({error.strerror}). Choose another place.") from None
    click.echo(f"Wrote {file}. Change what you like, then: sightline train SOURCE --recipe {file}")
