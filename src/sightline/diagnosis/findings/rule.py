"""What rules ask of a history, and the prescriptions that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.history import History
from sightline.network import scheme_for
from sightline.recipe import Recipe
from sightline.recipe.advice.advice import instead
from sightline.recipe.choices import settled
from sightline.recipe.network import ActivationName, AutoInitialization
from sightline.recipe.rates import usual_rate

Rule = Callable[[History], Finding | None]
Change = Mapping[str, Any]
FACTOR = 10.0
"""What an unusual rate is divided by, or multiplied with, where the usual one is not further away."""
FAR = 3.0
"""Times the usual rate, or a fraction, from which a rate may be what keeps a network from learning."""
RECTIFIERS = ("ReLU", "ReLU6")
SIGMOIDAL = ("Sigmoid", "Tanh")


def usual(recipe: Recipe) -> float:
    """Return the rate that is usual for a recipe's update rule and batch."""
    transferred = bool(recipe.transfer.weights)
    return usual_rate(recipe.optimizer.name, settled(recipe.training.batch_size), transferred=transferred)[0]


def usual_rate_again(recipe: Recipe) -> dict[str, Any]:
    """Return the change to the usual rate; nothing where the rate is about that."""
    ratio = settled(recipe.optimizer.learning_rate) / usual(recipe)
    return {} if 1.0 / FAR < ratio < FAR else {"optimizer.learning_rate": _short(usual(recipe))}


def lower_rate(recipe: Recipe) -> dict[str, Any]:
    """Return the change to a lower rate: the usual one, or a tenth where that is not much lower."""
    rate = settled(recipe.optimizer.learning_rate)
    return {"optimizer.learning_rate": _short(usual(recipe) if rate > 2.0 * usual(recipe) else rate / FACTOR)}


def higher_rate(recipe: Recipe) -> dict[str, Any]:
    """Return the change to a higher rate: the usual one, or ten times as much where that is not much higher."""
    rate = settled(recipe.optimizer.learning_rate)
    return {"optimizer.learning_rate": _short(usual(recipe) if rate < usual(recipe) / 2.0 else rate * FACTOR)}


def other_start(recipe: Recipe, activation: ActivationName | None = None) -> dict[str, Any]:
    """Return the change to the initialization that suits an activation, and to that activation where one is given.

    Nothing is changed that is so already.
    """
    network, change = recipe.network, dict[str, Any]()
    if activation is not None and network.activation != activation:
        change["network.activation"] = activation
    if network.initialization.name != scheme_for(activation or network.activation, network.name)[0]:
        change["network.initialization"] = instead(network.initialization, AutoInitialization)
    return change


def normalized(recipe: Recipe) -> dict[str, Any]:
    """Return the change to a network with normalization; nothing where it has one."""
    if recipe.network.normalization != "none":
        return {}
    batch = settled(recipe.training.batch_size) // recipe.training.parts
    return {"network.normalization": "batch" if batch >= 8 else "group"}


def _short(number: float) -> float:
    return float(f"{number:.2g}")
