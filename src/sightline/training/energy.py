"""The energy that a training takes, read from the machine's own counters where it has such and lets us.

Counters are of whole devices: a processor's package with all that runs on it, a graphics card. Nothing is estimated;
where there is no counter, nothing is written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows RAPL, the counters of Intel's and AMD's processors; mostly for root alone."""
EVERY = 30.0
"""Seconds between two readings: counters begin again from 0 after minutes at full load."""
LARGEST_POWER = 2000.0
"""Watts that no single device draws: a counter that says more was set back, as by a machine that slept."""
LEAST_SECONDS = 1.0
"""Below which a counter's own steps would look like a great power."""


@dataclass(frozen=True)
class Counter:
    """A counter of energy that only grows, but for beginning again from 0."""

    name: str
    read: Callable[[], float]
    """Joules since some moment.

    Raises:
        OSError, ValueError: not now.
    """
    span: float | None = None
    """Joules at which it begins again from 0; None for never."""


@dataclass(frozen=True)
class Measured:
    """What one counter has counted."""

    joules: float
    seconds: float
    """That were covered: the time between readings that can be believed."""


class Meter:
    """Adds up what counters count between `__enter__` and `__exit__`, and in between as far as `taken` asks.

    Args:
        counters: none is fine.
        clock: seconds that never go back.
        every: seconds between readings of a thread of its own; 0 for no such thread.
    """

    def __init__(
        self, counters: Sequence[Counter], *, clock: Callable[[], float] = time.monotonic, every: float = EVERY
    ) -> None:
        self._counters, self._clock, self._every = tuple(counters), clock, every
        self._last: dict[str, tuple[float, float]] = {}
        """Of each counter, when it was read and what it said."""
        self._sums: dict[str, Measured] = {}
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Meter:
        self.read()
        if self._counters and self._every > 0:
            self._thread = threading.Thread(target=self._go_on_reading, name="sightline-energy", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def read(self) -> None:
        """Read every counter, and add what it has counted since it was read last."""
        with self._lock:
            for counter in self._counters:
                try:
                    now, says = self._clock(), counter.read()
                except (OSError, ValueError):
                    self._last.pop(counter.name, None)
                    continue
                if counter.name in self._last:
                    self._add(counter, now, says)
                self._last[counter.name] = now, says

    def taken(self) -> dict[str, Measured]:
        """Read, and return what each counter has counted since this was asked last; without those that say nothing."""
        self.read()
        with self._lock:
            found, self._sums = self._sums, {}
        return found

    def _add(self, counter: Counter, now: float, says: float) -> None:
        then, said = self._last[counter.name]
        seconds, joules = now - then, says - said
        if joules < 0 and counter.span is not None:
            joules += counter.span
        if not 0 <= joules <= LARGEST_POWER * max(seconds, LEAST_SECONDS):
            return  # nobody knows what it would have said
        before = self._sums.get(counter.name, Measured(0.0, 0.0))
        self._sums[counter.name] = Measured(before.joules + joules, before.seconds + seconds)

    def _go_on_reading(self) -> None:
        while not self._over.wait(self._every):
            self.read()


def counters(device: str, *, powercap: Path = POWERCAP) -> tuple[Counter, ...]:
    """Return the counters that can be read: of the processors and their memory, and of the CUDA device in use.

    Args:
        device: that is trained on.
        powercap: Linux' folder.
    """
    return (*_of_processors(powercap), *(_of_cuda() if device == "cuda" else ()))


def _of_processors(powercap: Path) -> list[Counter]:
    """Return packages and their memory. Cores are part of the package, and the platform counts all of it once more."""
    found = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        above = zone.name.rpartition(":")[0]
        try:
            name = (zone / "name").read_text(encoding="ascii").strip()
            if ":" not in above and name.startswith("package"):
                called = name
            elif ":" in above and name == "dram":
                package = (powercap / above / "name").read_text(encoding="ascii").strip()
                called = f"{package} memory"
            else:
                continue
            span = int((zone / "max_energy_range_uj").read_text(encoding="ascii")) / 1e6
            counter = Counter(called, _reader(zone / "energy_uj"), span)
            counter.read()
        except (OSError, ValueError):  # for root alone, or not there
            continue
        found.append(counter)
    return found


def _reader(path: Path) -> Callable[[], float]:
    return lambda: int(path.read_text(encoding="ascii")) / 1e6


def _of_cuda() -> tuple[Counter, ...]:
    """Return NVML's counter of the current CUDA device, where NVIDIA's bindings are installed and it has one."""
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        about = torch.cuda.get_device_properties(torch.cuda.current_device())
        # By its own number: CUDA_VISIBLE_DEVICES gives torch other places than NVML has.
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{about.uuid}")

        def read() -> float:
            try:
                return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
            except pynvml.NVMLError as error:
                raise OSError(str(error)) from error

        read()
    except Exception:  # no bindings, no driver, or a device without a counter
        return ()
    return (Counter(str(about.name), read),)
