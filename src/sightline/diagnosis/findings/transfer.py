"""Faults of a transfer: what was known is forgotten, or pictures are not as the weights knew them."""

from __future__ import annotations

import math

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings.rule import Rule
from sightline.diagnosis.history import History
from sightline.recipe.choices import settled

FORGOTTEN = 0.05
"""Share of the source's pictures."""
DIFFERENT = 0.5
"""Standard deviations, or powers of e, by which the first normalization's input is off."""


def forgetting(history: History) -> Finding | None:
    """Steps as large as in the first training overwrite what it had learned."""
    before, after = history.transfer.get("source_before"), history.transfer.get("source_after")
    if before is None or after is None or before - after < FORGOTTEN:
        return None
    transfer, change = history.recipe.transfer, dict[str, float]()
    if transfer.rate_factor > 0.1:
        change["transfer.rate_factor"] = 0.1
    if transfer.layer_decay > 0.95:
        change["transfer.layer_decay"] = 0.95
    if settled(transfer.distillation) < 0.5:
        change["transfer.distillation"] = 0.5
    return Finding(
        code="forgetting",
        severity="warning",
        says=f"Of the source's pictures {before:.1%} were right before the transfer and {after:.1%} are after it.",
        step=history.step,
        evidence={"before": before, "after": after, "points lost": 100.0 * (before - after)},
        reason="What the weights knew lies in them; steps of full size for the new pictures leave it behind. Lower "
        "rates towards the input, and the old answers as a second goal, keep it.",
        reference='Lecture: "Carefully adjust LR to avoid forgetting"; Li and Hoiem, Learning without forgetting '
        "(2016).",
        change=change,
    )


def preprocessing_mismatch(history: History) -> Finding | None:
    """Weights know pictures as their training standardized them."""
    recipe = history.recipe
    if not recipe.transfer.weights or not history.probes:
        return None
    first = history.probes[0]
    shifts = [(each["name"], each["shift"], each["scale"]) for each in first["normalizations"][:1]]
    if not shifts or recipe.preprocessing.statistics == "inherited":
        return None
    name, shift, scale = shifts[0]
    if max(shift or 0.0, scale or 0.0) < DIFFERENT:
        return None
    return Finding(
        code="preprocessing-mismatch",
        severity="error",
        says=f"What enters {name} is {shift:.1f} standard deviations off from what the transferred weights were "
        f"trained with, and {math.exp(scale or 0.0):.1f} times as wide or narrow.",
        step=int(first["step"]),
        layer=name,
        evidence={"shift": shift, "scale": scale},
        reason="Weights expect pictures standardized as in their own training; other statistics are to them what "
        "another exposure is to the eye.",
        reference='Lecture, "Preprocessing": the same values at inference; Kornblith, Shlens and Le (2019).',
        change={
            "preprocessing.statistics": "inherited",
            "preprocessing.center": "channel",
            "preprocessing.scale": "channel",
            "preprocessing.decorrelate": "none",
        },
    )


RULES: tuple[Rule, ...] = (forgetting, preprocessing_mismatch)
