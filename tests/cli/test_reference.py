"""The generated page of commands is what the commands say."""

from pathlib import Path

import pytest

from sightline.cli.main import COMMANDS
from sightline.cli.reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "stale: run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert f"## sightline {name}" in PAGE.read_text(encoding="utf-8")
