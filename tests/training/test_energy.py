"""Counters of energy against a made-up folder of Linux: which are read, how they begin again, what is not believed."""

import json
import sys
import time
import types
from pathlib import Path

import pytest

import sightline as package
from sightline.report import cost
from sightline.training import energy
from sightline.training.energy import LARGEST_POWER, Counter, Measured, Meter, counters

SPAN = 262_143_328_850


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def zone(folder: Path, place: str, name: str, microjoules: int) -> Path:
    path = folder / place
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{SPAN}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    return path / "energy_uj"


@pytest.fixture
def powercap(tmp_path):
    """Two packages as a server has them, and what counts the same energy once more."""
    folder = tmp_path / "powercap"
    return folder, {
        name: zone(folder, place, name, 1_000_000)
        for place, name in [
            ("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:0:1", "dram"),
            ("intel-rapl:1", "package-1"), ("intel-rapl:2", "psys"), ("intel-rapl-mmio:0", "package-0 again"),
        ]
    }  # fmt: skip


def metered(folder: Path, clock: Clock) -> Meter:
    return Meter(counters("cpu", powercap=folder), clock=clock, every=0)


def test_packages_and_their_memory_are_read_and_nothing_twice(powercap):
    folder, _ = powercap
    assert [each.name for each in counters("cpu", powercap=folder)] == ["package-0", "package-0 memory", "package-1"]
    assert counters("cpu", powercap=folder / "nowhere") == ()


def test_what_is_for_root_alone_is_left_out(powercap):
    folder, files = powercap
    files["package-0"].unlink()
    files["package-0"].mkdir()  # which cannot be read either, whoever asks
    files["dram"].write_text("many\n")
    assert [each.name for each in counters("cpu", powercap=folder)] == ["package-1"]


def test_energy_is_what_was_counted_and_given_out_once(powercap):
    folder, files = powercap
    clock = Clock()
    with metered(folder, clock) as meter:
        clock.now += 10
        files["package-0"].write_text("501000000\n")
        files["package-1"].write_text("3500000\n")
        first = meter.taken()
        assert first["package-0"] == Measured(pytest.approx(500.0), pytest.approx(10.0))
        assert first["package-0 memory"].joules == 0
        assert first["package-1"].joules == pytest.approx(2.5)
        clock.now += 5
        files["package-0"].write_text("601000000\n")
        assert meter.taken()["package-0"] == Measured(pytest.approx(100.0), pytest.approx(5.0))


def test_a_counter_begins_again_from_nothing(powercap):
    folder, files = powercap
    clock = Clock()
    files["package-0"].write_text(f"{SPAN - 300_000_000}\n")
    with metered(folder, clock) as meter:
        clock.now += 30
        files["package-0"].write_text("700000000\n")
        assert meter.taken()["package-0"] == Measured(pytest.approx(1000.0), pytest.approx(30.0))


def test_a_counter_that_was_set_back_is_not_believed(powercap):
    """After a sleep it is at 0; taken for an overflow, it would have counted 262 kJ."""
    folder, files = powercap
    clock = Clock()
    files["package-0"].write_text("9000000000\n")
    with metered(folder, clock) as meter:
        clock.now += 30
        files["package-0"].write_text("0\n")
        meter.read()
        clock.now += 10
        files["package-0"].write_text("200000000\n")
        assert meter.taken()["package-0"] == Measured(pytest.approx(200.0), pytest.approx(10.0))
    assert SPAN / 1e6 - 9000 > LARGEST_POWER * 30


def test_a_reading_that_fails_leaves_its_time_out(powercap):
    folder, files = powercap
    clock = Clock()
    with metered(folder, clock) as meter:
        files["package-1"].write_text("")
        clock.now += 10
        meter.read()
        files["package-1"].write_text("50000000\n")
        clock.now += 10
        meter.read()
        files["package-1"].write_text("80000000\n")
        clock.now += 10
        assert meter.taken()["package-1"] == Measured(pytest.approx(30.0), pytest.approx(10.0))


