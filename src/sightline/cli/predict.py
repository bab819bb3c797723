"""`sightline predict`: what is in pictures."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

import click

from sightline.cli.options import backend_option, test_time_option
from sightline.errors import DataError

if TYPE_CHECKING:
    from sightline.model import Predictions
    from sightline.model.backends import Backend
    from sightline.model.views import TestTime


@click.command("predict")
@click.argument("model_file", metavar="MODEL")
@click.argument("files", nargs=-1, required=True)
@click.option("--top-k", type=click.IntRange(min=1), default=3, show_default=True, help="Classes listed per picture.")
@test_time_option
@backend_option
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def command(
    model_file: str,
    files: tuple[str, ...],
    top_k: int,
    test_time: TestTime,
    certain: float,
    backend: Backend,
    form: str,
) -> None:
    """Say with MODEL (model.safetensors, or a run's directory) what is in FILES: pictures, or folders of them.

    A file that cannot be decoded is listed with its reason after the others, and the exit code is 3.
    """
    from sightline.cli.display import Display
    from sightline.cli.files import model_in, pictures
    from sightline.model import load

    paths = pictures(files)
    predictions = load(model_in(model_file)).predict(
        paths,
        top_k=top_k,
        skip_refused=True,
        test_time=test_time,
        certain=certain,
        backend=backend,
        progress=Display(quiet=form != "table").progress,
    )
    {"table": _table, "csv": _csv, "json": _json}[form](predictions, top_k)
    if predictions.refused:
        listed = "\n".join(f"  {refusal.name}: {refusal.reason}" for refusal in predictions.refused)
        raise DataError(f"{len(predictions.refused)} of {len(paths)} files were left out:\n{listed}")


def _table(predictions: Predictions, top_k: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for place in range(min(top_k, len(predictions.class_names))):
        table.add_column("class" if place == 0 else f"{place + 1}.", overflow="fold")
        table.add_column("", justify="right")
    for name, top in zip(predictions.names, predictions.top(top_k), strict=True):
        table.add_row(name, *(cell for label, share in top for cell in (label, f"{share:.1%}")))
    Console(markup=False, highlight=False, emoji=False).print(table)


def _csv(predictions: Predictions, top_k: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    count = min(top_k, len(predictions.class_names))
    writer.writerow(
        ["file", *(f"{what}_{place}" for place in range(1, count + 1) for what in ("class", "probability"))]
    )
    for name, top in zip(predictions.names, predictions.top(top_k), strict=True):
        writer.writerow([name, *(cell for label, share in top for cell in (label, repr(share)))])


def _json(predictions: Predictions, top_k: int) -> None:
    rows: list[dict[str, object]] = [
        {"file": name, "classes": [{"class": label, "probability": share} for label, share in top]}
        for name, top in zip(predictions.names, predictions.top(top_k), strict=True)
    ]
    rows += [{"file": refusal.name, "refused": refusal.reason} for refusal in predictions.refused]
    click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
