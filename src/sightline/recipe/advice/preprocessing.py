"""Advice on centering, scaling and decorrelating."""

from __future__ import annotations

from typing import Any

from sightline.recipe.advice.advice import Advice, Rule
from sightline.recipe.facts import DataFacts
from sightline.recipe.impossible import WHITENING_EPSILON
from sightline.recipe.recipe import Recipe

POSITIVE = ("sigmoid", "relu")
"""Activations whose outputs are never negative."""


def not_centered(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Pixels are never negative; where all inputs of a unit have one sign, so have all its weights' gradients."""
    if recipe.preprocessing.center != "none":
        return None
    activation = recipe.network.activation
    also = f", and {activation} keeps them positive in every layer" if activation in POSITIVE else ""
    return Advice(
        code="not-zero-centered",
        says=f"Without centering, all pixels are positive{also}.",
        reason="Then the gradients of all weights of a unit share one sign, and descent has to zigzag.",
        reference='LeCun et al., Efficient BackProp (1998), section 4.3; lecture, "Preprocessing".',
        change={"preprocessing.center": "channel"},
    )


def not_scaled(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Initializations and usual learning rates count on inputs of about unit variance; whitening provides it too."""
    if recipe.preprocessing.scale != "none" or recipe.preprocessing.decorrelate != "none":
        return None
    return Advice(
        code="no-scale",
        says="Without scaling, pixels vary by far less than 1, and channels by different amounts.",
        reason="Xavier, He and LeCun initialization and the usual learning rates are made for inputs of unit variance.",
        reference='LeCun et al., Efficient BackProp (1998), section 4.3; lecture, "Preprocessing".',
        change={"preprocessing.scale": "channel"},
    )


def decorrelated_images(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Convolutions live on the correlation of neighboring pixels, and whitening lifts the noise."""
    preprocessing, size = recipe.preprocessing, recipe.data.image_size
    if preprocessing.decorrelate == "none":
        return None
    change: dict[str, Any] = {"preprocessing.decorrelate": "none"}
    if preprocessing.whitening_epsilon != WHITENING_EPSILON:
        change["preprocessing.whitening_epsilon"] = WHITENING_EPSILON
    cost = ""
    if size != "auto":
        height, width = (size, size) if isinstance(size, int) else size
        numbers = height * width * (1 if recipe.data.channels == 1 else 3)
        cost = f" Its matrix has {numbers:,} × {numbers:,} numbers."
    return Advice(
        code="decorrelated-images",
        says=f"{preprocessing.decorrelate} whitening is seldom of use for pictures.{cost}",
        reason="Fine detail has the least variance and the most noise, and is raised to the same level as the rest; "
        "pca also takes away the neighborhood of pixels that convolutions look at.",
        reference='Lecture, "Preprocessing"; Krizhevsky, Learning Multiple Layers of Features (2009), appendix.',
        change=change,
    )


RULES: tuple[Rule, ...] = (not_centered, not_scaled, decorrelated_images)
