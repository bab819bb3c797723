"""The table that fills while trials are trained."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sightline.cli.display import Display, Screen
from sightline.cli.trials_display import TrialsDisplay
from sightline.comparison.at_once import Crew
from sightline.comparison.store import Row, State, Trial

CREW = Crew(2, 1, {"1 x 2": 900.0, "2 x 1": 1500.0})


def plan(seeds: int, purpose: str = "") -> Any:
    arms = [SimpleNamespace(name=name) for name in ("sigmoid", "relu")]
    return SimpleNamespace(arms=arms, seeds=range(seeds), side="test", purpose=purpose)


def row(arm: str, seed: int, state: State, accuracy: float = 0.0) -> Row:
    result = {"sides": {"test": {"accuracy": accuracy}}} if state == "done" else {}
    return Row(Trial(f"{arm}{seed}", arm, seed, ""), state, 1, "", result)


@pytest.fixture
def terminal(monkeypatch) -> tuple[Display, io.StringIO]:
    """Return a display on a terminal, and what arrives there."""
    arrived = io.StringIO()
    shown = Display(quiet=False)
    monkeypatch.setattr(
        shown,
        "_console",
        Console(file=arrived, force_terminal=True, force_interactive=True, width=100, highlight=False),
    )
    return shown, arrived


ROWS = [
    row("sigmoid", 0, "done", 0.7857),
    row("relu", 0, "running"),
    row("sigmoid", 1, "failed"),
    row("relu", 1, "waiting"),
]


def test_on_a_terminal_each_training_has_its_place(terminal) -> None:
    display, arrived = terminal
    with display:
        TrialsDisplay(display).told(ROWS, plan(2), CREW)
    lines = [line.split() for line in arrived.getvalue().splitlines()]
    sigmoid, relu = ([line for line in lines if line[:1] == [name]][-1] for name in ("sigmoid", "relu"))
    assert sigmoid[1:3] == ["78.57", "failed"]
    assert relu[1:3] == ["…", "·"]
    assert "seed 0" in arrived.getvalue()
    assert "2 of 4 trainings" in arrived.getvalue()
    assert "1 x 2: 900, 2 x 1: 1,500" in arrived.getvalue()


def test_a_training_that_is_not_there_yet_leaves_its_place_open(terminal) -> None:
    display, arrived = terminal
    with display:
        TrialsDisplay(display).told([row("relu", 1, "done", 0.5)], plan(2), CREW)
    lines = [line.split() for line in arrived.getvalue().splitlines()]
    assert [line for line in lines if line[:1] == ["relu"]][-1][1:3] == ["·", "50.00"]


def test_where_the_terminal_is_low_how_far_it_is_can_still_be_seen(monkeypatch) -> None:
    arrived = io.StringIO()
    display = Display(quiet=False)
    low = Console(file=arrived, force_terminal=True, force_interactive=True, width=100, height=6, highlight=False)
    monkeypatch.setattr(display, "_console", low)
    many = SimpleNamespace(
        arms=[SimpleNamespace(name=f"arm {n}") for n in range(20)], seeds=range(2), side="test", purpose=""
    )
    with display:
        TrialsDisplay(display).told([row("arm 0", 0, "done", 0.5)], many, Crew(1, 1, {}))
    assert "1 of 1 trainings" in arrived.getvalue()


@pytest.mark.parametrize("quiet", [True, False])
def test_a_terminal_that_can_move_no_cursor_has_lines(monkeypatch, quiet: bool) -> None:
    monkeypatch.setenv("TERM", "dumb")
    display = Display(quiet=quiet)
    dumb = Console(file=io.StringIO(), force_terminal=True, quiet=quiet)
    monkeypatch.setattr(display, "_console", dumb)
    assert not display.in_place


def test_a_search_shows_what_it_is_judged_by_and_no_test(terminal) -> None:
    display, arrived = terminal
    result = {"sides": {"test": {"accuracy": 0.1}, "validation": {"accuracy": 0.9}}}
    rows = [Row(Trial("x", "relu", 0, ""), "done", 1, "", result)]
    with display:
        shown = TrialsDisplay(display)
        shown.told(rows, plan(1, "Search for rates"), CREW)
        shown.told(rows, plan(1), Crew(2, 1, CREW.speeds))
    said = arrived.getvalue()
    assert "Search for rates: 2 candidates, 1 seed, 1 training, 1 of them there already; 2 at once, 1 thread each" in (
        " ".join(said.split())
    )
    search, _, comparison = said.partition("Comparison: 2 arms")
    assert "90.00" in search
    assert "10.00" not in search
    assert "validation accuracy" in search
    assert "10.00" in comparison
    assert said.count("Pictures a second") == 1


def test_of_many_seeds_is_shown_how_many_are_done(terminal) -> None:
    display, arrived = terminal
    rows = [row(arm, seed, "done" if seed < 7 else "running", 0.5) for seed in range(12) for arm in ("sigmoid", "relu")]
    with display:
        TrialsDisplay(display).told(rows, plan(12), CREW)
    sigmoid = [line.split() for line in arrived.getvalue().splitlines() if line.startswith("sigmoid")][-1]
    assert sigmoid[1:4] == ["7", "5", "0"]
    assert "seed 0" not in arrived.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_training(monkeypatch) -> None:
    arrived = io.StringIO()
    display = Display(quiet=False)
    monkeypatch.setattr(display, "_console", Screen(file=arrived, width=200))
    shown = TrialsDisplay(display)
    part = plan(2)
    shown.told([row("sigmoid", 0, "running")], part, CREW)
    shown.told([row("sigmoid", 0, "running")], part, CREW)
    shown.told([row("sigmoid", 0, "done", 0.5)], part, CREW)
    assert arrived.getvalue().count("of 1 trainings") == 1
    assert "78" not in arrived.getvalue()
