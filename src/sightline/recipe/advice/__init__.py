"""The lecture's rules over a recipe and the data it is for: shown before training, never silently applied."""

from __future__ import annotations

from sightline.recipe.advice import (
    augmentation,
    data,
    initialization,
    network,
    optimizer,
    preprocessing,
    training,
    transfer,
)
from sightline.recipe.advice.advice import Advice, Rule
from sightline.recipe.facts import DataFacts
from sightline.recipe.recipe import Recipe

RULES: tuple[Rule, ...] = (
    *data.RULES,
    *preprocessing.RULES,
    *augmentation.RULES,
    *network.RULES,
    *initialization.RULES,
    *optimizer.RULES,
    *training.RULES,
    *transfer.RULES,
)


def advise(recipe: Recipe, facts: DataFacts | None = None) -> tuple[Advice, ...]:
    """Return what speaks against a recipe, in the order of its sections; nothing for the default one.

    Args:
        recipe: resolved or not; rules about depth or steps wait until those are settled.
        facts: counts and sizes of the data set; without them, rules about data say nothing.
    """
    return tuple(advice for rule in RULES if (advice := rule(recipe, facts)) is not None)


__all__ = ["RULES", "Advice", "Rule", "advise"]
