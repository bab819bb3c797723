"""Options that several commands share, and how they become a recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sightline.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])


def recipe_options(function: F) -> F:
    """Add `--recipe` and `--set`."""
    for option in (
        click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Set a field; may be repeated."),
        click.option("--recipe", "recipe_file", metavar="FILE", help="A recipe, as `sightline init` writes one."),
    ):
        function = option(function)
    return function


def read(recipe_file: str | None, overrides: tuple[str, ...], shortcuts: dict[str, object]) -> Recipe:
    """Return the recipe of a file, overridden by `--set` and by shortcuts such as `--epochs`.

    Args:
        recipe_file: TOML, or None for all defaults.
        overrides: texts `field=value`.
        shortcuts: dotted field to value, None where the shortcut was not used.
    """
    from sightline.recipe import read_with_overrides

    used = [f"{field}={value}" for field, value in shortcuts.items() if value is not None]
    return read_with_overrides(recipe_file, [*overrides, *used])


def test_time_option(function: F) -> F:
    """Add `--test-time-augmentation`."""
    return click.option(
        "--test-time-augmentation",
        "test_time",
        type=click.Choice(["none", "flips", "translations", "both"]),
        default="none",
        show_default=True,
        help="Judge flipped or moved views of each picture too, and take the mean.",
    )(function)
