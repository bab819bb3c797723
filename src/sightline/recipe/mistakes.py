"""Mistakes of a recipe: all of them at once, each with where, what was found, what was wanted and what is near."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo

from sightline.errors import RecipeError
from sightline.recipe.choices import Choices
from sightline.recipe.fields import branches, choice, default, either, entries, escaped, places, show, wanted

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

LONGEST_SHOWN = 80
ENTRY = 'an operation such as "horizontal_flip" or {name = "rotation", degrees = 15}'


@dataclass(frozen=True)
class Mistake:
    """One thing that cannot be honored."""

    where: str
    """The dotted field, `--set` and the field where an override said it, or nothing for the recipe as a whole.

    What is wrong inside a list's entry has the entry's own name and field behind the list's.
    """
    says: str

    def __str__(self) -> str:
        return f"{_shortened(escaped(self.where))}: {self.says}" if self.where else self.says


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
        place = _locate(detail["loc"], root)
        # A field counts once, whichever of the kinds it may have refused it; two entries of a list are two mistakes.
        once = bool(place.where) and not place.is_entry
        for mistake in _mistakes(detail, place, data):
            found.setdefault(mistake.where if once else str(mistake), mistake)
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

    for name, info in section.model_fields.items():
        if key in entries(info):
            where = ".".join(part for part in (path, name) if part)
            return f'no such field; {key} is one of the {name}. Choose {where} = ["{key}"].'
    own = choice(section)
    others = [name for name, sibling in siblings.items() if key in sibling.model_fields]
    if others and own is not None:
        return f'{own} has no such field, but {either(others)} has. Choose {path} = "{others[0]}", or leave {key} out.'
    guess = did_you_mean(key, section.model_fields)
    if not guess:
        known_elsewhere = [name for sibling in siblings.values() for name in sibling.model_fields]
        guess = did_you_mean(key, dict.fromkeys(known_elsewhere))
    if not guess and key != "name" and (elsewhere := places(Recipe, key)):
        guess = f" Did you mean {either(elsewhere)}?"
    what = "section" if not path else "field"
    return f"no such {what}.{guess}" + ("" if guess else f" Known: {', '.join(section.model_fields)}.")


@dataclass
class _Place:
    """Where a location of pydantic's leads."""

    section: type[Choices]
    """The innermost section, or entry of a list."""
    siblings: Mapping[str, type[Choices]] = field(default_factory=dict)
    """Its alternatives."""
    info: FieldInfo | None = None
    """The last field; a list's, where the mistake is a whole entry."""
    keys: list[str | int] = field(default_factory=list)
    """Way to the value in what was read."""
    where: str = ""
    """The way in words: dotted, with an entry's name and field behind a colon."""
    parent: str = ""
    """The way without its last step."""
    in_entry: bool = False

    @property
    def is_entry(self) -> bool:
        """The place is a whole entry of a list."""
        return bool(self.keys) and isinstance(self.keys[-1], int)

    def enter(self, key: str) -> None:
        self.keys.append(key)
        self.parent = self.where
        self.where = f"{self.where}.{key}" if self.where else key


def _mistakes(detail: ErrorDetails, place: _Place, data: object) -> list[Mistake]:
    where, info = place.where, place.info
    kind = detail["type"]
    if kind == "extra_forbidden":
        key = str(place.keys[-1])
        if place.in_entry:
            return [Mistake(where, _no_such_field_of_an_entry(key, place.section))]
        return [Mistake(where, no_such_field(key, place.section, place.siblings, place.parent))]
    if kind == "value_error":
        sentences = str(detail["ctx"]["error"]).splitlines()
        return [Mistake(where, sentence) if where else _split(sentence) for sentence in sentences]
    value = _look_up(data, place.keys, detail["input"])
    if info is None:
        return [Mistake(where, f"found {_shown(value)}, wanted a table of sections.")]
    if place.is_entry:
        return [Mistake(where, _no_such_entry(value, kind, info))]
    if kind == "union_tag_invalid":
        name = value.get("name", value) if isinstance(value, dict) else value
        guess = did_you_mean(name, branches(info)) if isinstance(name, str) else ""
        return [Mistake(where, f"found {_shown(name)}, wanted {wanted(info)}.{guess}")]
    if branches(info):
        several = len(branches(info)) > 1
        also = ", or a table with such a name" if several else f" with fields such as {_example(info, where)}"
        return [Mistake(where, f"found {_shown(value)}, wanted {wanted(info)}{also}.")]
    return [Mistake(where, _refused(value, info))]


