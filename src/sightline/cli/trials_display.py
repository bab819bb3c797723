"""What `sightline compare` shows while trials are trained: a table that fills, or a line for each trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from sightline.cli.display import Display
    from sightline.comparison.at_once import Crew
    from sightline.comparison.plan import Plan
    from sightline.comparison.store import Row

SEEDS_SHOWN = 10
"""Columns at most; of more seeds only is shown how many are done."""
OVER = ("done", "failed")


class TrialsDisplay:
    """Shows how far the trials are."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._plan: Plan | None = None
        self._done = self._before = 0
        self._begun = time.monotonic()
        self._told = False

    def told(self, rows: Sequence[Row], plan: Plan, crew: Crew) -> None:
        """Take how far they are."""
        over = sum(row.state in OVER for row in rows)
        if plan is not self._plan:  # the search for rates has its own
            self._plan, self._before, self._begun = plan, over, time.monotonic()
            kind = "candidate" if plan.purpose else "arm"
            self._display.line(
                f"{plan.purpose or 'Comparison'}: {_count(len(plan.arms), kind)}, {_count(len(plan.seeds), 'seed')}, "
                f"{_count(len(rows), 'training')}, {over:,} of them there already; {crew.workers} at once, "
                f"{_count(crew.threads, 'thread')} each"
            )
            if crew.speeds and not self._told:
                self._told = True
                speeds = ", ".join(f"{pair}: {speed:,.0f}" for pair, speed in crew.speeds.items())
                self._display.line(f"Pictures a second in all, trainings at once x threads: {speeds}")
        says = f"{over:,} of {len(rows):,} trainings{self._left(over, len(rows))}"
        if self._display.in_place:
            self._display.table(_table(rows, plan, says))
        elif over > self._done:
            self._display.line(says)
        self._done = over

    def _left(self, over: int, rows: int) -> str:
        new = over - self._before
        if new < 1 or over == rows:
            return ""
        minutes = (time.monotonic() - self._begun) / new * (rows - over) / 60.0
        return f", about {minutes:.0f} min left" if minutes >= 1.5 else f", about {60.0 * minutes:.0f} s left"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _table(rows: Sequence[Row], plan: Plan, says: str) -> Table:
    """Return arms and seeds as a table, with the accuracy of each training that is done, in percent."""
    by_place = {(row.trial.arm, row.trial.seed): row for row in rows}
    # Above the rows, of which a terminal may have no room for the last.
    table = Table(box=None, pad_edge=False, title=says, title_justify="left")
    side = "validation" if plan.purpose else plan.side
    table.add_column(f"{side} accuracy, %")
    few = len(plan.seeds) <= SEEDS_SHOWN
    for column in [f"seed {seed}" for seed in plan.seeds] if few else ["done", "under way", "failed"]:
        table.add_column(column, justify="right")
    for arm in plan.arms:
        of = [by_place.get((arm.name, seed)) for seed in plan.seeds]
        if few:
            cells = [_cell(row, side) for row in of]
        else:
            states = [row.state for row in of if row is not None]
            cells = [str(states.count(state)) for state in ("done", "running", "failed")]
        table.add_row(arm.name, *cells)
    return table


def _cell(row: Row | None, side: str) -> str:
    if row is None:
        return "·"
    match row.state:
        case "done":
            return f"{100 * row.result['sides'][side]['accuracy']:.2f}"
        case "running":
            return "…"
        case "failed":
            return "failed"
        case _:
            return "·"
