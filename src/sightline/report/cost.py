"""What a training cost, as its clock and the machine's counters have noted it: time, speed, energy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.training import directory

JOULES_PER_WATT_HOUR = 3600
NEARLY = 0.95
"""Share of the time that a counter covers without a word about the rest."""


@dataclass(frozen=True)
class Energy:
    """What one counter has counted."""

    counter: str
    joules: float
    seconds: float
    """That it was read over."""

    @property
    def watt_hours(self) -> float:
        """The same in the unit of a bill's thousandth."""
        return self.joules / JOULES_PER_WATT_HOUR


@dataclass(frozen=True)
class Cost:
    """What was measured; nothing is estimated."""

    seconds: float
    """That the training took, all of its processes together."""
    images_per_second: float | None
    """Pictures trained on per second of whole epochs, judging included; None where none was noted."""
    machines: tuple[str, ...]
    """That it ran on, such as `NVIDIA H200`; several where it went on elsewhere, none where that was not noted."""
    energy: tuple[Energy, ...]

    @property
    def watt_hours(self) -> float | None:
        """Of all counters together, none of which is part of another; None where there was none."""
        return sum(each.watt_hours for each in self.energy) if self.energy else None

    @property
    def says(self) -> str:
        """What is known of the energy, in a sentence."""
        if self.watt_hours is None:
            if not self.machines:
                return "Its energy was not measured."
            return "This machine shows no energy counter that the training could read: its energy is not known."
        parts = ", ".join(f"{each.counter} {amount(each.watt_hours)}" for each in self.energy)
        covered = min(each.seconds for each in self.energy)
        of = f", read over {covered:,.1f} s of it only" if covered < NEARLY * self.seconds else ""
        return (
            f"Energy by the machine's counters, sealing included{of}: {amount(self.watt_hours)} ({parts}). They count "
            "whole devices, with whatever else ran on them, and nothing of the rest of the machine."
        )


def amount(watt_hours: float) -> str:
    """Return an energy with its unit."""
    return f"{watt_hours:,.3g} Wh" if watt_hours < 1000 else f"{watt_hours / 1000:,.3g} kWh"


def read(path: Path) -> Cost:
    """Return what the times of the run at `path` come to; a line that cannot be read is left out."""
    seconds = timed = images = 0.0
    machines: dict[str, None] = {}
    joules: dict[str, float] = {}
    covered: dict[str, float] = {}
    for line in _lines(path):
        took, speed = _number(line, "seconds"), _number(line, "images_per_second")
        seconds += took
        if speed:
            timed, images = timed + took, images + speed * took
        match line:
            case {"event": "machine", "name": str(name)}:
                machines[_machine(name, line)] = None
            case {"event": "energy", "counters": {**counters}}:
                for counter, counted in counters.items():
                    if isinstance(counted, dict):
                        joules[str(counter)] = joules.get(str(counter), 0.0) + _number(counted, "joules")
                        covered[str(counter)] = covered.get(str(counter), 0.0) + _number(counted, "seconds")
    energy = tuple(Energy(name, counted, covered[name]) for name, counted in joules.items())
    return Cost(seconds, images / timed if timed else None, tuple(machines), energy)


def _machine(name: str, line: Mapping[str, Any]) -> str:
    threads = line.get("threads")
    if line.get("device") != "cpu" or not isinstance(threads, int):
        return name
    return f"{name}, {threads} thread{'' if threads == 1 else 's'}"


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
