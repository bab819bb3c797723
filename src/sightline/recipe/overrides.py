"""Overrides: `optimizer.learning_rate=0.01` on top of a recipe.

A section that is chosen by name takes the name alone: `network=lenet` is `network.name=lenet`. Fields that were set for
the earlier choice stay where the new one has them too. A field that the new one does not have is dropped where it has
its default value, and otherwise a mistake, since an explicit choice is never ignored. A whole table,
`network={name="lenet"}`, begins the section anew.

Augmentation is chosen by a policy or by a list of operations: `augmentation=standard` is `augmentation.policy=standard`
and takes the place of operations that the recipe lists, and a list takes the place of the recipe's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from os import PathLike
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from sightline.recipe.augmentation import TAKES_OPERATIONS, Augmentation
from sightline.recipe.augmentation import table as augmentation_table
from sightline.recipe.choices import Choices
from sightline.recipe.fields import branches, choice, default, same_kind, show
from sightline.recipe.mistakes import Mistake, mistakes_in, recipe_error
from sightline.recipe.recipe import Recipe
from sightline.recipe.toml import parse, read_text

AUGMENTATION = "augmentation"


@dataclass(frozen=True)
class Override:
    """A field and the value it is to have."""

    path: tuple[str, ...]
    value: Any

    @property
    def field(self) -> str:
        """The dotted field."""
        return ".".join(self.path)


def apply_overrides(
    recipe: Recipe | Mapping[str, Any], overrides: Iterable[str] | Mapping[str, Any], *, where: str = "recipe"
) -> Recipe:
    """Return the recipe with some fields set otherwise.

    Args:
        recipe: a recipe, or its fields as TOML has them.
        overrides: texts `field=value`, with the value in TOML or a bare word; or dotted fields and their values.
        where: what the recipe was read from, for messages.

    Raises:
        RecipeError: unknown fields, values that cannot be honored, one field set twice, or a choice that leaves an
            explicit field of the recipe without a meaning; all are listed.
    """
    fields = explicit(recipe) if isinstance(recipe, Recipe) else deepcopy(dict(recipe))
    mistakes: list[Mistake] = []
    wishes = _wishes(overrides, mistakes)
    # Sections before what is in them, so that "network.depth=34 network=resnet" is the same as its reverse.
    for wish in sorted(wishes, key=lambda wish: len(wish.path)):
        _set(fields, wish, mistakes)
    _policy_or_operations(fields, {wish.path for wish in wishes})
    overridden = [] if isinstance(overrides, Mapping) else [wish.field for wish in wishes]
    try:
        result = Recipe.model_validate(fields)
    except ValidationError as error:
        known = {mistake.where for mistake in mistakes}
        mistakes += (mistake for mistake in mistakes_in(error, Recipe, fields) if mistake.where not in known)
    if mistakes:
        raise recipe_error(where, mistakes, overridden) from None
    return result


def as_overrides(change: Mapping[str, Any]) -> tuple[str, ...]:
    """Return dotted fields and their values as the texts that `--set` takes."""
    return tuple(f"{name}={show(value)}" for name, value in change.items())


def read_with_overrides(path: str | PathLike[str] | None, overrides: Iterable[str]) -> Recipe:
    """Return the recipe in a file, or the default one, with overrides; mistakes of both are listed together.

    Raises:
        RecipeError: as `read_recipe` and `apply_overrides`.
    """
    fields = {} if path is None else parse(read_text(path), where=str(path))
    return apply_overrides(fields, overrides, where="" if path is None else str(path))


def explicit(section: Choices) -> dict[str, Any]:
    """Return the fields that were set, as opposed to left at their defaults, as a dict of dicts with their names."""
    found: dict[str, Any] = {}
    name = choice(section=type(section))
    if name is not None:
        found["name"] = name
    for key in type(section).model_fields:
        value = getattr(section, key)
        if key in section.model_fields_set:
            found[key] = _as_table(value)
    return found


def _as_table(value: Any) -> Any:
    """Return a value with its choices, alone or in a list, as TOML has them."""
    if isinstance(value, Choices):
        return explicit(value)
    if isinstance(value, list | tuple) and any(isinstance(entry, Choices) for entry in value):
        return [_as_table(entry) for entry in value]
    return value


def parse_value(text: str) -> Any:
    """Return the TOML value in `text`, or `text` itself where it is none: `he` is the same as `"he"`."""
    import tomllib

    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()
    # More than one key means that the text holds a line break and a second assignment.
    return found["value"] if len(found) == 1 else text.strip()


def _wishes(overrides: Iterable[str] | Mapping[str, Any], mistakes: list[Mistake]) -> list[Override]:
    if isinstance(overrides, str):
        overrides = [overrides]
    if isinstance(overrides, Mapping):
        found = [Override(_path(key), deepcopy(value)) for key, value in overrides.items()]
    else:
        found = []
        for text in overrides:
            key, equals, value = text.partition("=")
            if not equals or not key.strip():
                mistakes.append(
                    Mistake(f"--set {text}", "wanted a field and its value, such as optimizer.learning_rate=0.01.")
                )
            else:
                found.append(Override(_path(key), parse_value(value)))
    found = [each for wish in found for each in _without_shorthand(wish)]
    once: dict[tuple[str, ...], Override] = {}
    for wish in found:
        earlier = once.setdefault(wish.path, wish)
        if show(earlier.value) != show(wish.value):
            says = f"set twice, to {show(earlier.value)} and to {show(wish.value)}; wanted one of them."
            mistakes.append(Mistake(wish.field, says))
    return list(once.values())


def _without_shorthand(wish: Override) -> list[Override]:
    """Read `augmentation=standard` and `augmentation=["rotation"]` as the fields that they set."""
    if wish.path != (AUGMENTATION,) or not isinstance(wish.value, str | list | tuple):
        return [wish]
    return [Override((AUGMENTATION, key), value) for key, value in augmentation_table(wish.value).items()]


def _path(key: str) -> tuple[str, ...]:
    path = tuple(part.strip() for part in key.split("."))
    field = _field(path[:-1]) if path[-1] == "name" else None
    return path[:-1] if field is not None and len(branches(field)) > 1 else path


def _field(path: tuple[str, ...]) -> FieldInfo | None:
    """Return the field at a path, whatever choices lead there."""
    sections: list[type[Choices]] = [Recipe]
    field = None
    for step in path:
        field = next((section.model_fields[step] for section in sections if step in section.model_fields), None)
        if field is None:
            return None
        sections = list(branches(field).values())
    return field


def _set(fields: dict[str, Any], wish: Override, mistakes: list[Mistake]) -> None:
    table = fields
    for depth, step in enumerate(wish.path[:-1], start=1):
        field = _field(wish.path[:depth])
        below = _as_table(table.get(step, {}))
        if field is not None and Augmentation in branches(field).values():
            below = augmentation_table(below)
        elif isinstance(below, str) and field is not None and branches(field):
            below = {"name": below}
        if not isinstance(below, dict) or (field is not None and not branches(field)):
            says = f"{'.'.join(wish.path[:depth])} is a value, not a section; nothing can be set in it."
            mistakes.append(Mistake(wish.field, says))
            return
        table[step] = below
        table = below
    key, value = wish.path[-1], wish.value
    field = _field(wish.path)
    if field is not None and branches(field) and isinstance(value, str) and len(branches(field)) > 1:
        table[key] = _choose(field, table.get(key), value, wish.field, mistakes)
    else:
        table[key] = _as_table(value)


def _policy_or_operations(fields: dict[str, Any], wished: set[tuple[str, ...]]) -> None:
    """Take what the recipe says of the policy or of the operations out, where a wish for the other replaces it."""
    table = fields.get(AUGMENTATION)
    policy, operations = ((AUGMENTATION, key) in wished for key in ("policy", "operations"))
    if not isinstance(table, dict) or policy == operations:
        return
    takes_operations = table.get("policy") in TAKES_OPERATIONS
    if policy and not takes_operations:
        table.pop("operations", None)
    if operations and table["operations"] and not takes_operations:
        table["policy"] = "custom"


def _choose(field: FieldInfo, before: Any, name: str, where: str, mistakes: list[Mistake]) -> Any:
    """Return the table of the new choice with what is kept of the earlier one."""
    sections = branches(field)
    before = _as_table(before)
    if not isinstance(before, dict) or name not in sections:
        return {"name": name}
    earlier_name = str(before.get("name", choice(type(default(field)))))
    earlier = sections[earlier_name].model_fields if earlier_name in sections else {}
    kept = {"name": name}
    for key, value in before.items():
        if key == "name":
            continue
        later_field, earlier_field = sections[name].model_fields.get(key), earlier.get(key)
        if earlier_field is None or (later_field is not None and same_kind(earlier_field, later_field)):
            kept[key] = value
        elif show(value) != show(default(earlier_field)):
            lacks = "has no" if later_field is None else "means something else by"
            says = (
                f"{name} {lacks} {key}, which the recipe sets to {show(value)} for {earlier_name}. "
                f"Take it out of the recipe, or begin the section anew with '{where}={{name=\"{name}\"}}'."
            )
            mistakes.append(Mistake(where, says))
    return kept
