"""`sightline rate`: which learning rate, and can the network learn at all?"""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli.options import read, recipe_options


@click.command("rate")
@click.argument("source")
@recipe_options
@click.option("--steps", type=click.IntRange(min=10), default=120, show_default=True, help="Of the sweep.")
@click.option("--low", type=click.FloatRange(min=0, min_open=True), default=1e-7, show_default=True, help="First rate.")
@click.option("--high", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True, help="Last rate.")
@click.option("--out", metavar="FILE", default="rate.png", show_default=True, help="Where the plot goes.")
def command(
    source: str, recipe_file: str | None, overrides: tuple[str, ...], steps: int, low: float, high: float, out: str
) -> None:
    """Sweep the learning rate of a training on SOURCE from low to high, plot the loss, and suggest a rate. Before that,
    one batch is learned by heart, as every network that works can. No run is made, and nothing is kept but the plot.
    """
    if low >= high:
        raise click.UsageError(f"--low {low:g} is not below --high {high:g}.")
    recipe = read(recipe_file, overrides, {})
    if recipe.transfer.weights:
        raise click.UsageError(
            "transfer.weights: a transfer begins on features that a sweep does not have; leave the weights out. Its "
            "usual rate is five times that from scratch."
        )
    from sightline.cli.display import Display
    from sightline.recipe.choices import settled

    display = Display(quiet=False)
    display.hello()
    from sightline.training import prepare, survey
    from sightline.training.assembly import assemble
    from sightline.training.rate_finder import first_batch, plot, sweep
    from sightline.writing import write_whole

    with display:
        prepared = prepare(survey(source, recipe, progress=display.progress), progress=display.progress)
        session = assemble(prepared, prepared.resolved, Path(out).parent, progress=display.progress)
        found = sweep(session, steps=steps, low=low, high=high)
        batch = first_batch(session, found.suggested or settled(session.recipe.optimizer.learning_rate))
    chosen = session.recipe.optimizer
    click.echo(
        f"First batch: loss {batch.loss:.3f} at the start (guessing has {batch.guessing:.3f}), {batch.learned:.3f} "
        f"after {batch.steps} steps on it alone, {batch.shuffled:.3f} then with labels of other pictures."
    )
    if not batch.right:
        click.echo(
            "It was not learned by heart, as any network that works can: look at rate, initialization and labels."
        )
    write_whole(Path(out), plot(found))
    if found.suggested is None:
        click.echo(f"The loss fell at no rate from {low:g} to {high:g}: look at initialization, inputs and labels.")
    else:
        click.echo(f"The loss was lowest at a rate of {found.lowest:.2g}. The recipe has {chosen.learning_rate:g}.")
        click.echo(f"Suggested: --set optimizer.learning_rate={found.suggested:g}")
    click.echo(f"Plot: {out}")
