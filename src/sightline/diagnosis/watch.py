"""Watching a training: probes at some of its steps, and what is found in all that its log says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sightline.diagnosis.finding import Finding
from sightline.diagnosis.findings import diagnose
from sightline.diagnosis.history import History
from sightline.diagnosis.moments import probed
from sightline.diagnosis.probe import Probe


class Watch:
    """Looks at a network around some steps, and tells each fault once.

    Args:
        history: what the log says so far; whoever writes the log adds what comes.
        probe: makes what looks at the network; asked for when the first probe is due.
        steps: of the whole training.
    """

    def __init__(self, history: History, probe: Callable[[], Probe], *, steps: int) -> None:
        self.history = history
        self._make, self._steps = probe, steps
        self._probe: Probe | None = None
        self._due = 0

    def before(self, step: int) -> None:
        """Look at the network before a step, where that is probed. Wanted before every step, this is fast."""
        if not probed(step, self._steps):
            return
        if self._probe is None:
            self._probe = self._make()
        self._probe.before()
        self._due = step

    def after(self, step: int, rate: float) -> dict[str, Any] | None:
        """Return what the log takes of a step that was probed; None of any other."""
        if self._due != step or self._probe is None:
            return None
        self._due = 0
        return self._probe.after(rate)

    def found(self) -> Iterator[Finding]:
        """Yield what was not found before. Whoever takes it writes it to the log."""
        known = {(each["code"], each.get("layer", "")) for each in self.history.found}
        for finding in diagnose(self.history):
            if (finding.code, finding.layer) not in known:
                yield finding
