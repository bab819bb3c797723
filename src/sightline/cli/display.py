"""What `sightline train` shows: the data, the choices with their reasons, the progress and the result."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sightline import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.diagnosis import Finding
    from sightline.training import EpochEnd, Event, Metrics, Prepared, Session, Survey
    from sightline.training.calibration import Calibration
    from sightline.training.resume import Resumable

REFUSED_SHOWN = 10
CONFUSIONS_SHOWN = 3
CLASSES_SHOWN = 12
EPOCHS_SHOWN = 30
"""Lines at most for the epochs of one stage of transfer learning, about: on cached features they take no time."""


class Screen(Console):
    """A console that falls silent when nobody reads it any more, so that a training goes on without its reader."""

    def on_broken_pipe(self) -> None:
        """Be quiet from now on, instead of ending the process."""
        self.quiet = True
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


class Bar:
    """Draws a bar for one task at a time on a terminal; prints one line a task where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def start(self, task: str, total: int | None) -> None:
        """Begin a task with `total` units, or None where that is unknown."""
        self.finish()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._progress.start()
        self._task = self._progress.add_task(task, total=total)
        if not self._console.is_terminal:
            self._console.print(f"{task} ...")

    def advance(self, n: int = 1) -> None:
        """Say that `n` more units are done."""
        if self._progress is not None:
            self._progress.update(self._task, advance=n)

    def finish(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class Display:
    """Prints a training for a person. With `quiet`, only the result."""

    def __init__(self, *, quiet: bool) -> None:
        self._result = Screen(highlight=False, markup=False, emoji=False, soft_wrap=True)
        # Lines are not broken where there is no terminal: a program or a pager reads them.
        self._console = Screen(highlight=False, markup=False, emoji=False, quiet=quiet, soft_wrap=True)
        self.progress = Bar(self._console)
        self._bar: Progress | None = None
        self._live: Live | None = None
        self._task = TaskID(0)
        self._begun = self._epoch_begun = time.monotonic()
        self._epoch_images = self._seen = 0
        self._right = 0.0
        self._last_step = 0.0
        self._smooth = 0.0
        self._shown = 0
        self._every = 1

    def hello(self) -> None:
        """Say at once that something is happening: the libraries take seconds to load."""
        self._console.print(f"Sightline {__version__}")

    def line(self, text: str) -> None:
        """Show a line of progress."""
        self._console.print(text)

    @property
    def in_place(self) -> bool:
        """Whether what is shown can change in place: there is a terminal, and somebody wants to see it."""
        return self._console.is_interactive and not self._console.is_dumb_terminal and not self._console.quiet

    def table(self, what: Table) -> None:
        """Show a table in the place of the one before; only where `in_place`."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(what, refresh=True)

    def result(self, what: str | Table) -> None:
        """Show what is shown with `quiet` too."""
        self._result.print(what)

    def survey(self, surveyed: Survey) -> None:
        """Show what was found, what was chosen and why, and the advice."""
        from sightline.recipe import advise

        facts = surveyed.facts
        names = ", ".join(facts.class_names[:CLASSES_SHOWN]) + (" …" if facts.classes > CLASSES_SHOWN else "")
        self._console.print(
            f"{facts.source}: {facts.training:,} training, {facts.validation:,} validation and {facts.test:,} test "
            f"pictures of {facts.classes} classes ({names})"
        )
        self.left_out(surveyed.catalogue.refused, ", listed in the run's refused.csv")
        self._choices(surveyed.resolved.reasons, surveyed.resolved.recipe.model_dump(mode="json"))
        reasons = surveyed.resolved.reasons
        for advice in advise(surveyed.resolved.recipe, facts):
            # What was chosen automatically has its reason above; advice is about what the user chose.
            if all(field in reasons for field in advice.change):
                continue
            self._console.print(f"Advice ({advice.code}): {advice.says} {advice.reason} [{advice.reference}]")
            for override in advice.overrides:
                self._console.print(f"    --set {shlex.quote(override)}")

    def prepared(self, prepared: Prepared) -> None:
        """Show what could not be decoded, where that is news, and how transferred weights fit the pictures."""
        self.left_out(prepared.catalogue.refused, ", listed in the run's refused.csv")
        for remark in prepared.remarks:
            self._console.print(f"Note: {remark}")

    def session(self, session: Session) -> None:
        """Show what is about to be trained."""
        parameters = sum(parameter.numel() for parameter in session.state.network.parameters())
        recipe = session.recipe
        if session.state.step:
            self._console.print(f"Going on after step {session.state.step:,}, in epoch {session.state.epoch + 1}.")
        self._console.print(
            f"Training {recipe.network.name} ({parameters:,} parameters) with {recipe.optimizer.name} for "
            f"{recipe.training.epochs} epochs on {recipe.training.device}; run: {session.path}"
        )
        self._memory(session)
        self._begun = time.monotonic()

    def _memory(self, session: Session) -> None:
        """Warn where a step needs more memory than is free."""
        memory, training = session.memory, session.recipe.training
        if memory is None or training.batch_size == "auto":
            return
        needed = memory.needed(training.batch_size, training.parts)
        if needed > memory.free:
            self._result.print(
                f"Little memory: a step needs about {needed / 1e9:.3g} GB, and {memory.free / 1e9:.3g} GB are free. "
                "Divide the batch (training.gradient_accumulation), or take smaller pictures."
            )

    def finished(self, run: Path) -> None:
        """Say that there is nothing left to train."""
        self._result.print(f"{run}: this run is finished; nothing was trained.")

    def resumable(self, found: Resumable) -> None:
        """Show where a run will go on, and what was lost."""
        for says in found.damaged:
            self._console.print(f"Not used: {says}")
        lost = f"; {found.lost:,} steps after it were lost and are taken again" if found.lost else ""
        self._console.print(f"{found.path}: checkpoint of step {found.checkpoint.step:,}{lost}")

    def checked(self, what: str, says: str, *, right: bool) -> None:
        """Show one thing of a run that was looked at."""
        console = self._console if right else self._result
        console.print(f"{'ok   ' if right else 'WRONG'}  {what}  {says}")

    def different(self, what: str) -> None:
        """Say what is no longer as it was when a training began."""
        self._result.print(f"Not exact: {what}; the result will be another one than without interruption.")

    def event(self, event: Event) -> None:
        """Show one event of the training."""
        from sightline.cli.transfer_display import stage
        from sightline.training import EpochEnd, EpochStart, Found, Replanned, StageStart, StepEnd

        match event:
            case StageStart():
                self._close_bar()
                self._every = max(1, event.epochs // EPOCHS_SHOWN)
                stage(self._console, event)
            case EpochStart():
                self._epoch_begun = self._last_step = time.monotonic()
                self._epoch_images, self._seen, self._right = event.images, 0, 0.0
                bar = self._bar if self._bar is not None else self._open_bar()
                # Told anew, since epochs may have fewer pictures than others.
                left = (event.epochs - event.epoch + 1) * event.images
                bar.update(self._task, total=bar.tasks[0].completed + left)
            case StepEnd():
                if self._bar is not None:
                    speed = event.images / max(1e-9, self._step_seconds())
                    self._seen, self._right = self._seen + event.images, self._right + event.right
                    accuracy = self._right / self._seen
                    self._bar.update(self._task, advance=event.images, loss=event.loss, accuracy=accuracy, speed=speed)
            case EpochEnd():
                if event.epoch % self._every == 0:
                    self._epoch(event)
            case Replanned():
                self._console.print(
                    f"Planned anew after step {event.step:,}, to keep to the time: {event.steps:,} steps in all, "
                    f"{event.planned:,} at first."
                )
            case Found():
                self.found(event.finding)

    def found(self, finding: Finding) -> None:
        """Show what is wrong with a training, and what cures it."""
        self._console.print(f"{finding.title} ({finding.code}) at step {finding.step:,}: {finding.says}")
        for override in finding.overrides:
            self._console.print(f"    --set {shlex.quote(override)}")

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        """Take any bar away, whatever has happened: it hides the cursor."""
        self.progress.finish()
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._close_bar()

    def ended_early(self, session: Session, *, resumable: bool) -> None:
        """Say what a training leaves that did not come to its end."""
        from sightline.training.directory import CHECKPOINTS, MODEL

        self._close_bar()
        if session.written_epoch:
            says = f"The best weights so far, of epoch {session.written_epoch}, are in {session.path / MODEL}"
        else:
            says = "No model has been written yet."
        self._result.print(says)
        if resumable and (session.path / CHECKPOINTS).is_dir():
            self._result.print(f"Go on with: sightline resume {shlex.quote(str(session.path))}")

    def sealed(self, session: Session, metrics: Mapping[str, Metrics]) -> None:
        """Show the result and where it is."""
        from sightline.cli.transfer_display import conclusion
        from sightline.training.directory import MODEL

        self._close_bar()
        for finding in session.watch.ending:
            self.found(finding)
        for side, found in metrics.items():
            self._result.print(
                f"{side.capitalize()}: accuracy {found.accuracy:.2%}, balanced accuracy {found.balanced_accuracy:.2%}, "
                f"macro F1 {found.macro_f1:.3f}, loss {found.loss:.3f} ({found.images:,} pictures)"
            )
        if metrics:
            self.confusions(session.prepared.catalogue.class_names, list(metrics.values())[-1])
        if session.calibration is not None:
            self._console.print(_calibration(session.calibration))
        if session.conclusion is not None:
            conclusion(self._result, self._console, session.conclusion)
        kept = "best by validation loss" if "validation" in metrics else "last"
        self._console.print(
            f"Weights of epoch {session.state.best_epoch}, the {kept}; trained for "
            f"{_duration(time.monotonic() - self._begun)}."
        )
        model = session.path / MODEL
        self._result.print(f"Run:   {session.path}")
        self._result.print(f"Model: {model}  ({model.stat().st_size / 1e6:.1f} MB)")
        self._console.print(f"Bits:  {session.fingerprint()}; {_promise(session)}")
        self._console.print(f"Next:  sightline predict {model} PICTURE…")

    def confusions(self, classes: tuple[str, ...], metrics: Metrics) -> None:
        """Show the classes that are most often taken for another."""
        from sightline.training.metrics import most_confused

        wrong = most_confused(metrics.confusion, CONFUSIONS_SHOWN)
        if wrong:
            listed = ", ".join(f"{classes[true]} as {classes[guess]} ({count})" for true, guess, count in wrong)
            self._result.print(f"Most often confused: {listed}")

    def left_out(self, refused: tuple[object, ...], where: str = "") -> None:
        """List the files that are left out, as far as they are news."""
        news = refused[self._shown :]
        if not news:
            return
        self._shown = len(refused)
        self._console.print(f"{len(news):,} files are left out:")
        for refusal in news[:REFUSED_SHOWN]:
            self._console.print(f"    {refusal}")
        if len(news) > REFUSED_SHOWN:
            self._console.print(f"    … and {len(news) - REFUSED_SHOWN:,} more{where}")

    def _choices(self, reasons: Mapping[str, str], fields: Mapping[str, object]) -> None:
        if not reasons:
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        for path, reason in reasons.items():
            value: object = fields
            for step in path.split("."):
                value = value[step]  # type: ignore[index]
            if isinstance(value, dict):
                value = value["name"]
            table.add_row("  " + path, str(value), reason)
        self._console.print("Chosen automatically:")
        self._console.print(table)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open_bar(self) -> Progress:
        bar = self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn(
                "loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.1%}  {task.fields[speed]:,.0f} img/s"
            ),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._last_step = time.monotonic()
        bar.start()
        self._task = bar.add_task("training", total=None, loss=float("nan"), accuracy=0.0, speed=0.0)
        return bar

    def _step_seconds(self) -> float:
        now = time.monotonic()
        elapsed, self._last_step = now - self._last_step, now
        self._smooth = elapsed if self._smooth == 0.0 else 0.9 * self._smooth + 0.1 * elapsed
        return self._smooth

    def _epoch(self, event: EpochEnd) -> None:
        seconds = time.monotonic() - self._epoch_begun
        text = f"epoch {event.epoch:>3}  loss {event.training_loss:.4f}  accuracy {event.training_accuracy:.4f}"
        if event.validation is not None:
            text += f"  |  validation loss {event.validation.loss:.4f}  accuracy {event.validation.accuracy:.4f}"
        text += f"  |  {self._epoch_images / seconds:,.0f} img/s  {_duration(seconds)}"
        self._console.print(text + ("  *" if event.best and event.validation is not None else ""))


def _promise(session: Session) -> str:
    if session.exact:
        return "the same for whoever repeats this run"
    if not session.recipe.training.deterministic:
        return "others each time, as training.deterministic is false"
    return "not exact, as something changed when the training went on"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _calibration(found: Calibration) -> str:
    """Return a line that says why the losses above are not those of the epochs."""
    temperature = found.temperature
    errors = "; ".join(
        f"{side} {each.error_before:.1%} before, {each.error_after:.1%} after"
        for side, each in found.sides.items()
        if temperature.value != 1 and each.error_before is not None and each.error_after is not None
    )
    told = f"; expected calibration error: {errors}" if errors else ""
    return f"Temperature of its probabilities: {temperature.value:.3f}, {temperature.why}{told}."
