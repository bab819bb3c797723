"""When things happened, apart from the log: clocks differ between runs that are otherwise the same to the last bit."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType


def append(path: Path, line: Mapping[str, object]) -> None:
    """Add a line to `times.jsonl`; one that cannot be written is left out."""
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


class Times:
    """`times.jsonl` of a run: one JSON object a line, which is only ever added to.

    `at` is the wall clock's word. Durations are of a clock that never goes backwards, so that none is negative whatever
    happens to the wall clock. Nothing is read from here to go on with, and a line that cannot be written is left out: a
    disk that fails is told of by the log and the checkpoints.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = self._last = time.monotonic()

    def write(self, event: str, *, images: int = 0, **values: object) -> None:
        """Add what happened, the seconds since the line before and since this process began, and the speed.

        Args:
            event: its name.
            images: pictures trained on since the line before; 0 gives no speed.
            values: anything else, as JSON.
        """
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        line = {
            "event": event,
            **values,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(elapsed, 3),
            "since_start": round(now - self._begun, 3),
        }
        if images:
            line["images_per_second"] = round(images / max(elapsed, 1e-9), 1)
        append(self._path, line)

    def __enter__(self) -> Times:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, GeneratorExit):
            self.write("failed", says=f"{type(error).__name__}: {error}")
