"""What a comparison will train: arms and seeds, as trials that are named by recipe, pictures, weights and versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.comparison.arms import Arm
from sightline.comparison.store import Trial
from sightline.data import Progress
from sightline.errors import DataError, RecipeError
from sightline.model.sealing import own_version
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.overrides import explicit
from sightline.training import Survey, resolve, survey
from sightline.training.prepare import divide
from sightline.training.standing import digest_of

FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Plan:
    """Arms and seeds on one set of pictures."""

    surveyed: Survey
    """With the recipe of the first arm, which the others are held against."""
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    purpose: str = ""
    """What its trainings are for, where that is to choose by validation pictures and not to compare."""

    @property
    def side(self) -> str:
        """Which pictures arms are compared on: those held out for a test, or for validation where there are none."""
        return "test" if len(self.surveyed.split.test) else "validation"

    @property
    def about(self) -> Mapping[str, Any]:
        """What a comparison that goes on, maybe on another machine, has to agree with: what `auto` follows too."""
        machine = self.surveyed.machine
        return {
            "pictures": self.surveyed.catalogue.digest,
            "device": machine.device,
            "bfloat16": machine.bfloat16,
        }

    def trials(self, threads: int) -> list[Trial]:
        """Return the trials, each seed for all arms before the next seed, so that pairs are there early.

        Args:
            threads: that each is trained with where the recipe leaves that open.

        Raises:
            RecipeError: two of them are the same.
        """
        found = [self._trial(arm, seed, threads) for seed in self.seeds for arm in self.arms]
        known: dict[str, Trial] = {}
        for each in found:
            if each.digest in known:
                one = known[each.digest]
                raise RecipeError(
                    f"{one.arm} and {each.arm} are the same training with seed {each.seed}: seeds and, where they are "
                    "open, threads are the comparison's. Leave one of the two out."
                )
            known[each.digest] = each
        return found

    def _trial(self, arm: Arm, seed: int, threads: int) -> Trial:
        choices: dict[str, Any] = {"training.seed": seed}
        if arm.recipe.training.threads == "auto":
            choices["training.threads"] = threads
        recipe = as_asked(apply_overrides(arm.recipe, choices))
        weights = _content(arm.recipe.transfer.weights, Path(self.surveyed.folder))
        parts = (recipe, self.surveyed.catalogue.digest, weights, own_version(), torch.__version__, np.__version__)
        digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
        return Trial(digest, arm.name, seed, recipe)


def as_asked(recipe: Recipe) -> str:
    """Return the fields that were set in a recipe as JSON: what was left open stays open for whoever reads it."""
    return json.dumps(explicit(recipe), sort_keys=True)


def from_asked(text: str) -> Recipe:
    """Return the recipe of such a text."""
    return apply_overrides(json.loads(text), {})


def planned(
    source: Any,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    *,
    by_validation: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Return the plan of a comparison, once it is known that each arm can be trained on these pictures.

    Args:
        source: as for `train`.
        arms: two at least; the first is the one that the others are held against.
        seeds: of the trainings, the same for each arm.
        by_validation: arms are also compared on the validation pictures.
        progress: told of reading.

    Raises:
        DataError: the pictures cannot be trained on, or none are held out to compare on.
        RecipeError: fewer than two seeds; arms that cannot be trained, all of them named; arms that come to the same.
    """
    refuse_seeds(len(set(seeds)))
    surveyed = survey(source, arms[0].recipe, progress=progress)
    if not len(surveyed.split.test) and not len(surveyed.split.validation):
        raise DataError(
            f"{surveyed.catalogue.source.name}: nothing is held out to compare on. Hold something out: "
            "--set data.test_fraction=0.2"
        )
    if by_validation and not len(surveyed.split.validation):
        raise DataError(
            f"{surveyed.catalogue.source.name}: --reach is about validation pictures, and none are held out: "
            "--set data.validation_fraction=0.1"
        )
    plan = Plan(surveyed, tuple(arms), tuple(dict.fromkeys(seeds)))
    known: dict[str, str] = {}
    mistakes = [
        f"{arm.name} has other {side} pictures than {arms[0].name}: wanted the same data.seed, fractions and "
        "training_per_class for all arms"
        for side in dict.fromkeys((plan.side, "validation") if by_validation else (plan.side,))
        for arm in arms[1:]
        if not np.array_equal(_held_out(arm.recipe, plan, side), _held_out(arms[0].recipe, plan, side))
    ]
    for arm in arms:
        try:
            digest = digest_of(resolved_on(arm.recipe, surveyed))
        except RecipeError as error:
            mistakes.append(f"{arm.name}: {error}")
            continue
        if digest in known:
            mistakes.append(f"{known[digest]} and {arm.name} come to the same training on these pictures")
        known.setdefault(digest, arm.name)
    if mistakes:
        raise RecipeError("; ".join(mistakes))
    return plan


def refuse_seeds(seeds: int) -> None:
    """Raise RecipeError where there are too few seeds to say anything."""
    if seeds < FEWEST_SEEDS:
        raise RecipeError(
            f"--seeds: found {seeds}, wanted two at least: the same recipe with another seed gives another result, and "
            "without a second one nobody knows how different it is. Five are a good start."
        )


def _held_out(recipe: Recipe, plan: Plan, side: str) -> NDArray[np.int64]:
    """Return the records that an arm is compared on."""
    split = divide(plan.surveyed.catalogue, recipe)
    return np.sort(split.test if side == "test" else split.validation)


def _content(weights: str, folder: Path) -> str:
    """Return a digest of the file that a training begins from; its name where that is no file."""
    path = folder / weights
    if not weights or not path.is_file():
        return weights
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def resolved_on(recipe: Recipe, surveyed: Survey) -> Recipe:
    """Return what a recipe comes to on the pictures; of one that begins from weights, what was asked for."""
    if recipe.transfer.weights:
        return recipe
    decoder = surveyed.resolved.recipe.data.decoder
    return resolve(recipe, surveyed.facts, surveyed.machine, decoder=str(decoder)).recipe
