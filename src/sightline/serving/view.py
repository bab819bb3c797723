"""What a reader of a run's page sees, from the run's files alone, whichever process writes them."""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline import report
from sightline.report import Story
from sightline.training import directory

State = Literal["preparing", "training", "finished", "failed", "gone"]
FILES = (
    directory.RECIPE,
    directory.CATALOGUE,
    directory.EVENTS,
    directory.MODEL,
    directory.SHEET,
    directory.TRANSFER_PLOT,
)
"""Those that a page is made of, as far as they come one after the other."""
WAITING = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<script src="/watch.js" defer></script>
<title>{name} · Sightline</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 62rem; padding: 1rem 1.25rem; font: 1rem/1.5 system-ui, sans-serif; }}
</style>
</head>
<body>
<p class="live" id="live" role="status">{says}</p>
<header><h1>{name}</h1><p>The training has not begun: there is nothing to show yet.</p></header>
<main></main>
</body>
</html>
"""


@dataclass(frozen=True)
class View:
    """A page and where its run stands."""

    state: State
    says: str
    """The state in words."""
    page: bytes
    at_work: bool = False
    """Whether a process is at work in the run."""

    @property
    def tag(self) -> str:
        """What tells this page from others."""
        return hashlib.blake2b(self.page, digest_size=8).hexdigest()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: a process at work is about to take the place of a run that is over."""
        return self.state in ("finished", "failed") and not self.at_work

    def event(self, kind: str = "message") -> bytes:
        """Return the view as an event of `text/event-stream`, without its page."""
        # JSON has no line feed, which would end the event's data.
        data = json.dumps({"state": self.state, "says": self.says, "tag": self.tag})
        return f"event: {kind}\ndata: {data}\n\n".encode()


def look(path: Path) -> View:
    """Return the view of a run.

    Raises:
        DataError: `path` is no run, or its files cannot be read.
    """
    at_work = directory.at_work(path)
    if not (path / directory.RECIPE).is_file() and at_work:
        says = "the pictures are being read"
        page = WAITING.format(name=html.escape(path.resolve().name), says=says)
        return View("preparing", says, page.encode(), at_work)
    story = report.read(path)
    state, says = _standing(story)
    return View(state, says, report.render(story, live=says).encode(), at_work)


@dataclass(frozen=True)
class Trace:
    """What is another one whenever the view of a run may be."""

    at_work: bool
    """Whether a process is at work in the run."""
    stamps: tuple[tuple[int, int, int] | None, ...]
    """Size, time and number of the files; None for one that is not there."""


def trace(path: Path) -> Trace:
    """Return the trace of a run, for which no file is opened that is large."""
    return Trace(directory.at_work(path), tuple(_stamp(path / name) for name in FILES))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _standing(story: Story) -> tuple[State, str]:
    if story.finished:
        return "finished", "finished"
    if story.failure:
        return "failed", "the training failed"
    if not story.under_way:
        return "gone", f"the training process is gone; sightline resume {story.path} goes on"
    done, most = len(story.epochs), "at most " if story.recipe.training.early_stopping else ""
    if not story.planned:
        return "training", "the training begins"
    if done >= story.planned:
        return "training", "trained; what was held out is being judged"
    return "training", f"training, epoch {done + 1:,} of {most}{story.planned:,}"
