"""Advice on the update rule, its rate and weight decay."""

from __future__ import annotations

from typing import Any

from sightline.recipe.advice.advice import Advice, Rule, instead
from sightline.recipe.facts import DataFacts
from sightline.recipe.optimizer import Adadelta, Adam, AdamW, Momentum, Muon, Nesterov, Sgd
from sightline.recipe.rates import usual_range
from sightline.recipe.recipe import Recipe

USUAL_DECAY = 5e-4
LARGEST_DECAY = {"adamw": 0.5, "muon": 0.5}
LARGEST_L2 = 0.01
"""For every rule that adds weight decay to the gradient."""


def sgd_without_momentum(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Momentum averages the noise away and carries through ravines and plateaus."""
    rule = recipe.optimizer
    if not isinstance(rule, Sgd):
        return None
    change: dict[str, Any] = {"optimizer": instead(rule, Momentum)}
    if rule.learning_rate != "auto":
        # A velocity that keeps 0.9 adds up to ten gradients.
        change["optimizer.learning_rate"] = max(float(f"{rule.learning_rate / 10:.3g}"), usual_range("momentum")[0])
    return Advice(
        code="sgd-without-momentum",
        says="Plain SGD follows every batch's noise and crawls along ravines.",
        reason="A running velocity averages successive gradients: what alternates cancels, what agrees adds up.",
        reference="Sutskever et al., On the importance of initialization and momentum in deep learning (2013); "
        'lecture, "Adding Momentum".',
        change=change,
    )


def momentum_out_of_range(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Below 0.8 hardly anything is averaged; above 0.99 the velocity is a hundred steps behind."""
    rule = recipe.optimizer
    if not isinstance(rule, Momentum | Nesterov) or 0.8 <= rule.momentum <= 0.99:
        return None
    return Advice(
        code="momentum-out-of-range",
        says=f"A momentum of {rule.momentum:g} averages over {1 / (1 - rule.momentum):,.0f} steps; about 10 are usual.",
        reason="The velocity has a memory of 1 / (1 − ρ) steps: a short one does not smooth, a long one overshoots.",
        reference='Sutskever et al. (2013), section 3; lecture, "Adding Momentum" (ρ of 0.9 and more).',
        change={"optimizer.momentum": 0.9},
    )


def rate_out_of_range(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Too long a step diverges, too short a one does not arrive."""
    rule = recipe.optimizer
    low, high = usual_range(rule.name)
    rate = rule.learning_rate
    if rate == "auto" or low <= rate <= high or (isinstance(rule, Adadelta) and rate < low):
        return None
    fate = "is likely to diverge" if rate > high else "will hardly arrive"
    return Advice(
        code="rate-out-of-range",
        says=f"{rule.name} with a learning rate of {rate:g} {fate}; {low:g} to {high:g} is usual.",
        reason="The rate is the choice that matters most, and each update rule has its own scale: rules that divide by "
        "the gradient's size take smaller ones.",
        reference="Bengio, Practical Recommendations for Gradient-Based Training of Deep Architectures (2012).",
        change={"optimizer.learning_rate": "auto"},
    )


def adadelta_with_a_small_rate(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """ADADELTA finds the length of its steps itself; the paper has no rate."""
    rule = recipe.optimizer
    if (
        not isinstance(rule, Adadelta)
        or rule.learning_rate == "auto"
        or rule.learning_rate >= usual_range(rule.name)[0]
    ):
        return None
    return Advice(
        code="adadelta-rate",
        says=f"adadelta with a factor of {rule.learning_rate:g} takes {1 / rule.learning_rate:,.0f} times shorter "
        "steps than the paper.",
        reason="Its steps have the unit of the weights already and begin small; the number is no learning rate but a "
        "factor, 1 in the paper.",
        reference='Zeiler, ADADELTA: an adaptive learning rate method (2012); lecture, "Enter RMSProp".',
        change={"optimizer.learning_rate": 1.0},
    )


def adam_with_l2(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Through Adam's division, the weights with the largest gradients decay the least."""
    rule = recipe.optimizer
    if not isinstance(rule, Adam) or rule.weight_decay == 0:
        return None
    return Advice(
        code="adam-l2",
        says=f"adam divides the weight decay of {rule.weight_decay:g} by the gradient's size, weight by weight.",
        reason="What is added to the gradient is scaled with it, so that weights with large gradients hardly decay; "
        "AdamW takes the decay from the weights themselves.",
        reference="Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019).",
        change={"optimizer": "adamw"},
    )


def adam_forgets_too_fast(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Adam's bound asks that β1² < √β2: squared gradients are remembered longer than gradients."""
    rule = recipe.optimizer
    if not isinstance(rule, Adam | AdamW) or rule.beta1**2 < rule.beta2**0.5:
        return None
    return Advice(
        code="adam-betas",
        says=f"beta1 of {rule.beta1:g} remembers gradients longer than beta2 of {rule.beta2:g} does their squares.",
        reason="Convergence is shown for beta1² < √beta2; otherwise a step is divided by what is already forgotten.",
        reference="Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), theorem 4.1.",
        change={"optimizer.beta1": 0.9, "optimizer.beta2": 0.999},
    )


def decay_of_everything(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Biases and normalization's scale do not overfit, and their decay only holds them back."""
    rule = recipe.optimizer
    # Muon's biases may have rates hundreds of times as high, and normalization has no scale in swift.
    if rule.decayed != "all" or (isinstance(rule, Muon) and rule.bias_rate > 1.0):
        return None
    return Advice(
        code="decay-of-everything",
        says="Weight decay pulls on biases and on normalization's scale and shift as well.",
        reason="There are few of them and they do not overfit; decay only keeps them from where they should be.",
        reference="He et al., Bag of Tricks for Image Classification (2019), section 3.1.",
        change={"optimizer.decayed": "weights"},
    )


def decay_too_strong(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Decay stronger than the gradient ends with all weights near 0."""
    rule = recipe.optimizer
    largest = LARGEST_DECAY.get(rule.name, LARGEST_L2)
    if rule.weight_decay <= largest or isinstance(rule, Adam):  # adam-l2 comes first
        return None
    usual = 0.05 if isinstance(rule, AdamW | Muon) else USUAL_DECAY
    return Advice(
        code="decay-too-strong",
        says=f"{rule.name} with a weight decay of {rule.weight_decay:g} pulls harder on weights than the data does; "
        f"{usual:g} is usual.",
        reason="Decay shrinks what the data does not hold up; too much of it leaves nothing to classify with.",
        reference="Krogh and Hertz, A Simple Weight Decay Can Improve Generalization (1992).",
        change={"optimizer.weight_decay": usual},
    )


RULES: tuple[Rule, ...] = (
    sgd_without_momentum,
    momentum_out_of_range,
    rate_out_of_range,
    adadelta_with_a_small_rate,
    adam_with_l2,
    adam_forgets_too_fast,
    decay_of_everything,
    decay_too_strong,
)
