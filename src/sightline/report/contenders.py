"""Several runs side by side: what each came to, on which pictures, and whether two differ by more than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from string import ascii_uppercase

import numpy as np

from sightline.errors import RecipeError
from sightline.recipe import Recipe
from sightline.recipe.flat import flat
from sightline.report.story import JUDGED, Judged, Story, read, rows
from sightline.statistics.holm import holm
from sightline.statistics.mcnemar import mcnemar
from sightline.training import directory
from sightline.training.calibration import expected_calibration_error, reliability

MOST = 24
"""Runs, for each of which there is a line of its own look."""
BEYOND_CHANCE = 0.05
Picture = tuple[str, str, int]
"""Digest, true class, and which of the copies with the same digest."""


@dataclass(frozen=True)
class Contender:
    """One of the runs."""

    letter: str
    name: str
    """The run's own, or its whole path where another run has the same name."""
    story: Story
    judged: Judged | None
    """On the side that all are compared on; None where this run was not."""
    right: Mapping[Picture, bool]
    """Whether it is right on each picture of that side; empty where the run has no list of them."""
    calibration_error: float | None


@dataclass(frozen=True)
class Pair:
    """Two runs on the same pictures."""

    first: str
    second: str
    only_first: int
    """Pictures on which the first alone is right."""
    only_second: int
    chance: float
    """McNemar's exact p."""
    corrected: float
    """The same for as many pairs as there are, after Holm."""

    @property
    def beyond_chance(self) -> bool:
        """Whether chance alone would hardly divide the pictures so."""
        return self.corrected < BEYOND_CHANCE


@dataclass(frozen=True)
class Comparison:
    """What is told of all of them."""

    side: str
    """What most of them were judged on, of these test before validation; empty where nothing was judged."""
    contenders: tuple[Contender, ...]
    groups: tuple[str, ...]
    """Letters of the runs that were judged on the same pictures."""
    pairs: tuple[Pair, ...]

    @property
    def judged(self) -> tuple[Contender, ...]:
        """Those that were judged on the side."""
        return tuple(each for each in self.contenders if each.judged is not None)

    @property
    def same_classes(self) -> bool:
        """Whether all that were judged know the same classes."""
        return len({each.story.class_names for each in self.judged}) == 1


def compare(paths: Sequence[Path]) -> Comparison:
    """Return what several runs tell beside each other.

    Raises:
        DataError: one of them is no run, or its files cannot be read.
        RecipeError: a run is named twice, or there are more than `MOST`.
    """
    twice = next((path for path, count in Counter(path.resolve() for path in paths).items() if count > 1), None)
    if twice is not None:
        raise RecipeError(f"{twice}: found the run twice, wanted several runs to be compared. Name each once.")
    if len(paths) > MOST:
        raise RecipeError(f"found {len(paths)} runs, wanted {MOST} at most. Compare fewer at a time.")
    stories = [read(path) for path in paths]
    side = _side(stories)
    names = Counter(story.path.resolve().name for story in stories)
    contenders = []
    for letter, story in zip(ascii_uppercase, stories, strict=False):
        judged = next((each for each in story.judged if each.side == side), None)
        name = story.path.resolve().name
        right = _right(story, side) if judged is not None else {}
        shown = name if names[name] == 1 else str(story.path)
        contenders.append(Contender(letter, shown, story, judged, right, _calibration_error(story, side)))
    groups = _groups(contenders)
    return Comparison(side, tuple(contenders), groups, _pairs(contenders, groups))


def differing_fields(comparison: Comparison) -> dict[str, tuple[str, ...]]:
    """Return the fields of the recipes that are not the same in all runs, each with its values; empty: has no such."""
    recipes = [flat(each.story.recipe) for each in comparison.contenders]
    sections = list(Recipe.model_fields)
    fields = dict.fromkeys(field for recipe in recipes for field in recipe)
    fields = dict.fromkeys(sorted(fields, key=lambda field: sections.index(field.partition(".")[0])))
    found = {field: tuple(recipe.get(field, "") for recipe in recipes) for field in fields}
    return {field: values for field, values in found.items() if len(set(values)) > 1}


def _side(stories: Sequence[Story]) -> str:
    """Return the side that most runs were judged on, of these the one that tells most."""
    counts = Counter(judged.side for story in stories for judged in story.judged)
    return max(JUDGED, key=lambda side: counts[side]) if counts else ""


def _right(story: Story, side: str) -> dict[Picture, bool]:
    """Return whether the run is right on each picture, known by its content: names may differ between folders."""
    digests = {(row["side"], row["name"]): row["digest"] for row in rows(story.path / directory.CATALOGUE)}
    copies: Counter[tuple[str, str]] = Counter()
    found: dict[Picture, bool] = {}
    for each in story.predicted:
        if each.side == side:
            content = digests.get((side, each.name), each.name), each.true
            found[*content, copies[content]] = each.true == each.predicted
            copies[content] += 1
    return found


def _calibration_error(story: Story, side: str) -> float | None:
    said = [each for each in story.predicted if each.side == side]
    if not said:
        return None
    confidence = np.array([each.confidence for each in said])
    return expected_calibration_error(reliability(confidence, np.array([e.true == e.predicted for e in said])))


def _groups(contenders: Sequence[Contender]) -> tuple[str, ...]:
    found: dict[frozenset[Picture], str] = {}
    for each in contenders:
        if each.right:
            pictures = frozenset(each.right)
            found[pictures] = found.get(pictures, "") + each.letter
    return tuple(found.values())


def _pairs(contenders: Sequence[Contender], groups: Sequence[str]) -> tuple[Pair, ...]:
    by_letter = {each.letter: each.right for each in contenders}
    counted = []
    for group in groups:
        for first, second in combinations(group, 2):
            one, other = by_letter[first], by_letter[second]
            only_first = sum(right and not other[picture] for picture, right in one.items())
            only_second = sum(right and not one[picture] for picture, right in other.items())
            counted.append((first, second, only_first, only_second))
    chances = [mcnemar(only_first, only_second) for _, _, only_first, only_second in counted]
    corrected = holm(chances)
    return tuple(Pair(*each, chance, after) for each, chance, after in zip(counted, chances, corrected, strict=True))
