"""Options that several commands share, and how they become a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sightline.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])


def recipe_options(function: F) -> F:
    """Add `--recipe` and `--set`."""
    for option in (
        click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Set a field; may be repeated."),
        click.option(
            "--recipe",
            "recipe_file",
            metavar="FILE",
            help="A recipe, as `sightline init` writes it; or fast, or accurate.",
        ),
    ):
        function = option(function)
    return function


def run_options(function: F) -> F:
    """Add what every command has that begins a run."""
    for option in (
        click.option("--quiet", is_flag=True, help="Print only the result."),
        click.option("--print-recipe", is_flag=True, help="Print the resolved recipe with its reasons, and stop."),
        click.option("--epochs", type=click.IntRange(min=1), help="Passes over the pictures (training.epochs)."),
        click.option(
            "--resume",
            "resuming",
            type=click.Choice(["never", "auto"]),
            default="never",
            show_default=True,
            help="auto: go on with the run in --out, or the last of SOURCE below runs/, where it ended early; "
            "otherwise begin.",
        ),
        click.option("--overwrite", is_flag=True, help="Take the place of an earlier run in --out."),
        click.option("--out", metavar="DIR", help="Directory of the run. Default: the next free one below runs/."),
    ):
        function = option(function)
    return function


def quoted(text: str | None) -> str | None:
    """Return a text as a value of TOML, so that a path that looks like a number stays a path."""
    from sightline.recipe.fields import show

    return None if text is None else show(text)


def read(recipe_file: str | None, overrides: tuple[str, ...], shortcuts: Mapping[str, object]) -> Recipe:
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
    """Add `--test-time-augmentation` and `--certain`."""
    for option in (
        click.option(
            "--certain",
            type=click.FloatRange(0, 1, min_open=True),
            default=1.0,
            show_default=True,
            help="Leave it at the picture as it is where a class has this probability already.",
        ),
        click.option(
            "--test-time-augmentation",
            "test_time",
            type=click.Choice(["none", "flips", "translations", "both"]),
            default="none",
            show_default=True,
            help="Judge flipped or moved views of each picture too, and take the mean.",
        ),
    ):
        function = option(function)
    return function


def backend_option(function: F) -> F:
    """Add `--backend`."""
    return click.option(
        "--backend",
        type=click.Choice(["exact", "auto", "torch", "onnxruntime", "openvino"]),
        default="exact",
        show_default=True,
        help="exact: the same bits alone and in company. The others round as is fastest; auto: the fastest installed.",
    )(function)
