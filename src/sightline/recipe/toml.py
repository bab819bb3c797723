"""A recipe as text: TOML in and out without loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sightline.errors import RecipeError
from sightline.recipe.choices import Choices
from sightline.recipe.fields import show
from sightline.recipe.mistakes import mistakes_in, recipe_error
from sightline.recipe.recipe import Recipe
from sightline.writing import write_whole


def from_toml(text: str, *, where: str = "recipe") -> Recipe:
    """Return the recipe that `text` describes; fields that are left out have their defaults.

    Args:
        text: TOML; `{name = "adam"}` may be written `"adam"`.
        where: what the text was read from, for messages.

    Raises:
        RecipeError: the text is not TOML, or not a recipe; all mistakes are listed.
    """
    return from_fields(parse(text, where=where), where=where)


def to_toml(recipe: Recipe, reasons: Mapping[str, str] | None = None) -> str:
    """Return the whole recipe as TOML: `from_toml(to_toml(recipe)) == recipe`.

    Every field is written out, but for a section that means nothing: `transfer` without weights.

    Args:
        recipe: resolved or not.
        reasons: dotted field to why it has its value, written behind the value. A section that is chosen by name,
            such as `network`, has its reason behind that name.

    Raises:
        ValueError: a reason for a field that the recipe does not have.
    """
    left = dict(reasons or {})
    text = "\n".join(_section((), recipe, left)) + "\n"
    if left:
        raise ValueError(f"found reasons for {', '.join(left)}, wanted fields of the recipe")
    return text


def read_recipe(path: str | PathLike[str]) -> Recipe:
    """Return the recipe in a TOML file.

    Raises:
        RecipeError: the file cannot be read, is not UTF-8 or TOML, or not a recipe.
    """
    return from_toml(read_text(path), where=str(path))


def write_recipe(path: str | PathLike[str], recipe: Recipe, reasons: Mapping[str, str] | None = None) -> None:
    """Write `to_toml(recipe, reasons)` to a file, in whose place an existing one is left until the new one is whole.

    Raises:
        OutputError: the place cannot be written to.
    """
    write_whole(path, to_toml(recipe, reasons).encode())


def from_fields(fields: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Return the recipe with the given fields, a dict of dicts as TOML has them.

    Raises:
        RecipeError: fields that are unknown or have values that cannot be honored; all are listed.
    """
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise recipe_error(where, mistakes_in(error, Recipe, fields)) from None


def parse(text: str, *, where: str) -> dict[str, Any]:
    """Return the tables in TOML text.

    Raises:
        RecipeError: a syntax error, with its line.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: not valid TOML: {_place(str(error), text)}") from None
    except RecursionError:
        raise RecipeError(f"{where}: not valid TOML: found tables or lists nested too deeply.") from None


SHIPPED = Path(__file__).parent / "shipped"


def shipped() -> tuple[str, ...]:
    """Return the names of the recipes that come with Sightline, which stand for their files."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def read_text(path: str | PathLike[str]) -> str:
    """Return a recipe file's text, or that of a recipe that comes with Sightline where there is no file of its name.

    Raises:
        RecipeError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    if str(path) in shipped() and not Path(path).exists():
        path = SHIPPED / f"{path}.toml"
    try:
        # utf-8-sig: Windows' Notepad begins a UTF-8 file with a byte order mark.
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(
            f"{path}: no such file. Write one to begin with: sightline init {path}; or take one that is "
            f"shipped: {', '.join(shipped())}."
        ) from None
    except IsADirectoryError:
        raise RecipeError(f"{path}: found a directory, wanted a recipe, which is a TOML file.") from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{path}: found bytes that are not UTF-8 (at byte {error.start:,}), wanted a recipe, which is a TOML file."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RecipeError(f"{path}: cannot be read ({reason}).") from None


def _place(message: str, text: str) -> str:
    """Turn the parser's `Expected '=' (at line 3, column 5)` into `line 3: expected '=', found "…"`."""
    what, _, place = message.removesuffix(")").partition(" (at ")
    number = place.removeprefix("line ").partition(",")[0]
    what = what[:1].lower() + what[1:]
    if not number.isdigit():
        return f"last line: {what}."
    lines = text.splitlines()
    line = lines[int(number) - 1].strip() if int(number) <= len(lines) else ""
    return f"line {number}: {what}: {line[:80]}"


def _section(path: tuple[str, ...], section: Choices, reasons: dict[str, str]) -> Iterator[str]:
    fields = {key: getattr(section, key) for key in type(section).model_fields}
    values = {key: value for key, value in fields.items() if not isinstance(value, Choices)}
    where = ".".join(path)
    if path:
        yield f"[{where}]"
    if "name" in values:
        reason = reasons.pop(where, None) or reasons.pop(f"{where}.name", None)
        yield from _lines("name", values.pop("name"), reason)
    for key, value in values.items():
        yield from _lines(key, value, reasons.pop(".".join((*path, key)), None))
    for key, value in fields.items():
        if isinstance(value, Choices) and not value.idle:
            if path or key != next(iter(fields)):
                yield ""
            yield from _section((*path, key), value, reasons)


def _lines(key: str, value: object, reason: str | None) -> Iterator[str]:
    """One line for a field; a list of choices, such as operations, has a line for each."""
    comment = "" if reason is None else "  # " + " ".join(reason.split())
    if isinstance(value, tuple) and any(isinstance(entry, Choices) for entry in value):
        yield f"{key} = [{comment}"
        yield from (f"    {show(entry)}," for entry in value)
        yield "]"
    else:
        yield f"{key} = {show(value)}{comment}"
