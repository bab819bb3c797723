"""Going on with a training that ended early, from its newest intact checkpoint, to the same bits."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.data import Progress
from sightline.errors import ChangedError, DataError, OutputError, TrainingError
from sightline.recipe import Recipe, apply_overrides, from_toml, read_recipe, write_recipe
from sightline.recipe.choices import settled
from sightline.training import checkpoint, directory, records, tracking
from sightline.training.assembly import assemble
from sightline.training.batches import steps_per_epoch
from sightline.training.checkpoint import Checkpoint
from sightline.training.keeper import last_step
from sightline.training.observed import observed
from sightline.training.prepare import Prepared, prepare, survey
from sightline.training.replanning import REASON
from sightline.training.run import Run
from sightline.training.session import Session
from sightline.training.standing import differences, digest_of, standing


@dataclass(frozen=True)
class Resumable:
    """A run that ended early, and where it can go on."""

    path: Path
    recipe: Recipe
    """As it was resolved."""
    checkpoint: Checkpoint
    damaged: tuple[str, ...]
    """What is wrong with newer checkpoints, one sentence each."""
    lost: int
    """Steps that were taken after the checkpoint and will be taken again."""

    @property
    def source(self) -> str:
        """What it was trained on."""
        return str(self.checkpoint.about["source"])

    @property
    def folder(self) -> Path:
        """Where relative paths in the recipe begin."""
        return Path(self.checkpoint.about["folder"])


def pictures_of(path: Path) -> str | None:
    """Return where a run found its pictures, as far as one of its checkpoints is left to tell; None otherwise."""
    found = checkpoint.newest(path / directory.CHECKPOINTS, damaged=lambda _: None)
    if found is None or found.about["source"] == directory.named(None):
        return None
    return str(found.about["source"])


def folder_of(path: Path) -> Path | None:
    """Return where relative paths in the recipe of a run begin, as far as one of its checkpoints is left to tell."""
    found = checkpoint.newest(path / directory.CHECKPOINTS, damaged=lambda _: None)
    return None if found is None else Path(found.about["folder"])


def find(path: Path) -> Resumable:
    """Return where the run at `path` can go on.

    Raises:
        DataError: there is no run, it is finished, or none of its checkpoints is intact.
    """
    directory.required(path)
    if directory.finished(path):
        raise DataError(f"{path}: this run is finished. Its model is {path / directory.MODEL}.")
    damaged: list[str] = []
    found = checkpoint.newest(path / directory.CHECKPOINTS, damaged=damaged.append)
    if found is None:
        why = f" ({damaged[0]})" if damaged else ""
        raise DataError(f"{path}: found no checkpoint to go on from{why}. Train again.")
    lost = max(last_step(path / directory.CHECKPOINTS) - found.step, 0)
    return Resumable(path, read_recipe(path / directory.RECIPE), found, tuple(damaged), lost)


def earlier(source: object, recipe: Recipe, out: str | os.PathLike[str] | None) -> Path | None:
    """Return the run of this source and recipe that is there already, ended early or finished; None for none.

    Args:
        source: what is to be trained on.
        recipe: as the user wrote it.
        out: the run's directory; None for the last one of this source below `runs/`, if it ended early.

    Raises:
        DataError: what is at `out` has lost its checkpoints.
        OutputError: the run at `out` is of another source or recipe.
    """
    path = directory.last(source) if out is None else Path(out)
    if path is None or not path.is_dir() or not _has_begun(path):
        return None
    found = checkpoint.newest(path / directory.CHECKPOINTS, damaged=lambda _: None)
    done = directory.finished(path)
    same = _asked_in_log(path) == digest_of(recipe)
    if found is not None:
        same = same and found.about["source"] == directory.place_of(source)
    if out is None:
        return path if same and not done else None
    if not done and (found is None or not (path / directory.RECIPE).is_file()):
        lost = directory.RECIPE if found is not None else "an intact checkpoint"
        raise DataError(f"{path}: a run is there that cannot go on, as it has lost {lost}. Replace it: --overwrite")
    if not same:
        raise OutputError(
            f"{path}: the run there is of another source or recipe. Choose another place (--out DIR), or replace it "
            "(--overwrite instead of --resume)."
        )
    return path


def _has_begun(path: Path) -> bool:
    """Return whether there is something to lose: a step of this training was taken."""
    if directory.finished(path) or checkpoint.all_of(path / directory.CHECKPOINTS):
        return True
    try:
        return any("weights" in event for event in Run(path).events())
    except DataError:
        return False


def _asked_in_log(path: Path) -> str:
    """Return the digest of the recipe as the user wrote it; empty where the log does not have it."""
    try:
        return str(next(iter(Run(path).events()), {}).get("asked", ""))
    except DataError:
        return ""


def go_on(
    resumable: Resumable,
    prepared: Prepared,
    *,
    allow_different: bool = False,
    warn: Callable[[str], None],
    progress: Progress | None = None,
) -> Session:
    """Return the training as it was when the checkpoint was taken; the log is cut back to there.

    Args:
        resumable: from `find`.
        prepared: from the same source, with the resolved recipe.
        allow_different: go on where something is no longer as it was, so that the result is another one.
        warn: told what is different, where that is allowed.
        progress: told of what takes long.

    Raises:
        ChangedError: something is no longer as it was.
        TrainingError: the checkpoint is of another optimizer.
    """
    about = resumable.checkpoint.about
    found = differences(about["standing"], standing(prepared, prepared.resolved.recipe))
    replanned = prepared.resolved.recipe.training.replanned
    if [list(each) for each in replanned[: len(about.get("replanned", ()))]] != about.get("replanned", []):
        found.append("what was decided about its steps changed in the recipe")
    if "the pictures changed" in found:
        listed = records.changes(resumable.path, prepared.catalogue)
        found += [f"pictures that are {each}" for each in listed or [records.MOVED]]
    if found and not allow_different:
        raise ChangedError(
            f"{resumable.path}: cannot go on to the same bits: {'; '.join(found)}. Put it back as it was, or go on to "
            "another result: --allow-different"
        )
    # The recipe of a run has all fields set, so that its reasons are known here only.
    prepared = replace(prepared, source=about["name"], place=about["source"])
    # With other pictures or batches, what was decided about its steps is of another training.
    recipe = prepared.resolved.recipe
    per_epoch = steps_per_epoch(len(prepared.split.train), settled(recipe.training.batch_size))
    if outdated := bool(replanned) and per_epoch != about["steps_per_epoch"]:
        replanned = ()
        recipe = apply_overrides(recipe, {"training.replanned": []})
        prepared = replace(prepared, resolved=replace(prepared.resolved, recipe=recipe))
    # What was decided about its steps after the checkpoint is in the recipe alone.
    reasons = about["reasons"] | ({"training.replanned": REASON} if replanned else {})
    resolved = replace(prepared.resolved, reasons=reasons, asked=from_toml(about["asked"]))
    session = assemble(prepared, resolved, resumable.path, progress=progress)
    if session.recipe.optimizer.name != about["optimizer"]:
        raise TrainingError(
            f"{resumable.path}: the checkpoint has the state of {about['optimizer']}, and the recipe wants "
            f"{session.recipe.optimizer.name}. Put the recipe back as it was, or train anew with another --out."
        )
    session.enter(int(about["state"]["stage"]))
    checkpoint.put_back(resumable.checkpoint, session.state)
    if session.steps_per_epoch() != about["steps_per_epoch"]:
        # Other pictures or batches: the epoch that was under way begins anew.
        session.state.step = session.state.epoch * session.steps_per_epoch()
        session.state.stage_step = session.state.stage_epoch * session.steps_per_epoch()
        session.state.loss_sum, session.state.right = 0.0, 0.0
    if about["standing"]["decoded"] != prepared.catalogue.digest:
        session.state.losses = session.state.seen = None  # which are those of records by their place
    session.written_epoch = session.state.best_epoch
    session.exact = bool(about["exact"]) and not found
    directory.cut_log(resumable.path, int(about["log_bytes"]))
    if outdated:
        write_recipe(resumable.path / directory.RECIPE, session.recipe, reasons)
    if about["standing"]["decoded"] != prepared.catalogue.digest:
        records.write(resumable.path, prepared.catalogue, prepared.split)
    for each in found:
        warn(each)
    return session


def resume(
    path: str | os.PathLike[str],
    source: Any = None,
    *,
    allow_different: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Run:
    """Go on with the training at `path` from its newest intact checkpoint, and return the finished run.

    Args:
        path: the run's directory.
        source: what it was trained on, wanted where that was arrays; None for the place that the run has noted.
        allow_different: as in `go_on`.
        cache: as in `train`.
        progress: told of reading and decoding.
        warn: told what is different, where that is allowed, and which of `training.tracking` fails on the way.

    Raises:
        SightlineError: there is nothing to go on from, something changed, or what `train` raises.
    """
    path = directory.required(Path(path))
    with directory.locked(path):
        resumable = find(path)
        tracking.require(resumable.recipe)
        surveyed = survey(
            resumable.source if source is None else source,
            resumable.recipe,
            progress=progress,
            folder=resumable.folder,
        )
        prepared = prepare(surveyed, cache=cache, progress=progress)
        session = go_on(resumable, prepared, allow_different=allow_different, warn=warn, progress=progress)
        with observed(session, warn=warn) as look:
            for event in session.events():
                look(event)
            session.seal()
    return Run(path)
