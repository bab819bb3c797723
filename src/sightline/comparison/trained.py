"""A training that is carried out once: begun, gone on with, or found finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.data import Progress
from sightline.errors import ChangedError, DataError, OutputError
from sightline.recipe import Recipe
from sightline.training import Run, directory, train
from sightline.training.resume import earlier, resume


def trained(
    source: Any, recipe: Recipe, path: Path, *, cache: Path | None = None, progress: Progress | None = None
) -> Run:
    """Return the finished run at `path`, which is trained as far as it is not.

    What is there and cannot be gone on with is trained anew: a run of another source or recipe, one that has lost its
    checkpoints, or was begun with another version of what its bits depend on.

    Args:
        source: as for `train`.
        recipe: as asked for.
        path: the run's directory.
        cache, progress: as for `train`.

    Raises:
        BusyError: another process works in it.
        SightlineError: as `train`.
    """
    try:
        found = earlier(source, recipe, path) if path.is_dir() else None
    except (DataError, OutputError):
        found = None
    if found is not None and directory.finished(found):
        return Run(found)
    if found is not None:
        try:
            return resume(found, source, cache=cache, progress=progress)
        except ChangedError:
            pass
    return train(source, recipe, out=path, overwrite=True, cache=cache, progress=progress)
