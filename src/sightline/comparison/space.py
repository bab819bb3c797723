"""What a tuning may choose from: fields of a recipe, each with a range or a list of values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.fields import show

TABLE = "space"
WIDE = 10.0
"""Times the usual rate up and down, where no space is given."""


@dataclass(frozen=True)
class Range:
    """Numbers from one to another, both included."""

    low: float
    high: float
    log: bool = False
    """Drawn evenly in their logarithm."""

    @property
    def whole(self) -> bool:
        """Whether they are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Values:
    """Some values, as a recipe's TOML has them."""

    texts: tuple[str, ...]


Space = Mapping[str, Range | Values]
"""By dotted field."""


def read_space(path: str | PathLike[str], recipe: Recipe) -> Space:
    """Return the space of a TOML file, whose table `space` has for each field a range or a list of values.

        [space]
        "optimizer.learning_rate" = {low = 1e-4, high = 0.1, log = true}
        "optimizer" = ["momentum", "adam"]

    Raises:
        RecipeError: it cannot be read, or a field or a value is none of the recipe's; all of them are named.
    """
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: found no space that can be read ({error}). It is a TOML file.") from error
    table = found.get(TABLE)
    if not isinstance(table, dict) or not table or len(found) > 1:
        raise RecipeError(
            f'{path}: found {", ".join(found) or "nothing"}, wanted a table "[{TABLE}]" alone, with lines such as '
            '"optimizer.learning_rate" = {low = 1e-4, high = 0.1, log = true}'
        )
    space: dict[str, Range | Values] = {}
    mistakes: list[str] = []
    for field, value in _flat(table).items():
        part = _part(value)
        if isinstance(part, str):
            mistakes.append(f"{field}: {part}")
            continue
        space[field] = part
        mistakes += _refused(recipe, field, part)
    if mistakes:
        raise RecipeError(f"{path}: {'; '.join(mistakes)}")
    return space


def usual_space(resolved: Recipe, recipe: Recipe) -> Space:
    """Return what is worth a try with any recipe: the rate around its own, weight decay, smoothing, dropout.

    Args:
        resolved: what the recipe comes to, whose learning rate is the middle.
        recipe: as asked for; a field that it does not have is left out.
    """
    rate = resolved.optimizer.learning_rate
    middle = 1e-3 if rate == "auto" else rate
    wanted = {
        "optimizer.learning_rate": Range(middle / WIDE, min(100.0, middle * WIDE), log=True),
        "optimizer.weight_decay": Range(1e-6, 1e-1, log=True),
        "loss.label_smoothing": Range(0.0, 0.2),
        "network.dropout": Range(0.0, 0.5),
    }
    return {field: part for field, part in wanted.items() if not _refused(recipe, field, part)}


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return values by dotted field, whether dots were within quotes or made tables."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and not {"low", "high"} & value.keys():
            found |= _flat(value, f"{name}.")
        else:
            found[name] = value
    return found


def _part(value: Any) -> Range | Values | str:
    """Return a part of a space, or what is wrong with it."""
    if isinstance(value, list) and len(value) > 1:
        return Values(tuple(show(each) for each in value))
    if not isinstance(value, dict) or not {"low", "high"} <= value.keys() <= {"low", "high", "log"}:
        return f"found {show(value)}, wanted {{low = …, high = …}}, maybe with log = true, or a list of two values"
    low, high, log = value["low"], value["high"], value.get("log", False)
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (low, high))
    if not numbers or not low < high or (log and low <= 0):
        return f"found {show(value)}, wanted numbers of which low is less than high, and above 0 with log"
    return Range(low, high, bool(log))


def _refused(recipe: Recipe, field: str, part: Range | Values) -> list[str]:
    """Return what the recipe says against a field or its values."""
    texts = part.texts if isinstance(part, Values) else (show(part.low), show(part.high))
    found: dict[str, None] = {}
    for text in texts:
        try:
            apply_overrides(recipe, [f"{field}={text}"])
        except RecipeError as error:
            found[str(error).removeprefix("recipe, ")] = None
    return list(found)
