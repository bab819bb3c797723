"""`sightline report`: a run as a page to read, or several side by side."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("runs", metavar="RUN [RUN]...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="comparison.html",
    help="Of several runs: the page to write.",
)
@click.option("--overwrite", is_flag=True, help="Of several runs: replace a file at --out that is no such page.")
def command(runs: tuple[Path, ...], out: Path | None, overwrite: bool) -> None:
    """Write report.html and the model card README.md of RUN (a run's directory, finished or not) anew.

    Every training writes them at its end. The page needs no network and no other file: how good the model is, how sure
    that is, and what to do next; then accuracy, confusions, classes, curves, data, the recipe and how to repeat it.

    Of several RUNs, write one page that puts them side by side: measures, what differs in their recipes, curves,
    classes; and where they were judged on the same pictures, whether chance alone explains their difference.
    """
    if len(runs) > 1:
        _side_by_side(runs, Path("comparison.html") if out is None else out, overwrite=overwrite)
        return
    if out is not None or overwrite:
        raise click.UsageError("--out and --overwrite are for several runs; the page of one lies in its directory.")
    from sightline.report import opening, read, write

    story = read(runs[0])
    page = write(story)
    for sentence in opening(story):
        click.echo(sentence)
    click.echo(f"Report: {page}")


def _side_by_side(runs: tuple[Path, ...], place: Path, *, overwrite: bool) -> None:
    from sightline.report import compare, overview, refuse_foreign, write_comparison

    if not overwrite:
        refuse_foreign(place)
    comparison = compare(runs)
    write_comparison(comparison, place)
    for each in comparison.contenders:
        click.echo(f"{each.letter}: {each.name}")
    for sentence in overview(comparison):
        click.echo(sentence)
    click.echo(f"Comparison: {place}")
