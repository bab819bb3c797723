"""Mistakes of a recipe: all of them at once, each with where, what was found, what was wanted and what is near."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo

from sightline.errors import RecipeError
from sightline.recipe.choices import Choices
from sightline.recipe.fields import branches, choice, default, either, places, printable, show, wanted

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Mistake:
    """One thing that cannot be honored."""

    where: str
    """The dotted field, `--set` and the field where an override said it, or nothing for the recipe as a whole."""
    says: str

    def __str__(self) -> str:
        return f"{_shortened(printable(self.where))}: {self.says}" if self.where else self.says


def recipe_error(where: str, mistakes: Sequence[Mistake], overridden: Collection[str] = ()) -> RecipeError:
    """Return one error that lists all mistakes.

    Args:
        where: what the recipe was read from, such as `recipe.toml`; empty where there is nothing to name.
        mistakes: at least one.
        overridden: dotted fields that were set by an override; mistakes in them say `--set`.
    """
    shown = sorted(
        (replace(mistake, where=_override(mistake.where, overridden)) for mistake in mistakes),
        key=lambda mistake: mistake.where.startswith("--set"),
    )
    source = where if any(not mistake.where.startswith("--set") for mistake in shown) else ""
    if len(shown) == 1:
        return RecipeError(", ".join(part for part in (source, str(shown[0])) if part))
    heading = ", ".join(part for part in (source, f"{len(shown)} mistakes:") if part)
    return RecipeError("\n  ".join([heading, *map(str, shown)]))


def mistakes_in(error: ValidationError, root: type[Choices], data: object) -> tuple[Mistake, ...]:
    """Return what pydantic refused, one mistake per field, in the order of the fields.

    Args:
        error: what `root.model_validate(data)` raised.
        root: the model that was to be read.
        data: what it was to be read from.
    """
    found: dict[str, Mistake] = {}
    for detail in error.errors(include_url=False):
        for mistake in _mistakes(detail, root, data):
            found.setdefault(f"{mistake.where}: {mistake.says}" if not mistake.where else mistake.where, mistake)
    return tuple(found.values())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean …?` where something known is near, otherwise nothing."""
    from difflib import get_close_matches

    known = list(known)
    near = get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    near = near or [name for name in known if len(word) > 2 and name.startswith(word.lower())]
    return f" Did you mean {near[0]}?" if near else ""


def no_such_field(key: str, section: type[Choices], siblings: Mapping[str, type[Choices]], path: str) -> str:
    """Return the sentence for a key that `section` does not have, though a sibling or another section may."""
    from sightline.recipe.recipe import Recipe

    own = choice(section)
    others = [name for name, sibling in siblings.items() if key in sibling.model_fields]
    if others and own is not None:
        return f'{own} has no such field, but {either(others)} has. Choose {path} = "{others[0]}", or leave {key} out.'
    guess = did_you_mean(key, section.model_fields)
    if not guess:
        known_elsewhere = [name for sibling in siblings.values() for name in sibling.model_fields]
        guess = did_you_mean(key, dict.fromkeys(known_elsewhere))
    if not guess and (elsewhere := places(Recipe, key)):
        guess = f" Did you mean {either(elsewhere)}?"
    what = "section" if not path else "field"
    return f"no such {what}.{guess}" + ("" if guess else f" Known: {', '.join(section.model_fields)}.")


def _mistakes(detail: ErrorDetails, root: type[Choices], data: object) -> list[Mistake]:
    path, section, siblings, field = _locate(detail["loc"], root)
    where = ".".join(path)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return [Mistake(where, no_such_field(path[-1], section, siblings, ".".join(path[:-1])))]
    if kind == "value_error":
        sentences = str(detail["ctx"]["error"]).splitlines()
        return [Mistake(where, sentence) if where else _split(sentence) for sentence in sentences]
    value = _look_up(data, path, detail["input"])
    if field is None:
        return [Mistake(where, f"found {_shown(value)}, wanted a table of sections.")]
    if kind == "union_tag_invalid":
        name = value.get("name", value) if isinstance(value, dict) else value
        guess = did_you_mean(name, branches(field)) if isinstance(name, str) else ""
        return [Mistake(where, f"found {_shown(name)}, wanted {wanted(field)}.{guess}")]
    if branches(field):
        several = len(branches(field)) > 1
        also = ", or a table with such a name" if several else f" with fields such as {_example(field, where)}"
        return [Mistake(where, f"found {_shown(value)}, wanted {wanted(field)}{also}.")]
    return [Mistake(where, _refused(value, field))]


def _refused(value: object, field: FieldInfo) -> str:
    want = wanted(field)
    guess = did_you_mean(value, (part.strip('"') for part in _words(want))) if isinstance(value, str) else ""
    if isinstance(value, str) and value.lower() in ("true", "false") and "true or false" in want:
        guess = f" Did you mean {value.lower()}, without quotes?"
    return f"found {_shown(value)}, wanted {want}." + guess


def _words(want: str) -> list[str]:
    return [part for part in want.replace(",", " ").split() if part.startswith('"')]


def _locate(
    location: Sequence[str | int], root: type[Choices]
) -> tuple[list[str], type[Choices], Mapping[str, type[Choices]], FieldInfo | None]:
    """Walk a location along the models: the clean path, the last section, its alternatives and the last field.

    The tags of unions, the kinds of values and the positions in lists, all of which pydantic puts into a location,
    are left out.
    """
    path: list[str] = []
    section, siblings, field = root, dict[str, type[Choices]](), None
    steps = list(location)
    while steps:
        step = steps.pop(0)
        if not isinstance(step, str) or step not in section.model_fields:
            return [*path, str(step)], section, siblings, field
        path.append(step)
        field = section.model_fields[step]
        sections = branches(field)
        if not sections:
            break
        if len(sections) > 1:
            if not steps:
                break
            section = sections[str(steps.pop(0))]
        else:
            section = next(iter(sections.values()))
        siblings = sections
    return path, section, siblings, field


def _look_up(data: object, path: Sequence[str], otherwise: object) -> object:
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return otherwise
        data = data[step]
    return data


def _split(sentence: str) -> Mistake:
    where, separator, says = sentence.partition(": ")
    return Mistake(where, says) if separator and " " not in where else Mistake("", sentence)


def _override(where: str, overridden: Collection[str]) -> str:
    if any(where == path or where.startswith(f"{path}.") or path.startswith(f"{where}.") for path in overridden):
        return f"--set {where}"
    return where


def _example(field: FieldInfo, where: str) -> str:
    key, example = next(iter(next(iter(branches(field).values())).model_fields.items()))
    return f"{where}.{key} = {show(default(example))}"


def _shown(value: Any) -> str:
    return _shortened(show(value))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
