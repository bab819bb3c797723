"""`sightline diagnose`: what is wrong with a run, and what cures it."""

from __future__ import annotations

import json
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sightline.diagnosis import Finding

WIDTH = 100


@click.command("diagnose")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one object with the findings, their evidence and their prescriptions.",
)
def command(run: Path, form: str) -> None:
    """Say what is wrong with RUN, a run's directory: finished, broken off or still training.

    Each fault comes with its evidence, the change to the recipe that cures it, and the reason. What is read is the log,
    into which a training writes what its probes see; nothing is computed anew.
    """
    from sightline.diagnosis import diagnose, passed
    from sightline.training.watching import history_of

    history = history_of(run)
    findings, earlier = diagnose(history), passed(history)
    if form == "json":
        values = {
            "run": str(run),
            "step": history.step,
            "findings": [each.as_dict() for each in findings],
            "passed": [each.as_dict() for each in earlier],
        }
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    for finding in findings:
        _show(finding)
    if earlier:
        names = ", ".join(f"{each.code} (step {each.step:,})" for each in earlier)
        click.echo(f"Seen on the way, and no longer: {names}")
    looked = bool(history.probes or history.epochs)
    click.echo(_summary(run, findings, looked=looked, probed=bool(history.probes), step=history.step))


def _show(finding: Finding) -> None:
    click.echo(f"{finding.title} ({finding.code}), step {finding.step:,}")
    _paragraph(finding.says)
    _paragraph("; ".join(f"{name}: {value}" for name, value in finding.told))
    _paragraph(f"{finding.reason} [{finding.reference}]")
    for name in finding.pictures:
        click.echo(f"      {name}")
    for override in finding.overrides:
        click.echo(f"    --set {shlex.quote(override)}")
    click.echo()


def _summary(run: Path, findings: tuple[Finding, ...], *, looked: bool, probed: bool, step: int) -> str:
    if not looked:
        return "Nothing was seen yet: the training has not come to its first probe."
    if not findings and not probed:
        return (
            f"Nothing is wrong with its losses and accuracies up to step {step:,}. Layers, gradients and steps were "
            "not probed (training.diagnosis = false)."
        )
    if not findings:
        return f"Nothing is wrong with it, as far as {step:,} steps tell."
    if any(each.change for each in findings if each.severity != "note"):
        return f"Train with what is prescribed, and compare: sightline cure {shlex.quote(str(run))}"
    return "No change to the recipe cures this."


def _paragraph(text: str) -> None:
    click.echo(textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    "))
