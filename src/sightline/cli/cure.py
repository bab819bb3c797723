"""`sightline cure`: a run again, with what its diagnosis prescribes."""

from __future__ import annotations

import shlex
from pathlib import Path

import click


@click.command("cure")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option("--out", metavar="DIR", help="Directory of the new run. Default: RUN-cured.")
@click.option("--overwrite", is_flag=True, help="Take the place of an earlier run there.")
@click.option("--only", multiple=True, metavar="CODE", help="Cure this finding only; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be changed, and stop.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
def command(
    run: Path, source: str | None, out: str | None, overwrite: bool, only: tuple[str, ...], dry_run: bool, quiet: bool
) -> None:
    """Train again what RUN trained, on the pictures that it had, or on SOURCE, with the changes to the recipe that its
    findings ask for, and say what they came to: which findings are gone, and how much better the model is.

    All else stays as RUN had it: seed, division of the pictures, and what was chosen automatically. RUN is not touched.
    """
    from sightline.comparison.cure import compare, prescribe
    from sightline.recipe import as_overrides
    from sightline.training.resume import folder_of, pictures_of
    from sightline.training.watching import history_of

    history = history_of(run)
    found = prescribe(history, only)
    for finding in found.left:
        click.echo(f"Not cured by a recipe: {finding.code}. {finding.says}")
    if not found.cures:
        click.echo(f"{run}: found nothing that another recipe would cure.")
        return
    for finding in found.cures:
        click.echo(f"{finding.code}: {finding.says}")
    for override in as_overrides(found.change):
        click.echo(f"    --set {shlex.quote(override)}")
    if dry_run:
        return
    pictures = source or pictures_of(run)
    if pictures is None:
        raise click.UsageError(f"{run} does not say where its pictures are; give their place after it.")
    from sightline.cli.under_way import begin

    place = out or f"{run.resolve()}-cured"
    if Path(place).resolve() == run.resolve():
        raise click.UsageError(f"--out {place} is the run itself; wanted another place, so that both can be compared.")
    begin(
        pictures,
        found.recipe,
        out=place,
        overwrite=overwrite,
        resume=False,
        print_recipe=False,
        quiet=quiet,
        folder=folder_of(run),
    )
    cured = compare(run, Path(place))
    for says, codes in (("Gone", cured.gone), ("Still there", cured.stayed), ("New", cured.new)):
        if codes:
            click.echo(f"{says}: {', '.join(codes)}")
    if cured.after is not None:
        broken = "the training broke down" if history.failure else "the training had not ended"
        before = broken if cured.before is None else f"{cured.before:.2%}"
        gain = "" if cured.before is None else f" ({100 * (cured.after - cured.before):+.2f} points)"
        click.echo(f"Accuracy on {cured.side}: before {before}, after {cured.after:.2%}{gain}")
