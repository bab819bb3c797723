"""A recipe as a flat list: dotted fields and their values as text, for tables and for other tools."""

from __future__ import annotations

from sightline.recipe.choices import Choices
from sightline.recipe.fields import choice, in_order, show
from sightline.recipe.recipe import Recipe


def flat(recipe: Recipe) -> dict[str, str]:
    """Return every field that means something, by its dotted name, with its value as TOML has it.

    The name of a choice stands under the section's own: `network` is `"resnet"`. Each entry of a list of choices has a
    field of its own, `augmentation.operations.rotation`, whose text begins with its place in the list.
    """
    return dict(_fields("", recipe))


def _fields(where: str, section: Choices) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key in in_order(type(section)):
        value, place = getattr(section, key), f"{where}.{key}" if where else key
        if key == "name" and choice(type(section)) is not None:
            found.append((where, show(value)))
        elif isinstance(value, Choices):
            found += [] if value.idle else _fields(place, value)
        elif isinstance(value, tuple) and any(isinstance(entry, Choices) for entry in value):
            found += ((f"{place}.{choice(type(e))}", f"{number}: {show(e)}") for number, e in enumerate(value, start=1))
        else:
            found.append((place, show(value)))
    return found


def plain(text: str) -> str:
    """Return a field's text as other tools show it: text without its quotation marks, anything else as it is."""
    return text[1:-1] if len(text) > 2 and text.startswith('"') and text.endswith('"') else text
