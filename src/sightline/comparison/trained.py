"""A training that is carried out once: begun, gone on with, or found finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.data import Progress
from sightline.recipe import Recipe
from sightline.training import Run, directory, train
from sightline.training.resume import earlier, resume


def trained(
    source: Any, recipe: Recipe, path: Path, *, cache: Path | None = None, progress: Progress | None = None
) -> Run:
    """Return the finished run at `path`, which is trained as far as it is not.

    Args:
        source: as for `train`.
        recipe: as asked for.
        path: the run's directory. One of another source or recipe there is replaced.
        cache, progress: as for `train`.

    Raises:
        SightlineError: as `train`.
    """
    found = earlier(source, recipe, path) if path.is_dir() else None
    if found is not None and directory.finished(found):
        return Run(found)
    if found is not None:
        return resume(found, source, cache=cache, progress=progress)
    return train(source, recipe, out=path, overwrite=True, cache=cache, progress=progress)
