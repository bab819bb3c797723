"""What is wrong with a training, as small pure functions of its history, and nothing where nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sightline.diagnosis.finding import Finding, from_dict
from sightline.diagnosis.findings import activity, data, fit, flow, normalization, start, steps, transfer
from sightline.diagnosis.findings.rule import Rule
from sightline.diagnosis.history import History

RULES: tuple[Rule, ...] = (
    *start.RULES,
    *flow.RULES,
    *activity.RULES,
    *normalization.RULES,
    *steps.RULES,
    *data.RULES,
    *fit.RULES,
    *transfer.RULES,
)
ORDER = ("error", "warning", "note")


OF_THE_WEIGHTS = (
    "network.activation",
    "network.normalization",
    "network.width",
    "network.widths",
)
"""What transferred weights were trained with, and are worth nothing without."""


def diagnose(history: History) -> tuple[Finding, ...]:
    """Return what is wrong with a training so far, the gravest first; nothing for a healthy one.

    Its history has the recipe as it was resolved.
    """
    if not history.start:
        return ()
    found = [finding for rule in RULES if (finding := rule(history)) is not None]
    if history.recipe.transfer.weights:
        found = [replace(each, change=_without(each.change, OF_THE_WEIGHTS)) for each in found]
    return tuple(sorted(found, key=lambda each: ORDER.index(each.severity)))


def _without(change: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: value for field, value in change.items() if field not in fields}


def passed(history: History) -> tuple[Finding, ...]:
    """Return what was found on the way, and does not hold any more."""
    standing = {each.code for each in diagnose(history)}
    last = {line["code"]: from_dict(line) for line in history.found}
    return tuple(finding for code, finding in last.items() if code not in standing)
