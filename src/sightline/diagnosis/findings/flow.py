"""Faults of the gradient on its way back: vanishing, exploding."""

from __future__ import annotations

import re

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule, normalized, other_start
from sightline.diagnosis.history import History

VANISHING = 1e-3
EXPLODING = 100.0
"""Norm of the gradient; with signals and weights of the usual size it is a few units at most."""


def vanishing_gradient(history: History) -> Finding | None:
    """Each saturating or shrinking layer takes its part of the gradient, so that the first layers hear nothing."""
    curve = _first_over_last(history)
    if len(curve) < 2 or max(ratio for _, ratio in curve[-2:]) > VANISHING:
        return None
    first = next(each["name"] for each in history.probes[-1]["layers"] if each.get("gradient") is not None)
    activation = history.recipe.network.activation
    squashing = activation in ("sigmoid", "tanh")
    change = {**other_start(history.recipe, "relu" if squashing else None), **normalized(history.recipe)}
    return Finding(
        code="vanishing-gradient",
        severity="error",
        says=f"The gradient in {first} is {curve[-1][1]:.0e} of what it is in the last layer, each relative to its "
        "weights.",
        step=curve[-1][0],
        layer=first,
        evidence={
            "first over last": curve[-1][1],
            "layers": len(history.probes[-1]["layers"]),
            "activation": activation,
        },
        reason="On its way back the gradient is multiplied by every layer's slope and weights; where these are below "
        "1, as the sigmoid's 1/4 at best, the first layers learn exponentially slower with depth.",
        reference='Lecture, "Sigmoid": gradient vanishes; Glorot and Bengio, Understanding the difficulty of training '
        "deep feedforward neural networks (2010).",
        change=change,
        curve=curve,
        drawn="relative gradient of the first layer over that of the last",
    )


def exploding_gradient(history: History) -> Finding | None:
    """A gradient that grows on its way back throws the weights about."""
    if re.match(r"epoch \d+, step \d+: the norm of the gradient ", history.failure.get("says", "")):
        said: float | str = "not finite"
    else:
        sizes = [value for _, value in history.of("gradient")]
        if not sizes or sizes[-1] < EXPLODING:
            return None
        said = sizes[-1]
    curve = tuple(history.of("gradient"))
    change = {**other_start(history.recipe), **normalized(history.recipe)}
    if history.recipe.optimizer.clip_norm == 0:
        change["optimizer.clip_norm"] = 1.0
    shown = said if isinstance(said, str) else f"{said:.3g}"
    return Finding(
        code="exploding-gradient",
        severity="error",
        says=f"The norm of the gradient is {shown}.",
        step=history.step,
        evidence={"gradient norm": said},
        reason="Weights that are too large multiply the gradient in every layer that it passes on its way back; a few "
        "pictures then move the weights further than all that was learned.",
        reference="Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks (2013), for "
        "clipping; He et al., Delving deep into rectifiers (2015), for the right spread.",
        change=change,
        curve=curve,
        drawn="norm of the gradient",
    )


def _first_over_last(history: History) -> tuple[tuple[int, float], ...]:
    found = []
    for probe in history.probes:
        relative = [
            (each["gradient"] or 0.0) / each["weight"]
            for each in probe["layers"]
            if each.get("gradient") is not None and each["weight"]
        ]
        if len(relative) > 2 and relative[-1] > 0:
            found.append((int(probe["step"]), relative[0] / relative[-1]))
    return tuple(found)


RULES: tuple[Rule, ...] = (vanishing_gradient, exploding_gradient)
