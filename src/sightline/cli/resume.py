"""`sightline resume`: go on with a training that ended early."""

from __future__ import annotations

import click


@click.command("resume")
@click.argument("run")
@click.option("--allow-different", is_flag=True, help="Go on although something changed, to another result.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
def command(run: str, allow_different: bool, quiet: bool) -> None:
    """Go on with the training in the directory RUN that was stopped, killed or cut off, from its newest intact
    checkpoint. The result is the same to the last bit as that of a training that nothing disturbed.
    """
    from pathlib import Path

    from sightline.cli.display import Display

    display = Display(quiet=quiet)
    display.hello()
    from sightline.cli.under_way import go_on_at

    go_on_at(Path(run), display, allow_different=allow_different)
