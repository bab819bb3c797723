"""Advice on loss, schedule, length and batches."""

from __future__ import annotations

from sightline.recipe.advice.advice import Advice, Rule, batch_size, steps
from sightline.recipe.facts import DataFacts
from sightline.recipe.optimizer import Cosine, OneCycle
from sightline.recipe.recipe import Recipe

IMBALANCE = 5
LARGEST_SMOOTHING = 0.3
FEWEST_STEPS = 100
FEWEST_STEPS_PER_EPOCH = 4


def imbalanced_classes(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """With a common class many times the rare one, always answering the common one is a good bet."""
    if facts is None or recipe.loss.class_weights != "none" or facts.smallest_class < 1:
        return None
    ratio = facts.largest_class / facts.smallest_class
    if ratio < IMBALANCE:
        return None
    return Advice(
        code="imbalanced-classes",
        says=f"The commonest class has {ratio:,.0f} times the pictures of the rarest ({facts.largest_class:,} and "
        f"{facts.smallest_class:,}).",
        reason="Each picture counts the same in the loss, so that rare classes are sacrificed for common ones.",
        reference="Buda et al., A systematic study of the class imbalance problem in convolutional neural networks "
        "(2018).",
        change={"loss.class_weights": "balanced"},
    )


def much_smoothing(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """A target that is spread too far no longer says what the picture is."""
    smoothing = recipe.loss.label_smoothing
    if smoothing <= LARGEST_SMOOTHING:
        return None
    return Advice(
        code="much-smoothing",
        says=f"Label smoothing of {smoothing:g} takes {smoothing:.0%} of each target away from the true class.",
        reason="A little keeps the network from being too sure of itself; much of it hides what it should learn.",
        reference="Szegedy et al., Rethinking the Inception Architecture (2016), section 7; Müller et al., When Does "
        "Label Smoothing Help? (2019).",
        change={"loss.label_smoothing": 0.1},
    )


def warmup_twice(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """One-cycle rises by itself."""
    schedule = recipe.schedule
    if not isinstance(schedule, OneCycle) or schedule.warmup_epochs == 0:
        return None
    return Advice(
        code="warmup-twice",
        says=f"one_cycle rises for the first {schedule.rise:.0%} of the training by itself; {schedule.warmup_epochs:g} "
        "epochs of warm-up come on top.",
        reason="Both do the same: small steps while the weights are still random.",
        reference="Smith and Topin, Super-Convergence (2019).",
        change={"schedule.warmup_epochs": 0.0},
    )


def long_warmup(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Warm-up is for the first few percent."""
    epochs, warmup = recipe.training.epochs, recipe.schedule.warmup_epochs
    if epochs == "auto" or warmup <= epochs / 2 or isinstance(recipe.schedule, OneCycle):
        return None
    return Advice(
        code="long-warmup",
        says=f"{warmup:g} of {epochs} epochs are spent on warming up.",
        reason="Small steps are needed only until the first layers settle; 5 of 90 epochs were enough for ImageNet.",
        reference="Goyal et al., Accurate, Large Minibatch SGD (2017), section 2.2.",
        change={"schedule.warmup_epochs": float(f"{epochs / 10:.3g}")},
    )


def stopping_before_the_descent(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Annealed schedules gain most at their end, which early stopping does not reach."""
    if recipe.training.early_stopping == 0 or not isinstance(recipe.schedule, OneCycle | Cosine):
        return None
    return Advice(
        code="early-stopping-annealed",
        says=f"Early stopping after {recipe.training.early_stopping} epochs may end the training before "
        f"{recipe.schedule.name} has lowered the rate.",
        reason="At a high rate the loss stands still or rises, and falls when the rate does; the best epoch is kept "
        "anyway.",
        reference="Smith and Topin, Super-Convergence (2019); Prechelt, Early Stopping – But When? (1998).",
        change={"training.early_stopping": 0},
    )


def few_steps(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A schedule needs steps to go through its phases."""
    total = steps(recipe, facts)
    if total is None or total >= FEWEST_STEPS:
        return None
    return Advice(
        code="few-steps",
        says=f"{recipe.training.epochs} epochs are {total} steps in all, too few for {recipe.schedule.name} to do its "
        "work.",
        reason="Progress is made in steps, not in epochs: small data sets need more epochs.",
        reference="Hoffer et al., Train longer, generalize better (2017).",
        change={"training.epochs": "auto"},
    )


def batch_of_much_of_the_data(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """A few steps per epoch waste what pictures there are."""
    if facts is None or recipe.training.batch_size == "auto":
        return None
    size = batch_size(recipe, facts)
    if size * FEWEST_STEPS_PER_EPOCH <= facts.training:
        return None
    return Advice(
        code="batch-too-large",
        says=f"Batches of {size:,} make at most {-(-facts.training // size)} steps of {facts.training:,} training "
        "pictures.",
        reason="Small batches take more and noisier steps from the same pictures, and generalize better.",
        reference="Masters and Luschi, Revisiting Small Batch Training for Deep Neural Networks (2018).",
        change={"training.batch_size": "auto"},
    )


def average_longer_than_the_training(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """An average with a memory of 1 / (1 − decay) steps still holds the first, random weights."""
    total, decay = steps(recipe, facts), recipe.training.weight_averaging
    if total is None or decay == 0 or 1 / (1 - decay) <= total / 5:
        return None
    shorter = float(f"{max(0.0, 1 - 10 / total):.4f}") if total >= FEWEST_STEPS else 0.0
    return Advice(
        code="average-too-long",
        says=f"Weight averaging with {decay:g} remembers {1 / (1 - decay):,.0f} steps of a training of {total:,}.",
        reason="The average then still holds the random weights of the beginning.",
        reference="Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992).",
        change={"training.weight_averaging": shorter},
    )


RULES: tuple[Rule, ...] = (
    imbalanced_classes,
    much_smoothing,
    warmup_twice,
    long_warmup,
    stopping_before_the_descent,
    few_steps,
    batch_of_much_of_the_data,
    average_longer_than_the_training,
)
