"""What a fine-tuning cost: drift of every layer, and what the old last layer still knows of its own pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from sightline import preprocessing, transfer_learning
from sightline.data import Progress
from sightline.errors import RecipeError
from sightline.recipe import Recipe
from sightline.training.evaluate import batch_to_judge, evaluate
from sightline.training.held_out import HeldOut, held_out
from sightline.training.metrics import Metrics
from sightline.transfer_learning import Weights, layers
from sightline.transfer_learning.interpolation import STEPS

PICTURES = 512
"""Of the target at most, on which layers are compared."""
GROUP = 16


@dataclass(frozen=True)
class LayerDrift:
    """How far one layer went."""

    name: str
    relative_distance: float
    """‖W_end − W_start‖ / ‖W_start‖."""
    cka: float
    """Linear CKA of what the layer says of target pictures before and after."""


@dataclass(frozen=True)
class Point:
    """What weights at one share of the way from the start to the end of stage two are worth."""

    share: float
    """α, 0 at the start, 1 at the end."""
    target_accuracy: float
    target_loss: float
    source_accuracy: float | None
    """Of the old last layer on its own pictures; None where they were not given."""


@dataclass(frozen=True)
class Conclusion:
    """How a transfer ended."""

    layers: tuple[LayerDrift, ...]
    path: tuple[Point, ...]
    """Empty where neither source pictures nor an interpolation were asked for."""
    target_side: str
    """Which pictures the path was judged on: validation, or test where none are held out for validation."""
    share: float
    """α of the weights that are sealed."""
    why_share: str
    source_before: float | None
    source_after: float | None
    source_images: int

    @property
    def forgotten(self) -> float | None:
        """Accuracy on the source that was lost, 0 to 1; None where it was not measured."""
        if self.source_before is None or self.source_after is None:
            return None
        return self.source_before - self.source_after

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers for JSON."""
        return {**asdict(self), "forgotten": self.forgotten}


def source_pictures(
    recipe: Recipe, weights: Weights | None, *, folder: Path, threads: int, progress: Progress
) -> HeldOut | None:
    """Return the pictures that forgetting is measured on, or None where the recipe names none.

    Raises:
        RecipeError: the weights do not say what their classes are, or see pictures of another number of channels.
        DataError: the pictures cannot be read, or are of classes that the weights do not know.
    """
    named = recipe.transfer.source_data
    if not named or weights is None:
        return None
    if weights.sealed is None:
        raise RecipeError(
            f"transfer.source_data: found {named}, but {weights.origin} does not say which classes its last layer "
            "tells apart; wanted a model that Sightline sealed, or no source_data."
        )
    if weights.channels != recipe.data.channels:
        raise RecipeError(
            f"transfer.source_data: found weights for pictures of {weights.channels} channels and data.channels "
            f"{recipe.data.channels}, so that the old last layer cannot be asked afterwards; wanted the same in both."
        )
    place = folder / named
    return held_out(
        weights.sealed, os.fspath(place) if place.exists() else named, side="auto", threads=threads, progress=progress
    )


@dataclass(frozen=True)
class Measuring:
    """What a conclusion is drawn from."""

    recipe: Recipe
    weights: Weights
    network: nn.Module
    """Its weights are changed while measuring; whoever calls puts them back."""
    start: Mapping[str, Tensor]
    """The weights at the start of stage two, or at the end of the only stage."""
    end: Mapping[str, Tensor]
    target: Callable[[], Metrics]
    """Judges the network as it is on `target_side`."""
    target_side: str
    inputs: Callable[[int], Tensor]
    """Returns so many target pictures at most, as the network takes them, always the same."""
    statistics: preprocessing.Statistics
    source: HeldOut | None
    device: str

    def conclude(self) -> Conclusion:
        """Measure, and choose the weights to be sealed."""
        asked = self.recipe.transfer.interpolation
        two_stages = self.recipe.transfer.depth == "both"
        path: tuple[Point, ...] = ()
        if two_stages and (self.source is not None or asked == "validation"):
            path = tuple(self._point(share) for share in STEPS)
        share, why = self._share(path) if two_stages else (1.0, "there is one stage, which left the old layers alone")
        before = None if self.source is None else self._source_accuracy(None)
        after = next((point.source_accuracy for point in path if point.share == share), None)
        if self.source is not None and after is None:
            after = self._source_accuracy(transfer_learning.interpolated(self.start, self.end, share))
        return Conclusion(
            layers=self._drift(transfer_learning.interpolated(self.start, self.end, share)),
            path=path,
            target_side=self.target_side,
            share=share,
            why_share=why,
            source_before=before,
            source_after=after,
            source_images=0 if self.source is None else len(self.source.labels),
        )

    def _share(self, path: tuple[Point, ...]) -> tuple[float, str]:
        asked = self.recipe.transfer.interpolation
        if asked == "none":
            return 1.0, "the end of the training, as transfer.interpolation is none"
        if asked != "validation":
            return asked, "as transfer.interpolation says"
        best = min(path, key=lambda point: (point.target_loss, point.share))
        return best.share, f"the least validation loss on the way, {best.target_loss:.3f}"

    def _point(self, share: float) -> Point:
        weights = transfer_learning.interpolated(self.start, self.end, share)
        self.network.load_state_dict(weights)
        found = self.target()
        source = None if self.source is None else self._source_accuracy(weights)
        return Point(share, found.accuracy, found.loss, source)

    def _source_accuracy(self, weights: Mapping[str, Tensor] | None) -> float:
        """Return how often the old last layer is right on its own pictures, on features of other weights or its own."""
        assert self.source is not None and self.weights.sealed is not None  # noqa: S101, PT018
        rules = self.weights.sealed.description.inputs
        old = transfer_learning.earlier_network(
            self.weights, channels=rules.channels, image_size=rules.image_size, why="transfer.source_data"
        )
        statistics = self.weights.statistics if weights is None else self.statistics
        assert statistics is not None  # noqa: S101 - a sealed model has them
        if weights is not None:
            kept = {n: t for n, t in weights.items() if not transfer_learning.is_head(self.network, n)}
            old.load_state_dict(kept, strict=False)
        old = old.to(self.device)
        standardize = preprocessing.module(statistics).to(self.device)
        records = np.arange(len(self.source.labels), dtype=np.int64)
        found = evaluate(
            lambda pixels: old(standardize(pixels.to(self.device))),
            self.source.pixels.gather,
            records,
            self.source.labels.astype(np.int32),
            batch_size=batch_to_judge(rules.image_size, device=self.device, most=4 * GROUP),
        )
        return found.accuracy

    def _drift(self, weights: Mapping[str, Tensor]) -> tuple[LayerDrift, ...]:
        found = layers(self.network)
        inputs = self.inputs(PICTURES).tensor_split(tuple(range(GROUP, PICTURES, GROUP)))
        said = []
        for each in (self.start, weights):
            self.network.load_state_dict(each)
            self.network.eval()
            said.append(transfer_learning.outputs(self.network, inputs, found))
        return tuple(
            LayerDrift(
                layer.name,
                transfer_learning.relative_distance(self.start, weights, layer.parameters),
                transfer_learning.linear_cka(said[0][layer.name], said[1][layer.name]),
            )
            for layer in found
            if layer.name in said[0]
        )


def require_validation(recipe: Recipe, validation: int) -> None:
    """Raise RecipeError where weights are to be chosen by pictures that are not there."""
    if recipe.transfer.interpolation == "validation" and not validation:
        raise RecipeError(
            'transfer.interpolation: found "validation", but nothing is held out for validation to choose by; wanted '
            "data.validation_fraction above 0, a number, or none."
        )
