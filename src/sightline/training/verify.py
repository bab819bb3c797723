"""Holding a run against itself: its files, its model, its pictures, and the weights when it is trained again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline import model
from sightline.data import Progress
from sightline.errors import DataError, ModelFileError, SightlineError, TrainingError
from sightline.model.format import digest_of_tensors
from sightline.recipe import read_recipe
from sightline.training import checkpoint, directory, records, sums
from sightline.training.assembly import start
from sightline.training.checkpoint import Checkpoint
from sightline.training.prepare import Prepared, prepare, survey
from sightline.training.run import Run
from sightline.training.standing import differences, standing


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at."""

    what: str
    says: str
    """In a few words; of what is wrong, where it is."""
    right: bool = True


def verify(
    path: Path, source: Any = None, *, steps: int = 0, cache: Path | None = None, progress: Progress | None = None
) -> Iterator[Checked]:
    """Yield what is right and what is wrong with a run, as it is found; nothing in the run's directory is changed.

    Looked at are: every file's digest as noted at the end of the training; every checkpoint's own digests; that the
    model's weights are those of the log's fingerprint; that every picture of the catalogue is still in the source, with
    the same bytes; and, where asked, that a training from the beginning gets the weights that the log has digests of.

    Args:
        path: the run's directory.
        source: where the pictures are now; None for where they were. Arrays have to be given.
        steps: how many steps to train again; 0 for none. Digests are in the log after 1, 10, 100 … steps and after
            each epoch.
        cache: as in `train`.
        progress: told of reading and decoding.

    Raises:
        DataError: there is no run, or its lists cannot be read.
    """
    if not (path / directory.RECIPE).is_file() and (path / directory.EVENTS).is_file():
        yield Checked(directory.RECIPE, "is missing", right=False)
        return
    directory.required(path)
    altered = set()
    if directory.finished(path):
        for name, wrong in sums.check(path, directory.LASTING):
            altered |= {name} if wrong else set()
            yield Checked(name, wrong or "is what the training wrote", not wrong)
        yield _fingerprint(path)
    elif _sealed(path):
        says = "is missing, although the training came to its end; after a kill in that moment `resume` writes it"
        yield Checked(sums.NAME, says, right=False)
        yield _fingerprint(path)
    else:
        yield Checked(sums.NAME, "is not there yet: the training has not come to its end")
    newest: Checkpoint | None = None
    for file in checkpoint.all_of(path / directory.CHECKPOINTS):
        found = _read(file)
        if found is None and not file.exists():
            continue  # the training goes on, and has removed it
        newest = newest or found
        says = "is altered or torn" if found is None else f"is whole; step {found.step:,}"
        yield Checked(f"{directory.CHECKPOINTS}/{file.name}", says, found is not None)
    if source is None and newest is not None and newest.about["source"] != directory.named(None):
        source = newest.about["source"]
    if source is None:
        yield Checked("pictures", "were not looked at: their place is not known. Give it after the run's.")
    elif altered & {directory.RECIPE, directory.CATALOGUE, directory.REFUSED}:
        yield Checked("pictures", "were not looked at, as the run's own lists are not what they were", right=False)
    else:
        yield from _pictures(path, source, newest, steps, cache=cache, progress=progress)


def _pictures(
    path: Path,
    source: Any,
    newest: Checkpoint | None,
    steps: int,
    *,
    cache: Path | None,
    progress: Progress | None,
) -> Iterator[Checked]:
    try:
        folder = None if newest is None else Path(newest.about["folder"])
        recipe = read_recipe(path / directory.RECIPE)
        surveyed = survey(source, recipe, progress=progress, reread=True, folder=folder)
        changed = records.changes(path, surveyed.catalogue)
        noted = _data_digest(path, newest)
        if not changed and noted not in ("", surveyed.catalogue.digest):
            changed = [records.MOVED]
    except SightlineError as error:  # the folder is gone, or most of it
        yield Checked("pictures", str(error), right=False)
        return
    says = f"{len(surveyed.catalogue):,} in {surveyed.catalogue.source.name}, each with the bytes it was trained on"
    yield Checked("pictures", "; ".join(changed) or says, not changed)
    if steps and not changed:
        yield from _trained_again(path, prepare(surveyed, cache=cache, progress=progress), newest, steps)


def _read(file: Path) -> Checkpoint | None:
    try:
        return checkpoint.read(file)
    except ModelFileError:
        return None


def _sealed(path: Path) -> dict[str, Any] | None:
    """Return the log's last word; None where the training has not come to its end, or the log cannot be read."""
    try:
        found = [event for event in Run(path).events() if event.get("event") == "sealed"]
    except DataError:
        return None
    return found[-1] if found else None


def _data_digest(path: Path, newest: Checkpoint | None) -> str:
    """Return the digest of the catalogue before decoding, from wherever the run has it; empty for nowhere."""
    if newest is not None:
        return str(newest.about["standing"]["data"])
    try:
        return model.load(path / directory.MODEL).description.data_digest
    except SightlineError:
        return ""


def _fingerprint(path: Path) -> Checked:
    """Return whether the model has the weights that the log says."""
    sealed = _sealed(path)
    if sealed is None:
        return Checked("fingerprint", "is not in the log", right=False)
    wanted = str(sealed.get("fingerprint"))
    try:
        found = digest_of_tensors(model.load(path / directory.MODEL).weights)[: len(wanted)]
    except SightlineError as error:
        return Checked("fingerprint", str(error), right=False)
    if found != wanted:
        return Checked("fingerprint", f"of the model's weights is {found}, and {wanted} in the log", right=False)
    exact = "" if sealed.get("exact") else "; the run says itself that it is not exact"
    return Checked("fingerprint", f"{found}, the model's weights are those of the log{exact}")


def _trained_again(path: Path, prepared: Prepared, newest: Checkpoint | None, steps: int) -> Iterator[Checked]:
    if newest is not None:
        for each in differences(newest.about["standing"], standing(prepared, prepared.resolved.recipe)):
            yield Checked("standing", f"{each}, so that other bits are to be expected")
    wanted = _digests(path)
    with tempfile.TemporaryDirectory(prefix="sightline-verify-") as folder:
        session = start(prepared, Path(folder))
        try:
            for _ in session.events(stop=lambda: session.state.step >= steps):
                pass
        except TrainingError:
            yield Checked("training", f"again from the beginning: it breaks down after step {session.state.step:,}")
        found = _digests(Path(folder))
    common = sorted(found.keys() & wanted.keys())
    if not common:
        raise DataError(f"{path / directory.EVENTS}: found no digest of weights of the first {steps:,} steps.")
    parted = next((step for step in common if found[step] != wanted[step]), None)
    if parted is None:
        listed = ", ".join(f"{step:,}" for step in common)
        yield Checked("training", f"again from the beginning: the same weights after steps {listed}")
    else:
        exact = newest is None or bool(newest.about["exact"])
        expected = "" if exact else ", as is to be expected of a run that is not exact"
        says = f"again from the beginning: after step {parted:,} the weights are others than those of the run{expected}"
        yield Checked("training", says, right=not exact)


def _digests(path: Path) -> dict[int, str]:
    """Return the digest of the weights after each step that the log has one of."""
    return {int(event["step"]): str(event["weights"]) for event in Run(path).events() if "weights" in event}
