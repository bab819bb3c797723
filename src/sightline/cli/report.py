"""`sightline report`: a run as a page to read."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Write report.html and the model card README.md of RUN (a run's directory, finished or not) anew.

    Every training writes them at its end. The page needs no network and no other file: how good the model is, how sure
    that is, and what to do next; then accuracy, confusions, classes, curves, data, the recipe and how to repeat it.
    """
    from sightline.report import opening, read, write

    story = read(run)
    page = write(story)
    for sentence in opening(story):
        click.echo(sentence)
    click.echo(f"Report: {page}")
