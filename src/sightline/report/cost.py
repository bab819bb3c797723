"""What a training cost, as its own clock has noted it: time and speed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.training import directory


@dataclass(frozen=True)
class Cost:
    """What was measured; nothing is estimated."""

    seconds: float
    """That the training took, all of its processes together."""
    images_per_second: float | None
    """Pictures trained on per second of whole epochs, judging included; None where none was noted."""


def read(path: Path) -> Cost:
    """Return what the times of the run at `path` come to; a line that cannot be read is left out."""
    seconds = timed = images = 0.0
    for line in _lines(path):
        took, speed = _number(line, "seconds"), _number(line, "images_per_second")
        seconds += took
        if speed:
            timed, images = timed + took, images + speed * took
    return Cost(seconds, images / timed if timed else None)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        lines = (path / directory.TIMES).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:  # torn, as a full disk leaves it
            continue
        if isinstance(found, dict):
            yield found


def _number(line: Mapping[str, Any], key: str) -> float:
    value = line.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
