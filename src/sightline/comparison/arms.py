"""What is held against each other: the recipes of a comparison, from a grid of choices or from files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides, to_toml

BRACKETS = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Arm:
    """One recipe of a comparison."""

    name: str
    """The choices that tell it from the others, such as "activation=relu, optimizer=adam"."""
    recipe: Recipe
    """As asked for, without a seed of the comparison."""
    choices: Mapping[str, str]
    """Field and value, as they were written; empty where the arm is a recipe of its own."""


def varied(recipe: Recipe, vary: Iterable[str], *, one_at_a_time: bool = False) -> tuple[Arm, ...]:
    """Return an arm for each combination of choices; the first values make the arm that all are compared with.

    Args:
        recipe: whose other choices hold for all arms, as far as they mean something there.
        vary: texts `field=value,value,…`, each with the values of one field as `--set` takes them.
        one_at_a_time: not every combination, but the first values, and each other value among the first ones.

    Raises:
        RecipeError: fields or values that do not exist, all of them named; arms that come to the same recipe.
    """
    fields = _fields(vary)
    first = {field: values[0] for field, values in fields.items()}
    chosen: list[dict[str, str]]
    if one_at_a_time:
        chosen = [first, *({**first, field: value} for field, values in fields.items() for value in values[1:])]
    else:
        chosen = [dict(zip(fields, values, strict=True)) for values in itertools.product(*fields.values())]
    _refuse_unknown(recipe, fields)
    arms, mistakes = [], []
    for choices in chosen:
        name = ", ".join(f"{field.rpartition('.')[2]}={value}" for field, value in choices.items())
        try:
            changed = apply_overrides(recipe, [f"{field}={value}" for field, value in choices.items()])
        except RecipeError as error:
            mistakes.append(f"{name}: {error}")
            continue
        arms.append(Arm(name, changed, choices))
    if mistakes:
        raise RecipeError(f"these choices do not go together: {'; '.join(mistakes)}")
    return distinct(arms)


def of_files(recipes: Mapping[str, Recipe]) -> tuple[Arm, ...]:
    """Return an arm for each recipe by its name.

    Raises:
        RecipeError: some of them are the same.
    """
    return distinct([Arm(name, recipe, {}) for name, recipe in recipes.items()])


def distinct(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return the arms where no two of them are the same.

    Raises:
        RecipeError: there are fewer than two, or some are the same recipe.
    """
    if len(arms) < 2:
        raise RecipeError(
            f"a comparison: found {len(arms)} arm, wanted two at least. Name two values: --vary optimizer=sgd,adam"
        )
    known: dict[str, str] = {}
    same = []
    for arm in arms:
        text = to_toml(arm.recipe)
        if text in known:
            same.append(f"{known[text]} and {arm.name}")
        known.setdefault(text, arm.name)
    if same:
        raise RecipeError(f"arms that are the same recipe, so that nothing could be compared: {'; '.join(same)}")
    return tuple(arms)


def _fields(vary: Iterable[str]) -> dict[str, list[str]]:
    """Return the values of each field, in order."""
    fields: dict[str, list[str]] = {}
    mistakes = []
    for text in vary:
        field, equals, listed = text.partition("=")
        values = _values(listed)
        if not equals or not field.strip() or not all(values):
            mistakes.append(f"{text!r}: wanted field=value,value")
        elif field.strip() in fields:
            mistakes.append(f"{field.strip()}: found twice; wanted all of its values together")
        elif len(set(values)) < len(values):
            mistakes.append(f"{field.strip()}: found a value twice in {listed}; wanted each once")
        fields[field.strip()] = values
    if mistakes:
        raise RecipeError(f"--vary {'; '.join(mistakes)}")
    return fields


def _values(listed: str) -> list[str]:
    """Return what stands between commas, but for those within brackets or quotes."""
    values, begun = [], 0
    closing: list[str] = []
    for place, sign in enumerate(listed):
        if closing and sign == closing[-1]:
            closing.pop()
        elif closing and closing[-1] in "\"'":
            continue
        elif sign in BRACKETS or sign in "\"'":
            closing.append(BRACKETS.get(sign, sign))
        elif sign == "," and not closing:
            values.append(listed[begun:place].strip())
            begun = place + 1
    return [*values, listed[begun:].strip()]


def _refuse_unknown(recipe: Recipe, fields: Mapping[str, Sequence[str]]) -> None:
    """Raise RecipeError that names every field and value that is wrong among the first values of the others."""
    first = {field: values[0] for field, values in fields.items()}
    mistakes: dict[str, None] = {}  # each once, where every value of an unknown field says the same
    for field, values in fields.items():
        for value in values:
            try:
                apply_overrides(recipe, [f"{name}={one}" for name, one in {**first, field: value}.items()])
            except RecipeError as error:
                heading, *several = str(error).removeprefix("recipe, ").split("\n")
                for said in several or [heading]:
                    mistakes[said.strip().replace("--set ", "--vary ")] = None
    if mistakes:
        count = [f"{len(mistakes)} mistakes:"] if len(mistakes) > 1 else []
        raise RecipeError("\n  ".join([*count, *mistakes]))
