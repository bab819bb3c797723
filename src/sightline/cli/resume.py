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
    from sightline.cli.under_way import carry_out
    from sightline.training import prepare, survey
    from sightline.training.directory import locked
    from sightline.training.resume import find, go_on, require

    path = require(Path(run))
    with locked(path), display:
        resumable = find(path)
        display.resumable(resumable)
        prepared = prepare(
            survey(resumable.source, resumable.recipe, progress=display.progress), progress=display.progress
        )
        session = go_on(resumable, prepared, allow_different=allow_different, warn=display.different)
        carry_out(session, display)
