"""Faults that are there before the first step: in the weights, and in what enters."""

from __future__ import annotations

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule, normalized, other_start
from sightline.diagnosis.history import History

FADED, BLOWN_UP = 0.01, 100.0
"""Spread of the scores over that of what the first layer gives."""
SURPRISED = 4.0
"""Loss over that of guessing."""
OFF, NARROW, WIDE = 0.5, 0.5, 2.0


def bad_initialization(history: History) -> Finding | None:
    """Weights of the wrong spread let signals fade, or blow up, with every layer."""
    if not history.probes or history.probes[0]["step"] != 1 or history.recipe.transfer.weights:
        return None
    first = history.probes[0]
    spreads = [each["spread"] for each in first["layers"] if each["spread"] is not None]
    if len(spreads) < 3:
        return None
    through = spreads[-1] / max(spreads[0], 1e-30)
    loss, guessing = first["cross_entropy"], first["chance"]
    surprise = (loss if loss is not None else float("inf")) / guessing
    if FADED < through < BLOWN_UP and surprise < SURPRISED:
        return None
    scheme = history.recipe.network.initialization.name
    how = f"fades to {through:.0e} of" if through <= FADED else f"grows to {through:.3g} times"
    if FADED < through < BLOWN_UP:
        how = f"leads to a loss of {loss:.3g} where guessing has {guessing:.2f}; it comes to {through:.2g} times"
    return Finding(
        code="bad-initialization",
        severity="error",
        says=f"Before the first step the signal {how} its spread on the way from the first layer to the last.",
        step=1,
        evidence={
            "spread, last over first": through,
            "loss": loss,
            "loss of guessing": guessing,
            "initialization": scheme,
        },
        reason="Each layer multiplies the spread of what passes by √(fan_in · Var[W]) and the activation's own factor; "
        "He's and Xavier's variances make that 1. A network that starts calm has the loss of guessing, ln K.",
        reference='Lecture, "Initialization"; Glorot and Bengio (2010); He et al. (2015), equation 10.',
        change={**other_start(history.recipe), **normalized(history.recipe)},
        curve=tuple((number, spread) for number, spread in enumerate(spreads, 1)),
        drawn="spread of each layer's output before the first step, from the first layer to the last",
    )


def input_not_standardized(history: History) -> Finding | None:
    """What enters has to be centered and of spread 1, as weights and rates are made for."""
    if not history.probes:
        return None
    mean, spread = history.probes[0]["input_mean"], history.probes[0]["input_spread"]
    if mean is None or spread is None or (abs(mean) < OFF * max(spread, 1.0) and NARROW < spread < WIDE):
        return None
    if history.recipe.preprocessing.statistics == "inherited":
        return None  # which the transferred weights know
    return Finding(
        code="input-not-standardized",
        severity="warning",
        says=f"What enters the network has a mean of {mean:.2g} and a spread of {spread:.2g}, instead of 0 and 1.",
        step=int(history.probes[0]["step"]),
        evidence={"mean": mean, "spread": spread},
        reason="Inputs off center push all weights of a unit in one direction, and a spread other than 1 makes every "
        "usual initialization and rate a wrong one.",
        reference='Lecture, "Preprocessing": zero-center data; LeCun et al., Efficient BackProp (1998), 4.3.',
        change={"preprocessing.center": "channel", "preprocessing.scale": "channel"},
    )


RULES: tuple[Rule, ...] = (bad_initialization, input_not_standardized)
