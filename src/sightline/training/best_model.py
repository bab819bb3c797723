"""When the best weights so far go into the model file: at once, or a little later where epochs are short."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sightline.training.metrics import Metrics

SHARE = 0.05
"""Of the time that writing may take at most before the end: epochs on cached features are as short as it is."""


class BestModel:
    """Has the best weights written, so that whatever ends a training early leaves good ones.

    Args:
        write: puts them into the model file, with metrics by side.
    """

    def __init__(self, write: Callable[[Mapping[str, Metrics]], None]) -> None:
        self._write = write
        self._waiting: Mapping[str, Metrics] | None = None
        self._last = float("-inf")
        self._seconds = 0.0

    def keep(self, validation: Metrics | None) -> None:
        """Write the weights that are the best now, unless it was done so recently that it would slow the training."""
        self._waiting = {} if validation is None else {"validation": validation}
        if time.monotonic() - self._last >= self._seconds / SHARE:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self._waiting is not None:
            begun = time.monotonic()
            self._write(self._waiting)
            self._waiting, self._last = None, time.monotonic()
            self._seconds = self._last - begun
