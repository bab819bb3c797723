"""The default recipe with every field explained: what `sightline init` writes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from inspect import getdoc

from pydantic.fields import FieldInfo

from sightline.recipe.choices import Choices
from sightline.recipe.fields import branches, choice, default, entries, show, wanted
from sightline.recipe.recipe import Recipe

WIDTH = 110
INDENT = "#         "
HEADING = """\
A recipe of Sightline. Every field stands here with its default and, behind it, what it takes.
Take the # away in front of a field to choose otherwise; what stays a comment keeps its default.
"auto" is settled from the pictures and the machine, and shown with its reason before training."""


def commented() -> str:
    """Return the default recipe as TOML in which every field has its meaning, its range and its alternatives.

    Reading it gives `Recipe()`. Fields stand in comments, `#epochs = "auto"`, so that another choice of network or
    optimizer is one edited name, and no default of the earlier choice is in its way.
    """
    return "\n".join([*_comment(HEADING), *_sections((), Recipe)]) + "\n"


def _sections(path: tuple[str, ...], section: type[Choices]) -> Iterator[str]:
    for key, field in section.model_fields.items():
        if sections := branches(field):
            yield from _section((*path, key), field, sections)


def _section(path: tuple[str, ...], field: FieldInfo, sections: dict[str, type[Choices]]) -> Iterator[str]:
    chosen = type(default(field))
    name = choice(chosen)
    yield from ("", "")
    yield from _comment(field.description or "")
    yield f"[{'.'.join(path)}]"
    if len(sections) > 1:
        yield f"name = {show(name)}  # {wanted(field)}"
        yield from _comment(getdoc(chosen) or "")
    yield from _fields(chosen, None)
    for other_name, other in sections.items():
        if other is not chosen:
            yield from ("", f"# With name = {show(other_name)}:")
            yield from _comment(getdoc(other) or "")
            yield from _fields(other, chosen)
    yield from _sections(path, chosen)


def _fields(section: type[Choices], chosen: type[Choices] | None) -> Iterator[str]:
    """The fields of a choice, without those that it shares with the chosen one."""
    for key, field in section.model_fields.items():
        if key != "name" and not branches(field) and not _shared(key, field, chosen):
            yield ""
            yield from _comment(field.description or "")
            yield f"#{key} = {show(default(field))}  # {wanted(field)}"
            yield from _entries(key, field)


def _entries(key: str, field: FieldInfo) -> Iterator[str]:
    """What a list may hold, each entry with its defaults, ready to be copied into the list."""
    choices = entries(field)
    if choices:
        yield "#"
        yield from _comment(f"All {key}, each with its defaults; the name alone stands for the same.")
    for entry in choices.values():
        yield f"#     {show(entry())},"
        yield from textwrap.wrap(getdoc(entry) or "", WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def _shared(key: str, field: FieldInfo, chosen: type[Choices] | None) -> bool:
    own = chosen.model_fields.get(key) if chosen else None
    return own is not None and _facts(own) == _facts(field)


def _facts(field: FieldInfo) -> tuple[str | None, str, str]:
    return field.description, wanted(field), show(default(field))


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, WIDTH, initial_indent="# ", subsequent_indent="# ") or ["#"]
