"""`docs/lecture.md` says what the topics say, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sightline.explain import TOPICS
from sightline.explain.lecture_map import main, markdown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "lecture.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), (
        "docs/lecture.md is stale: python -m sightline.explain.lecture_map docs/lecture.md"
    )


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", markdown())
    assert len(links) == 2 * len(TOPICS)
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []


def test_every_row_has_five_cells() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| ") and not line.startswith("| topic")]
    assert len(rows) == len(TOPICS)
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_the_page_is_written_where_it_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path / "lecture.md")])
    main([])
    assert (tmp_path / "lecture.md").read_text(encoding="utf-8") == capsys.readouterr().out == markdown()
