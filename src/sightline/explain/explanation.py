"""From the name of a topic to its explanation, and from that to text."""

from __future__ import annotations

import difflib
import json
import re
import textwrap
from dataclasses import dataclass

from sightline.errors import RecipeError
from sightline.explain.docstring import read
from sightline.explain.topics import TOPICS, Topic

_WIDTH = 100


@dataclass(frozen=True)
class Explanation:
    """What there is to know of one topic, in plain words."""

    topic: str
    group: str
    name: str
    """As the papers call it."""
    title: str
    """What it does, in a sentence."""
    body: str
    """Prose and, indented by four, equations; lines kept."""
    equation: str
    """The equations of the body alone."""
    symbols: tuple[tuple[str, str], ...]
    """What each setting is: (name, meaning with unit and range)."""
    torch: str
    """What differs from torch."""
    slides: str
    """What differs from the lecture's slides."""
    source: str
    """The paper."""
    where: str
    """File, line and function that run it."""
    test: str
    """File that proves it."""
    heading: str
    """Of the lecture."""
    recipe: str
    """A line of TOML that chooses it, with other values that belong to the topic as a comment."""
    command: str
    """The option of the command line that chooses it."""
    aliases: tuple[str, ...]


def explain(topic: str) -> Explanation:
    """Return what `topic` means: a name or an alias in any spelling, such as "He", "kaiming" or "batch norm".

    Raises:
        RecipeError: there is no such topic; the message names the nearest and lists all.
    """
    found = _find(topic)
    text = read(found.file, found.function)
    first, *others = (json.dumps(value) for value in found.values)
    return Explanation(
        topic=found.name,
        group=found.group,
        name=text.name,
        title=text.title,
        body=text.body,
        equation=text.equation,
        symbols=text.symbols,
        torch=text.paragraphs["Torch"],
        slides=text.paragraphs["Slides"],
        source=text.paragraphs["Source"],
        where=f"sightline/{found.file}, line {text.line}, {found.function}",
        test=found.test,
        heading=found.heading,
        recipe=f"{found.field} = {first}" + (f"  # or {', '.join(others)}" if others else ""),
        command=f"--set {found.field}={found.values[0]}",
        aliases=found.aliases,
    )


def as_text(explanation: Explanation) -> str:
    """Return the explanation as text of at most 100 columns; equations keep their lines."""
    settings = [("Recipe", explanation.recipe), ("Command", explanation.command)]
    settings += [("Runs in", explanation.where), ("Proved by", explanation.test), ("Lecture", explanation.heading)]
    parts = [_wrapped(f"{explanation.name}: {explanation.title}"), _narrowed(explanation.body)]
    if explanation.symbols:
        parts.append("\n".join(_wrapped(text, label=f"  {name}: ") for name, text in explanation.symbols))
    differences = [("Torch", explanation.torch), ("Slides", explanation.slides), ("Source", explanation.source)]
    parts += [_wrapped(text, label=f"{name}: ") for name, text in differences]
    parts.append("\n".join(_wrapped(text, label=f"{name + ':':<11}") for name, text in settings))
    return "\n\n".join(parts)


def listed() -> str:
    """Return all topics by group, each with its sentence."""
    widest = max(len(topic.name) for topic in TOPICS)
    parts = []
    for group in dict.fromkeys(topic.group for topic in TOPICS):
        rows = [
            _wrapped(read(topic.file, topic.function).title, label=f"  {topic.name:<{widest}}  ")
            for topic in TOPICS
            if topic.group == group
        ]
        parts.append("\n".join([group, *rows]))
    return "\n\n".join(parts)


def _find(wanted: str) -> Topic:
    names = {_spelled(name): topic for topic in TOPICS for name in (topic.name, *topic.aliases)}
    spelled = _spelled(wanted)
    if spelled in names:
        return names[spelled]
    in_group = [topic.name for topic in TOPICS if _spelled(topic.group) == spelled]
    if in_group:
        raise RecipeError(f"explain: found {wanted!r}, which has several topics; wanted one of {', '.join(in_group)}.")
    near = difflib.get_close_matches(spelled, names, n=1)
    hint = f" Did you mean {names[near[0]].name}?" if near else ""
    everything = ", ".join(topic.name for topic in TOPICS)
    raise RecipeError(f"explain: found {wanted!r}, which is no topic.{hint} Wanted one of {everything}.")


def _spelled(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _wrapped(text: str, *, label: str = "") -> str:
    indent = " " * min(len(label), 24)
    return textwrap.fill(
        text, _WIDTH, initial_indent=label, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _narrowed(body: str) -> str:
    """Return `body` with its prose wrapped and its equations left as they are."""
    blocks = re.split(r"\n\s*\n", body)
    return "\n\n".join(block if block.startswith(" ") else _wrapped(" ".join(block.split())) for block in blocks)
