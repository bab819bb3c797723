"""From what was found in a run to the recipe that cures it, and what the cure came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.diagnosis import Finding, History, diagnose
from sightline.errors import DataError, RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.training.watching import history_of

WORTH = ("error", "warning")


@dataclass(frozen=True)
class Prescription:
    """A changed recipe, and what it is to cure."""

    recipe: Recipe
    change: dict[str, Any]
    """Dotted fields and their new values."""
    cures: tuple[Finding, ...]
    left: tuple[Finding, ...]
    """What no change to the recipe cures, or none that goes together with the others."""


@dataclass(frozen=True)
class Cured:
    """A run before and after."""

    gone: tuple[str, ...]
    """Codes that were found before and are not any more."""
    stayed: tuple[str, ...]
    new: tuple[str, ...]
    side: str
    """Which pictures both were judged on: test, or validation where none are held out for a test; empty for none."""
    before: float | None
    """Accuracy; None where the training did not come to its end."""
    after: float | None


def prescribe(history: History, only: Sequence[str] = ()) -> Prescription:
    """Return the recipe that the findings of a run ask for, the gravest first; a later one never undoes an earlier.

    Args:
        history: of the run.
        only: codes of the findings to cure; none for all but notes.

    Raises:
        DataError: one of the codes is not among the findings.
    """
    change: dict[str, Any] = {}
    cures: list[Finding] = []
    left: list[Finding] = []
    found = diagnose(history)
    if unknown := sorted(set(only) - {each.code for each in found}):
        there = ", ".join(each.code for each in found) or "nothing"
        raise DataError(f"{', '.join(unknown)}: not found in this run; its diagnosis has {there}.")
    for finding in found:
        if finding.code not in only if only else finding.severity not in WORTH:
            continue
        wanted = {name: value for name, value in finding.change.items() if name not in change}
        agreed = all(change[name] == value for name, value in finding.change.items() if name in change)
        if not finding.change or not (agreed or wanted) or not _possible(history.recipe, {**change, **wanted}):
            left.append(finding)
            continue
        change |= wanted
        cures.append(finding)
    # Steps that a time budget cost it are given back: they were decided for that training.
    recipe = apply_overrides(history.recipe, {**change, "training.replanned": []})
    return Prescription(recipe, change, tuple(cures), tuple(left))


def compare(before: Path, after: Path) -> Cured:
    """Return what changed from one run to the next.

    Raises:
        DataError: one of them is no run.
    """
    first, second = history_of(before), history_of(after)
    had, has = ({each.code for each in diagnose(history)} for history in (first, second))
    side = next((side for side in ("test", "validation") if side in second.sealed), "")
    return Cured(
        tuple(sorted(had - has)),
        tuple(sorted(had & has)),
        tuple(sorted(has - had)),
        side,
        first.sealed[side]["accuracy"] if side in first.sealed else None,
        second.sealed[side]["accuracy"] if side else None,
    )


def _possible(recipe: Recipe, change: Mapping[str, Any]) -> bool:
    try:
        apply_overrides(recipe, change)
    except RecipeError:
        return False
    return True
