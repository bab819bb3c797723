"""`sightline evaluate`: a sealed model judged on labelled pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sightline.cli.options import backend_option, test_time_option

if TYPE_CHECKING:
    from sightline.model.backends import Backend
    from sightline.model.views import TestTime
    from sightline.training import Judgment
    from sightline.training.held_out import Side


@click.command("evaluate")
@click.argument("model_file", metavar="MODEL")
@click.argument("source")
@click.option(
    "--side",
    type=click.Choice(["auto", "train", "validation", "test", "all"]),
    default="auto",
    show_default=True,
    help="Which pictures count. auto: what was held out, where the model was trained on SOURCE; otherwise all.",
)
@test_time_option
@backend_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    model_file: str, source: str, side: Side, test_time: TestTime, certain: float, backend: Backend, form: str
) -> None:
    """Judge MODEL (model.safetensors, or a run's directory) on SOURCE, which is anything that can be trained on."""
    from sightline.cli.display import Display

    display = Display(quiet=form == "json")
    display.hello()
    from sightline.cli.files import model_in
    from sightline.model import load
    from sightline.training import judge

    model = load(model_in(model_file))
    judgment = judge(
        model, source, side=side, test_time=test_time, certain=certain, backend=backend, progress=display.progress
    )
    if form == "json":
        refused = [{"file": refusal.name, "reason": refusal.reason} for refusal in judgment.refused]
        plain = {} if judgment.plain is None else {"without_test_time_augmentation": judgment.plain.as_dict()}
        found = {"side": judgment.side, **judgment.metrics.as_dict(), **plain, "refused": refused}
        click.echo(json.dumps(found, indent=2))
        return
    display.left_out(judgment.refused)
    _table(judgment, model.class_names)
    display.confusions(model.class_names, judgment.metrics)


def _table(judgment: Judgment, class_names: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    metrics = judgment.metrics
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(f"{metrics.images:,} pictures ({judgment.side}: {judgment.why})")
    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="fold")
    for name in ("pictures", "precision", "recall"):
        table.add_column(name, justify="right")
    for name, row, precision, recall in zip(
        class_names, metrics.confusion, metrics.precision, metrics.recall, strict=True
    ):
        table.add_row(name, f"{sum(row):,}", f"{precision:.3f}", f"{recall:.3f}")
    console.print(table)
    console.print(
        f"accuracy {metrics.accuracy:.2%}, balanced accuracy {metrics.balanced_accuracy:.2%}, top-5 "
        f"{metrics.top5:.2%}, macro F1 {metrics.macro_f1:.3f}, loss {metrics.loss:.3f}"
    )
    if judgment.plain is not None:
        gain = 100 * (metrics.accuracy - judgment.plain.accuracy)
        console.print(
            f"test-time augmentation: accuracy {judgment.plain.accuracy:.2%} without, {metrics.accuracy:.2%} with it "
            f"({gain:+.2f} points), loss {judgment.plain.loss:.3f} without, {metrics.loss:.3f} with it"
        )
