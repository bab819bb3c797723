"""Advice on beginning from trained weights."""

from __future__ import annotations

from sightline.recipe.advice.advice import Advice, Rule
from sightline.recipe.facts import DataFacts
from sightline.recipe.recipe import Recipe

MANY_PER_CLASS = 1_000
"""Training pictures of a class from which training from scratch is worth a comparison."""
FULL_RATE = 0.5
FEWEST_FOR_STATISTICS = 50
"""Training pictures whose mean and variance may stand for others."""


def enough_to_train_from_scratch(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """What transfer gains shrinks with the pictures there are."""
    if not recipe.transfer.weights or facts is None or facts.training < MANY_PER_CLASS * facts.classes:
        return None
    return Advice(
        code="scratch-worth-comparing",
        says=f"With {facts.training / facts.classes:,.0f} training pictures per class, training from scratch is worth "
        "comparing.",
        reason="What trained weights gain shrinks as pictures become many, and a network of one's own may be smaller.",
        reference="He, Girshick and Dollár, Rethinking ImageNet pre-training (2019).",
        change={"transfer": {}, "preprocessing.statistics": "fitted"},
    )


def full_rate_for_all_layers(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """At the rate of the new head, old layers forget."""
    transfer = recipe.transfer
    if not transfer.weights or transfer.depth == "head" or transfer.rate_factor <= FULL_RATE:
        return None
    return Advice(
        code="rate-that-forgets",
        says=f"All layers are trained at {transfer.rate_factor:g} times the rate of the new head.",
        reason="Large steps move the old layers away from what they know before the new pictures have said much.",
        reference='Lecture, "Transfer learning": lower learning rate, e.g. 1/10; Howard and Ruder, ULMFiT (2018).',
        change={"transfer.rate_factor": 0.1},
    )


def fitted_where_inherited(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """The first layer expects the numbers it was trained on."""
    if not recipe.transfer.weights or recipe.preprocessing.statistics != "fitted":
        return None
    return Advice(
        code="fitted-for-old-weights",
        says="Pictures are standardized by their own statistics, which the old layers were not trained with.",
        reason="Old weights know the brightness and contrast of their source; new statistics move every picture for "
        "them. They serve better only where the pictures are of another kind altogether, such as scans.",
        reference='Lecture, "Preprocessing": at inference, the same transformation with values of the training data.',
        change={"preprocessing.statistics": "auto"},
    )


def statistics_of_few_pictures(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """Batch normalization's statistics want more pictures than a head does."""
    transfer = recipe.transfer
    if not transfer.weights or facts is None or transfer.batch_norm != "adapt":
        return None
    if facts.training >= FEWEST_FOR_STATISTICS or recipe.network.normalization != "batch":
        return None
    return Advice(
        code="adapted-to-few",
        says=f"Batch normalization is measured anew on {facts.training:,} training pictures.",
        reason="Means and variances of few pictures are noisy, and every layer passes the noise on.",
        reference="Li et al., Revisiting batch normalization for practical domain adaptation (2017).",
        change={"transfer.batch_norm": "frozen"},
    )


RULES: tuple[Rule, ...] = (
    enough_to_train_from_scratch,
    full_rate_for_all_layers,
    fitted_where_inherited,
    statistics_of_few_pictures,
)
