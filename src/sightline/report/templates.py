"""The pages' templates, which share head, style and filters."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from sightline.report.sentences import percent


def template(name: str) -> Any:
    """Return a template of this folder by its file's name; whatever it shows is escaped."""
    return _environment().get_template(name)


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["grouped"] = lambda number: f"{number:,}"
    return environment


def _text(name: str) -> str:
    return files("sightline.report").joinpath(name).read_text(encoding="utf-8")
