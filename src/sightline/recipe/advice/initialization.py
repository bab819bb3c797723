"""Advice on how weights start."""

from __future__ import annotations

from sightline.recipe.advice.advice import Advice, Rule, depth, instead
from sightline.recipe.facts import DataFacts
from sightline.recipe.network import AutoInitialization, He, LeCun, Normal, Xavier
from sightline.recipe.recipe import Recipe

RECTIFIERS = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu")
SQUASHING = ("sigmoid", "tanh")
SHALLOW = 5
"""Layers that train from almost any start."""


def relu_without_he(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """ReLU halves the variance of what passes through it; He's initialization doubles it back."""
    network = recipe.network
    if network.activation not in RECTIFIERS or not isinstance(network.initialization, Xavier | LeCun):
        return None
    layers = depth(network)
    return Advice(
        code="init-relu",
        says=f"{network.activation} with {network.initialization.name} initialization lets the signal fade with depth"
        + (f" ({layers} layers)." if layers else "."),
        reason="A rectifier lets half of the signal's variance through; He's variance of 2 / fan makes up for it.",
        reference='He et al., Delving Deep into Rectifiers (2015); lecture, "Weight Initialization".',
        change={"network.initialization": instead(network.initialization, He)},
    )


def squashing_with_he(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Sigmoid and tanh saturate where He's doubled variance drives them."""
    network = recipe.network
    if network.activation not in SQUASHING or not isinstance(network.initialization, He):
        return None
    return Advice(
        code="init-sigmoid",
        says=f"{network.activation} with he initialization begins closer to saturation than it need be.",
        reason="He's variance makes up for a rectifier's lost half; sigmoid and tanh lose none, and where their input "
        "is large, their gradient vanishes.",
        reference="Glorot and Bengio, Understanding the difficulty of training deep feedforward networks (2010).",
        change={"network.initialization": instead(network.initialization, Xavier)},
    )


def selu_without_lecun(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """SELU's fixed point of zero mean and unit variance holds for weights of variance 1 / fan_in."""
    network = recipe.network
    if network.activation != "selu" or not isinstance(network.initialization, He | Xavier | Normal):
        return None
    return Advice(
        code="init-selu",
        says=f"selu with {network.initialization.name} initialization does not normalize itself.",
        reason="SELU's two constants are derived for weights of zero mean and variance 1 / fan_in, which is LeCun's "
        "initialization.",
        reference="Klambauer et al., Self-Normalizing Neural Networks (2017).",
        change={"network.initialization": instead(network.initialization, LeCun)},
    )


def fixed_spread_in_a_deep_network(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """One standard deviation for every layer shrinks or blows up the signal by a factor per layer."""
    network, layers = recipe.network, depth(recipe.network)
    start = network.initialization
    if not isinstance(start, Normal) or network.normalization != "none" or layers is None or layers <= SHALLOW:
        return None
    if network.activation == "selu":  # init-selu says it already
        return None
    return Advice(
        code="init-normal",
        says=f"Weights of standard deviation {start.std:g} in each of {layers} layers, without normalization: the "
        "signal shrinks or grows by a constant factor per layer.",
        reason="The factor is about std · √fan, so that one number cannot fit layers of different size; with 30 layers "
        "and 0.01 training does not begin at all.",
        reference="He et al., Delving Deep into Rectifiers (2015), section 2.2.",
        change={"network.initialization": instead(start, AutoInitialization)},
    )


RULES: tuple[Rule, ...] = (relu_without_he, squashing_with_he, selu_without_lecun, fixed_spread_in_a_deep_network)