def _no_such_entry(value: object, kind: str, info: FieldInfo) -> str:
    name = value.get("name", value) if isinstance(value, dict) else value
    if kind != "union_tag_invalid" or not isinstance(name, str):
        return f"found {_shown(value)}, wanted {ENTRY}."
    known = entries(info)
    guess = did_you_mean(name, known)
    return f"found {_shown(name)}, wanted {ENTRY}." + (guess or f" Known: {', '.join(known)}.")


def _no_such_field_of_an_entry(key: str, section: type[Choices]) -> str:
    known = [name for name in section.model_fields if name != "name"]
    return "no such field." + (did_you_mean(key, known) or f" Known: {', '.join(known)}.")


def _refused(value: object, info: FieldInfo) -> str:
    want = wanted(info)
    guess = did_you_mean(value, (part.strip('"') for part in _words(want))) if isinstance(value, str) else ""
    if entries(info):
        guess = ""
    if isinstance(value, str) and value.lower() in ("true", "false") and "true or false" in want:
        guess = f" Did you mean {value.lower()}, without quotes?"
    return f"found {_shown(value)}, wanted {want}." + guess


def _words(want: str) -> list[str]:
    return [part for part in want.replace(",", " ").split() if part.startswith('"')]


def _locate(location: Sequence[str | int], root: type[Choices]) -> _Place:
    """Walk a location along the models.

    The tags of unions, the kinds of values and the positions in lists of values, all of which pydantic puts into a
    location, are left out.
    """
    place = _Place(root)
    steps = list(location)
    while steps:
        step = steps.pop(0)
        if not isinstance(step, str) or step not in place.section.model_fields:
            place.enter(str(step))
            break
        place.enter(step)
        place.info = place.section.model_fields[step]
        sections = branches(place.info)
        if choices := entries(place.info):
            if steps and isinstance(steps[0], int):
                _enter_entry(place, steps, choices)
        elif len(sections) > 1:
            if not steps:
                break
            place.section = sections[str(steps.pop(0))]
        elif sections:
            place.section = next(iter(sections.values()))
        else:
            break
        place.siblings = sections
    return place


def _enter_entry(place: _Place, steps: list[str | int], choices: Mapping[str, type[Choices]]) -> None:
    """Go on into an entry of a list, whose name follows its position where it has one that is known."""
    place.keys.append(steps.pop(0))
    if steps:
        name = str(steps.pop(0))
        place.section, place.in_entry = choices[name], True
        place.where += f": {name}"


def _look_up(data: object, keys: Sequence[str | int], otherwise: object) -> object:
    for key in keys:
        known = key in data if isinstance(data, dict) else isinstance(data, list | tuple) and isinstance(key, int)
        if not known:
            return otherwise
        data = data[key]  # type: ignore[index]
    return data


def _split(sentence: str) -> Mistake:
    where, separator, says = sentence.partition(": ")
    return Mistake(where, says) if separator and " " not in where else Mistake("", sentence)


def _override(where: str, overridden: Collection[str]) -> str:
    if any(
        where == path or where.startswith((f"{path}.", f"{path}:")) or path.startswith(f"{where}.")
        for path in overridden
    ):
        return f"--set {where}"
    return where


def _example(info: FieldInfo, where: str) -> str:
    key, example = next(iter(next(iter(branches(info).values())).model_fields.items()))
    return f"{where}.{key} = {show(default(example))}"


def _shown(value: Any) -> str:
    return _shortened(show(value))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
