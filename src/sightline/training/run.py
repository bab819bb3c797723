"""A run: the directory that a training leaves, and the one call that makes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline import model
from sightline.data import Progress
from sightline.errors import DataError
from sightline.recipe import Recipe, apply_overrides, read_recipe
from sightline.training import directory, tracking
from sightline.training.assembly import start
from sightline.training.log import lines
from sightline.training.observed import observed
from sightline.training.prepare import prepare, survey


@dataclass(frozen=True)
class Run:
    """A finished training, read from its directory."""

    path: Path

    @property
    def model_path(self) -> Path:
        """The sealed model."""
        return self.path / directory.MODEL

    def model(self) -> model.Model:
        """Return the sealed model, ready to predict."""
        return model.load(self.model_path)

    def recipe(self) -> Recipe:
        """Return the resolved recipe."""
        return read_recipe(self.path / directory.RECIPE)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the log's events: start, probe, epoch (one each), finding, sealed."""
        return lines(self.path / directory.EVENTS)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics of the sealed weights by side: validation and test, as far as they were held out."""
        sealed = [event for event in self.events() if event.get("event") == "sealed"]
        if not sealed:
            raise DataError(f"{self.path}: this run was never finished, so it has no metrics. Train again.")
        return {side: sealed[-1][side] for side in ("validation", "test") if side in sealed[-1]}


def transfer(
    weights: str | os.PathLike[str],
    source: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Transfer learning: a new last layer on frozen features, then all layers at a lower rate, without forgetting.

    Stage one: the last layer W is drawn anew and trained on the features φ of frozen layers θ₀; stage two trains both
    from there, at a tenth of the rate α and less towards the input:

        1.  min_W    Σ loss(W · φ(x; θ₀), y)             at α
        2.  min_W,θ  Σ loss(W · φ(x; θ), y)  from θ = θ₀  at α/10 · decay^d, d layers from the last

    The first layers of a trained network look for edges and colors that every picture has, so that few pictures are
    enough to tell new things apart by them. A new last layer is wrong at first; were all layers trained with it from
    the beginning, its large gradients would destroy what they know.

    Args:
        weights: a sealed model or its run, a .safetensors file under torchvision's or timm's names, hub:OWNER/NAME, or
            timm:NAME.
        source: as for `train`.
        recipe: as for `train`; the section `transfer` says how.
        out, overwrite, cache, progress: as for `train`.

    Returns:
        The finished run. Its `transfer.json` and `transfer.png` say how far each layer went, and with
        `transfer.source_data` what was forgotten.

    Raises:
        SightlineError: as `train`; ModelFileError where the weights cannot be used.

    Torch: it has no such function; torchvision has weights for its networks.

    Slides: as here, "initialize last layers randomly, train new parameters", then "finetune complete network" at "e.g.
        1/10 of LR"; they ask why it works: `sightline transfer … --curve` draws it.

    Source: Yosinski, Clune, Bengio and Lipson, How transferable are features in deep neural networks? (NeurIPS 2014);
        Kumar et al., Fine-tuning can distort pretrained features and underperform out-of-distribution (ICLR 2022), for
        the two stages.
    """
    named = {"transfer.weights": os.fspath(weights)}
    # Together, since how to transfer means nothing without weights.
    base, fields = (recipe, named) if isinstance(recipe, Recipe) else (Recipe(), {**(recipe or {}), **named})
    chosen = apply_overrides(base, fields)
    return train(source, chosen, out=out, overwrite=overwrite, cache=cache, progress=progress)


def train(
    source: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train on `source` and return the finished run.

    Args:
        source: a folder of class folders, a table, `(images, labels)`, IDX files, or `"digits"`.
        recipe: a `Recipe`, dotted fields such as `{"training.epochs": 5}`, or None for all defaults.
        out: the run's directory; None for the next free one below `runs/`.
        overwrite: take the place of an earlier run at `out`.
        cache: folder for decoded pixels; None for the user's, where the next training finds them again.
        progress: told of reading and decoding.

    Raises:
        SightlineError: RecipeError, DataError, TrainingError or OutputError, each with what to do next.
    """
    chosen = recipe if isinstance(recipe, Recipe) else apply_overrides(Recipe(), recipe or {})
    tracking.require(chosen)
    begun = time.monotonic()
    with directory.made(out, source=source, overwrite=overwrite) as path:
        session = start(
            prepare(survey(source, chosen, progress=progress), cache=cache, progress=progress),
            path,
            begun=begun,
            progress=progress,
        )
        with observed(session) as look:
            for event in session.events():
                look(event)
            session.seal()
    return Run(path)
