"""What the models say about themselves: the choices of a section, and in words what a field wants."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from sightline.recipe.choices import Choices

PLURALS = {"a whole number": "whole numbers", "a number": "numbers", "a share": "shares"}


def branches(field: FieldInfo) -> dict[str, type[Choices]]:
    """Return the choices of a section by name: those of a union, one for a plain section, none for a value."""
    return _branches(field.annotation)


def choice(section: type[Choices]) -> str | None:
    """Return the name under which a section is chosen, None where there is nothing to choose."""
    field = section.model_fields.get("name")
    return None if field is None else str(field.default)


def entries(field: FieldInfo) -> dict[str, type[Choices]]:
    """Return the choices that the entries of a list may be, by name; none for a list of values or no list."""
    annotation = _without_notes(field.annotation)
    if get_origin(annotation) is not tuple or get_args(annotation)[-1] is not Ellipsis:
        return {}
    return _branches(get_args(annotation)[0])


def in_order(section: type[Choices]) -> list[str]:
    """Return the fields of a choice as they are written: its name, then the others."""
    return sorted(section.model_fields, key=lambda key: key != "name")


def default(field: FieldInfo) -> Any:
    """Return the value of a field that is left out."""
    return field.get_default(call_default_factory=True, validated_data={})


def same_kind(one: FieldInfo, other: FieldInfo) -> bool:
    """Return whether two fields of one name take the same kind of value; a `width` may be a factor or a number."""
    return _kinds(one.annotation) == _kinds(other.annotation)


def wanted(field: FieldInfo) -> str:
    """Return what a field takes, such as `"auto" or a whole number ≥ 1`."""
    sections = branches(field)
    if len(sections) > 1:
        return either(show(name) for name in sections)
    if sections:
        return "a section"
    return either(_phrases(field.annotation, field.metadata, field.title))


def show(value: object) -> str:
    """Return a value as TOML has it, for messages and files alike."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return escaped(json.dumps(value, ensure_ascii=False))
        case dict():
            return "{" + ", ".join(f"{escaped(str(key))} = {show(entry)}" for key, entry in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(show(entry) for entry in value) + "]"
        case Choices():
            return show({key: getattr(value, key) for key in in_order(type(value))})
        case _:
            return str(value)


def escaped(text: str) -> str:
    """Return text with TOML escapes for what a terminal would not show or would obey."""
    return "".join(letter if letter.isprintable() else _escape(ord(letter)) for letter in text)


def either(phrases: Iterable[str]) -> str:
    """Join phrases as in `a, b or c`."""
    found = list(phrases)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def _bare(annotation: Any) -> Any:
    """Return an annotation without its ranges."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return frozenset(_bare(member) for member in get_args(annotation))
    return annotation


def _kinds(annotation: Any) -> frozenset[Any]:
    """Return the kinds of values that a field takes; that it may be automatic is none."""
    bare = _bare(annotation)
    return (bare if isinstance(bare, frozenset) else frozenset({bare})) - {Literal["auto"]}


def _without_notes(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _branches(annotation: Any) -> dict[str, type[Choices]]:
    annotation = _without_notes(annotation)
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    sections = [member for member in members if isinstance(member, type) and issubclass(member, Choices)]
    return {choice(section) or "": section for section in sections}


def _phrases(annotation: Any, metadata: Sequence[Any], noun: str | None) -> list[str]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        for note in notes:
            if isinstance(note, FieldInfo):
                metadata, noun = [*metadata, *note.metadata], noun or note.title
        return _phrases(inner, [*metadata, *notes], noun)
    if origin in (Union, types.UnionType):
        return [phrase for member in get_args(annotation) for phrase in _phrases(member, metadata, noun)]
    if origin is Literal:
        return [show(value) for value in get_args(annotation)]
    if origin is tuple:
        return [noun or _list_wanted(get_args(annotation), _bounds(metadata))]
    if annotation is bool:
        return ["true", "false"]
    if annotation in (int, float):
        return [f"{noun or ('a whole number' if annotation is int else 'a number')}{_range(_bounds(metadata))}"]
    return ["text"]


def _list_wanted(items: tuple[Any, ...], bounds: dict[str, Any]) -> str:
    entry = either(_phrases(items[0], (), None))
    many = next((entry.replace(one, plural, 1) for one, plural in PLURALS.items() if entry.startswith(one)), entry)
    if items[-1] is not Ellipsis:
        return f"a list of {len(items)} {many}"
    low, high = bounds.get("min_length", 0), bounds.get("max_length")
    return f"a list of {low} or more {many}" if high is None else f"a list of {low} to {high} {many}"


def _bounds(metadata: Sequence[Any]) -> dict[str, Any]:
    kinds = ("gt", "ge", "lt", "le", "min_length", "max_length")
    return {kind: getattr(note, kind) for note in metadata for kind in kinds if getattr(note, kind, None) is not None}


def _range(bounds: dict[str, Any]) -> str:
    low = bounds.get("ge", bounds.get("gt"))
    high = bounds.get("le", bounds.get("lt"))
    if low is None and high is None:
        return ""
    if high is None:
        return f" {'≥' if 'ge' in bounds else '>'} {_number(low)}"
    if low is None:
        return f" {'≤' if 'le' in bounds else '<'} {_number(high)}"
    if "ge" in bounds and "le" in bounds:
        return f" from {_number(low)} to {_number(high)}"
    return f" in {'[' if 'ge' in bounds else '('}{_number(low)}, {_number(high)}{']' if 'le' in bounds else ')'}"


def _number(value: Any) -> str:
    if value == 2**63:
        return "2^63"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


@cache
def places(root: type[Choices], key: str) -> tuple[str, ...]:
    """Return the dotted fields below `root` that are called `key`, such as `optimizer.learning_rate`."""
    found: list[str] = []
    for name, field in root.model_fields.items():
        if name == key:
            found.append(name)
        for section in branches(field).values():
            found += (f"{name}.{place}" for place in places(section, key))
    return tuple(dict.fromkeys(found))
