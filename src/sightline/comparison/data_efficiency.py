"""A data-efficiency curve: accuracy against the number of training pictures, from scratch and from trained weights."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sightline import transfer_learning
from sightline.comparison.trained import trained
from sightline.data import Progress
from sightline.errors import OutputError, RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.network import VGG
from sightline.recipe.overrides import explicit
from sightline.training import directory
from sightline.writing import write_whole

ARMS = ("default", "scratch", "head", "both")
"""Sightline's own network from random weights; the weights' network from random ones; the two depths of transfer."""
RUNS, TABLE, NUMBERS = "runs", "curve.csv", "curve.json"


@dataclass(frozen=True)
class Trial:
    """One training of the curve."""

    arm: str
    per_class: int
    """Training pictures of each class."""
    seed: int
    """Of the training and of which pictures it has."""
    accuracy: float
    """On the test side, 0 to 1."""
    images: int
    """Pictures tested on."""


@dataclass(frozen=True)
class Curve:
    """All trainings of a curve."""

    source: str
    weights: str
    trials: tuple[Trial, ...]

    def accuracies(self, arm: str, per_class: int) -> tuple[float, ...]:
        """Return the accuracies over the seeds, in their order."""
        return tuple(t.accuracy for t in self.trials if (t.arm, t.per_class) == (arm, per_class))

    def sizes(self) -> tuple[int, ...]:
        """Return the numbers of training pictures per class."""
        return tuple(sorted({trial.per_class for trial in self.trials}))

    def rows(self) -> Iterator[tuple[str, int, float, float, int]]:
        """Yield arm, pictures per class, mean accuracy, its standard deviation over seeds, and how many seeds."""
        for arm in ARMS:
            for size in self.sizes():
                if found := self.accuracies(arm, size):
                    spread = statistics.stdev(found) if len(found) > 1 else 0.0
                    yield arm, size, statistics.fmean(found), spread, len(found)


def data_efficiency(
    source: Any,
    recipe: Recipe,
    sizes: Sequence[int],
    *,
    seeds: int,
    out: Path,
    arms: Sequence[str] = ARMS,
    cache: Path | None = None,
    progress: Progress | None = None,
    told: Callable[[Trial], None] = lambda _: None,
) -> Curve:
    """Train with few and with many pictures, from scratch and from trained weights, and return how good each was.

    Every training is an ordinary run below `out`, with the pictures of its class that `data.training_per_class` leaves
    and nothing held out to choose the best epoch by. The other pictures are tested on, or the source's own test set.
    What is there already is not trained again, and a training that was cut off goes on, so that the same call continues
    a curve that was stopped.

    Args:
        source: as for `train`.
        recipe: with `transfer.weights`; its other choices hold for all arms as far as they mean something there.
        sizes: training pictures of each class.
        seeds: trainings of each arm and size, with seeds 0, 1, ….
        out: folder for the runs, `curve.csv`, `curve.json` and `curve.png`.
        arms: of `ARMS`.
        cache: as for `train`.
        progress: told of reading and decoding.
        told: each training as soon as it is done.

    Raises:
        RecipeError: there are no weights, or no sizes.
        OutputError: `out` cannot be written to.
    """
    if not recipe.transfer.weights:
        raise RecipeError("transfer.weights: found none, and the curve is about what they are good for; name some.")
    if not sizes or min(sizes) < 1 or seeds < 1:
        raise RecipeError(f"curve: found sizes {list(sizes)} and {seeds} seeds; wanted whole numbers from 1 on.")
    recipes = {arm: recipe_of(recipe, arm) for arm in arms}
    _ready(out)
    trials = []
    for size in sizes:
        for seed in range(seeds):
            for arm in arms:
                chosen = apply_overrides(
                    recipes[arm], {"data.training_per_class": size, "data.seed": seed, "training.seed": seed}
                )
                run = trained(source, chosen, out / RUNS / f"{arm}-{size}-{seed}", cache=cache, progress=progress)
                test = run.metrics["test"]
                trials.append(Trial(arm, size, seed, test["accuracy"], test["images"]))
                told(trials[-1])
                _write(out, Curve(directory.named(source), recipe.transfer.weights, tuple(trials)))
    return Curve(directory.named(source), recipe.transfer.weights, tuple(trials))


def recipe_of(recipe: Recipe, arm: str) -> Recipe:
    """Return the recipe of an arm: nothing is held out to choose by, so that all pictures that are kept teach.

    From scratch, the weights' network has batch normalization where it has none, and a linear head.
    """
    fields = explicit(recipe)
    fields.setdefault("data", {}).update(validation_fraction=0.0, test_fraction=0.0)
    if arm in ("head", "both"):
        fields["transfer"]["depth"] = arm
        if arm == "head":  # the passes of the other stage mean nothing here
            fields.get("training", {}).pop("epochs", None)
        return apply_overrides(fields, {})
    weights = transfer_learning.read(fields.pop("transfer")["weights"])
    fields.get("preprocessing", {}).pop("statistics", None)
    if arm == "scratch":
        # As one would train it: without normalization, or with scores that cannot be negative, it may not learn at all.
        changes: dict[str, Any] = {"dropout": "auto", "head": "linear"}
        if weights.network.normalization == "none":
            changes["normalization"] = "batch"
        if isinstance(weights.network, VGG):
            changes["hidden"] = ()
        published = weights.network.model_copy(update=changes)
        fields["network"] = explicit(published) | {"name": published.name, **changes}
    return apply_overrides(fields, {})


def _ready(out: Path) -> None:
    try:
        (out / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}). Choose another place: --out DIR") from error


def _write(out: Path, curve: Curve) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("arm", "per_class", "mean_accuracy", "standard_deviation", "seeds"))
    writer.writerows(curve.rows())
    write_whole(out / TABLE, text.getvalue().encode())
    write_whole(out / NUMBERS, json.dumps(_as_dict(curve), indent=1).encode())


def _as_dict(curve: Curve) -> Mapping[str, Any]:
    return {
        "source": curve.source,
        "weights": Path(curve.weights).name,
        "trials": [asdict(t) for t in curve.trials],
    }
