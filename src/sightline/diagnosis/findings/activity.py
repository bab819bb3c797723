"""Faults of units: dead, saturated, off center, idle."""

from __future__ import annotations

from statistics import median

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import RECTIFIERS, SIGMOIDAL, Rule, lower_rate, other_start, usual
from sightline.diagnosis.history import History, Line
from sightline.recipe.choices import settled

DEAD, MOST_DEAD = 0.4, 0.8
SATURATED = 0.4
OFF_CENTER = 2.0
USED, LEARNED = 0.45, 0.95
NARROWER = 4
"""Times less width that is tried where capacity is unused."""
LATE = 64
"""Steps after which units had the time to come alive."""


def dead_units(history: History) -> Finding | None:
    """A rectifier whose input is negative for every picture passes no gradient, and may stay so for good."""
    worst = _worst(history, "dead", RECTIFIERS)
    if worst is None or history.probes[-1]["step"] < LATE:
        return None
    name, share, curve = worst
    if share < DEAD or len(curve) < 2 or curve[-2][1] < DEAD:
        return None
    change: dict[str, object] = {"network.activation": "leaky_relu"}
    rate = settled(history.recipe.optimizer.learning_rate)
    if rate > 2.0 * usual(history.recipe):
        change |= lower_rate(history.recipe)
    return Finding(
        code="dead-units",
        severity="error" if share >= MOST_DEAD else "warning",
        says=f"{share:.0%} of the units behind {name} are active on none of the pictures looked at.",
        step=curve[-1][0],
        layer=name,
        evidence={"dead": share, "learning_rate": rate},
        reason="A ReLU's gradient is 0 wherever its input is negative: a unit that a large step has pushed there for "
        "every picture never gets a gradient again.",
        reference='Lecture, "ReLU": permanently de-activated units; Maas et al., Rectifier nonlinearities (2013).',
        change=change,
        curve=curve,
        drawn=f"share of dead units behind {name}",
    )


def saturated_units(history: History) -> Finding | None:
    """A unit in the flat part of its activation passes almost no gradient."""
    worst = _worst(history, "saturated", SIGMOIDAL)
    if worst is None:
        return None
    name, share, curve = worst
    if share < SATURATED or history.probes[-1]["step"] < 4:
        return None
    return Finding(
        code="saturated-units",
        severity="error",
        says=f"{share:.0%} of what the units behind {name} give lies where the activation's slope is below a hundredth "
        "of its maximum.",
        step=curve[-1][0],
        layer=name,
        evidence={"saturated": share, "activation": history.recipe.network.activation},
        reason="The derivatives σ(1 − σ) and 1 − tanh² vanish for large inputs of either sign, and the gradient of all "
        "layers before is multiplied by them. A rectifier does not saturate for positive inputs, and weights of the "
        "right spread keep every unit where it is steep.",
        reference='Lecture, "Sigmoid": gradient vanishes for saturated neurons; Glorot and Bengio (2010).',
        change=other_start(history.recipe, "relu"),
        curve=curve,
        drawn=f"share of saturated numbers behind {name}",
    )


def not_zero_centered(history: History) -> Finding | None:
    """Inputs that are all positive let the weights of a unit only move together."""
    if not history.probes or history.probes[-1]["step"] < LATE:
        return None
    late = [probe for probe in history.probes if probe["step"] >= 4]
    ratios = [
        (each["name"], abs(each["mean"]) / each["spread"])
        for probe in late
        for each in probe["activations"]
        if each["kind"] in SIGMOIDAL and each["mean"] is not None and each["spread"]
    ]
    # Behind a normalization the next layer's input is centered again.
    if not ratios or history.recipe.network.normalization != "none":
        return None
    typical = median(ratio for _, ratio in ratios)
    if typical < OFF_CENTER:
        return None
    name, worst = max(ratios, key=lambda each: each[1])
    curve = [
        (int(probe["step"]), abs(each["mean"]) / max(each["spread"] or 0.0, 1e-12))
        for probe in history.probes
        for each in probe["activations"]
        if each["name"] == name and each["mean"] is not None
    ]
    return Finding(
        code="not-zero-centered",
        severity="warning",
        says=f"What the hidden layers hand on is {typical:.1f} standard deviations away from zero on average.",
        step=int(history.probes[-1]["step"]),
        layer=name,
        evidence={"mean over spread, median of layers": typical, "worst": worst},
        reason="With inputs of one sign, the gradients of all weights of a unit have one sign too, so that it can only "
        "reach its goal in zigzags; tanh is centered, and normalization centers the next layer's input.",
        reference='Lecture, "Sigmoid": outputs are not zero-centered; LeCun et al., Efficient BackProp (1998), 4.3.',
        change=other_start(history.recipe, "relu"),
        curve=tuple(curve),
        drawn=f"|mean| / spread behind {name}",
    )


def unused_capacity(history: History) -> Finding | None:
    """Units that say what others say already cost time and memory and add nothing."""
    if not history.ended or len(history.probes) < 3 or not history.probes[-1]["activations"]:
        return None
    accuracy = history.training("accuracy")[-1][1]
    curve = tuple((int(probe["step"]), _used(probe)) for probe in history.probes if probe["activations"])
    if curve[-1][1] > USED or accuracy < LEARNED:
        return None
    return Finding(
        code="unused-capacity",
        severity="note",
        says=f"{curve[-1][1]:.0%} of the directions that the network's units could use hold 99 % of what they say, and "
        f"it is {accuracy:.0%} right on its training pictures.",
        step=curve[-1][0],
        evidence={"directions used": curve[-1][1], "training accuracy": accuracy},
        reason="Units that say what others say already cost time and memory only. A network of a quarter of the width "
        "learns the same in a fraction of the time.",
        reference="Raghu et al., SVCCA: singular vector canonical correlation analysis for deep learning dynamics "
        "(2017).",
        change=_narrower(history),
        curve=curve,
        drawn="share of directions that hold 99 % of the variance, mean of the layers",
    )


def _used(probe: Line) -> float:
    shares = [float(each["used"]) for each in probe["activations"] if each["used"] is not None]
    return sum(shares) / max(len(shares), 1)


def _narrower(history: History) -> dict[str, object]:
    network = history.recipe.network
    match network.name:
        case "vgg" | "swift":
            return {"network.widths": [max(4, width // NARROWER) for width in settled(network.widths)]}
        case "resnet":
            return {"network.width": max(4, network.width // NARROWER)}
        case "lenet" | "mobilenet_v2":
            return {"network.width": max(0.1, network.width / NARROWER)}
        case _:
            return {}


def _worst(
    history: History, name: str, kinds: tuple[str, ...]
) -> tuple[str, float, tuple[tuple[int, float], ...]] | None:
    """Return the activation with the largest share in the last probe, the share, and how it came to it."""
    if not history.probes:
        return None
    shares = [
        (each["name"], float(each[name]))
        for each in history.probes[-1]["activations"]
        if each["kind"] in kinds and each[name] is not None
    ]
    if not shares:
        return None
    worst, share = max(shares, key=lambda each: each[1])
    return worst, share, tuple(history.of_part("activations", worst, name))


RULES: tuple[Rule, ...] = (dead_units, saturated_units, not_zero_centered, unused_capacity)
