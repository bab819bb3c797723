"""`sightline verify`: is a run still what its training wrote?"""

from __future__ import annotations

import click

from sightline.errors import VerificationError


@click.command("verify")
@click.argument("run")
@click.argument("source", required=False)
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Train so many steps again from the beginning and compare the weights.",
)
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def command(run: str, source: str | None, steps: int, quiet: bool) -> None:
    """Read everything in the directory RUN again, and its pictures: where they were, or in SOURCE. What was altered,
    torn or lost is named; nothing in RUN is changed.
    """
    from pathlib import Path

    from sightline.cli.display import Display

    display = Display(quiet=quiet)
    display.hello()
    from sightline.training.verify import verify

    checked = []
    with display:
        for each in verify(Path(run), source, steps=steps, progress=display.progress):
            display.checked(each.what, each.says, right=each.right)
            checked.append(each)
    wrong = [each.what for each in checked if not each.right]
    if wrong:
        raise VerificationError(
            f"{run}: {len(wrong)} of {len(checked)} are not as the training left them: {', '.join(wrong)}. Restore "
            "them from a copy, or train again."
        )
