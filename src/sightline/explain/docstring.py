"""Docstrings as data, read from the source without importing it, so that no torch is loaded."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from functools import cache
from importlib import resources

PARAGRAPHS = ("Args", "Returns", "Raises", "Torch", "Slides", "Source")
_START = re.compile(rf"^({'|'.join(PARAGRAPHS)}):[ ]*\n?", re.MULTILINE)
_SYMBOL = re.compile(r"^(\w+):\s*", re.MULTILINE)


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring in this project's layout."""

    line: int
    """Of the function in its file, from 1."""
    name: str
    """Before the first colon."""
    title: str
    """The rest of the first line."""
    body: str
    """What follows up to the first named paragraph, lines and indents kept: prose, and equations indented by four."""
    symbols: tuple[tuple[str, str], ...]
    """The arguments and what they mean."""
    paragraphs: dict[str, str]
    """The named paragraphs, each on one line."""

    @property
    def equation(self) -> str:
        """The indented blocks of the body."""
        blocks = [block for block in re.split(r"\n\s*\n", self.body) if block.startswith("    ")]
        return "\n\n".join(textwrap.dedent(block) for block in blocks)


def read(file: str, function: str) -> Docstring:
    """Return the docstring of `function` in `file`, a path inside the package.

    Raises:
        LookupError: there is no such function, or it has no docstring.
    """
    for node in _module(file).body:
        if isinstance(node, ast.FunctionDef) and node.name == function and (text := ast.get_docstring(node)):
            return parse(text, line=node.lineno)
    raise LookupError(f"{file}: found no documented function {function}")


def parse(text: str, *, line: int = 1) -> Docstring:
    """Return the parts of a cleaned docstring."""
    first, _, rest = text.partition("\n")
    name, _, title = first.partition(": ")
    body, *named = _START.split(rest)
    paragraphs = dict(zip(named[::2], named[1::2], strict=True))
    symbols = _symbols(paragraphs.pop("Args", ""))
    return Docstring(
        line, name, title, body.strip("\n"), symbols, {key: _flat(part) for key, part in paragraphs.items()}
    )


@cache
def _module(file: str) -> ast.Module:
    return ast.parse(resources.files("sightline").joinpath(file).read_text(encoding="utf-8"))


def _symbols(arguments: str) -> tuple[tuple[str, str], ...]:
    _, *parts = _SYMBOL.split(textwrap.dedent(arguments))
    return tuple((name, _flat(meaning)) for name, meaning in zip(parts[::2], parts[1::2], strict=True))


def _flat(text: str) -> str:
    return " ".join(text.split())