def test_long_epochs_are_read_in_between():
    """Two rounds of the counter within an epoch would look like none; the thread of the meter sees both."""
    reads = 0

    def read() -> float:
        nonlocal reads
        reads += 1
        return 60.0 * reads % 100.0

    with Meter([Counter("wheel", read, span=100.0)], every=0.005) as meter:
        end = time.monotonic() + 60
        while reads < 7 and time.monotonic() < end:
            time.sleep(0.005)
        found = meter.taken()["wheel"].joules
    assert found >= 60.0 * 6
    assert found % 60.0 == pytest.approx(0.0, abs=1e-6)


def test_a_cuda_device_is_asked_for_by_its_own_number(monkeypatch):
    asked, says = [], [5_000, 12_500]
    fake = types.SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: asked.append(uuid) or "handle",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: says[0] if len(says) == 1 else says.pop(0),
    )
    about = types.SimpleNamespace(uuid="12-34", name="NVIDIA Something")
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 0)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: about)
    (counter,) = counters("cuda", powercap=Path("/nowhere"))
    assert asked == ["GPU-12-34"]
    assert counter.name == "NVIDIA Something"
    assert counter.read() == 12.5
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert counters("cuda", powercap=Path("/nowhere")) == ()


def test_a_training_notes_what_its_counters_say_apart_from_what_lasts(powercap, tmp_path, monkeypatch):
    folder, files = powercap
    monkeypatch.setattr(energy, "counters", lambda device: counters(device, powercap=folder))
    monkeypatch.setattr(energy, "LARGEST_POWER", 1e9)
    steps = iter(range(2, 10_000))
    read = energy.Meter.read

    def counted(self: Meter) -> None:
        files["package-1"].write_text(f"{next(steps) * 7_200_000_000}\n")
        read(self)

    files["package-1"].write_text("7200000000\n")
    monkeypatch.setattr(energy.Meter, "read", counted)
    quick = {"network": "lenet", "training.epochs": 2, "training.threads": 1}
    run = package.train("digits", quick, out=tmp_path / "run").path
    found = cost.read(run)
    assert [each.counter for each in found.energy] == ["package-0", "package-0 memory", "package-1"]
    # Three times what was counted in between: after each epoch and at the end, 2 Wh each.
    assert found.watt_hours == pytest.approx(6.0)
    assert "6 Wh (package-0 0 Wh, package-0 memory 0 Wh, package-1 6 Wh)" in found.says
    plain = package.train("digits", quick, out=tmp_path / "again").path
    assert (run / "SHA256SUMS").read_text() == (plain / "SHA256SUMS").read_text()


def test_without_a_counter_the_report_says_so(tmp_path):
    lines = [
        {"event": "machine", "device": "cpu", "name": "Some <b>processor</b>", "threads": 2, "energy": []},
        {"event": "started", "seconds": 0.5},
        {"event": "epoch", "seconds": 10.0, "images_per_second": 100.0},
        {"event": "epoch", "seconds": 30.0, "images_per_second": 20.0},
    ]
    (tmp_path / "times.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "ep')
    found = cost.read(tmp_path)
    assert found.seconds == pytest.approx(40.5)
    assert found.images_per_second == pytest.approx((1000 + 600) / 40)
    assert found.machines == ("Some <b>processor</b>, 2 threads",)
    assert found.watt_hours is None
    assert "shows no energy counter" in found.says
    lines.append({"event": "energy", "counters": {"package-0": {"joules": 7200.0, "seconds": 20.0}}})
    (tmp_path / "times.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = cost.read(tmp_path)
    assert found.watt_hours == pytest.approx(2.0)
    assert "read over 20.0 s of it only: 2 Wh (package-0 2 Wh)" in found.says
    assert cost.read(tmp_path / "nowhere").says == "Its energy was not measured."
