"""Stopping and going on as a user does it: signals to a process, and `sightline resume`."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import COMMAND, fails, sightline

TRAIN = ["--epochs", "12", "--set", "network=lenet", "--set", "training.threads=1", "--set", "augmentation=none"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    done = sightline("train", "digits", "--out", out, *TRAIN, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    assert "Bits:  " in done.stdout
    return out


def begun(out: Path, until: str) -> subprocess.Popen[str]:
    """Begin to train, and return the process when it has printed `until`."""
    command = [*COMMAND, "train", "digits", "--out", str(out), *TRAIN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(until):
            return process
    raise AssertionError(process.communicate())


def assert_same(run: Path, whole: Path) -> None:
    for name in ("model.safetensors", "events.jsonl", "recipe.toml", "catalogue.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_stops_after_the_step_and_resume_finishes_to_the_same_bits(number, code, whole, tmp_path):
    process = begun(tmp_path / "run", "epoch   3")
    process.send_signal(number)
    said, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Stopping after this step" in error
    assert "Traceback" not in error
    assert f"Go on with: sightline resume {tmp_path / 'run'}" in said
    assert not (tmp_path / "run" / ".lock").exists()
    done = sightline("resume", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Going on after step" in done.stdout
    assert_same(tmp_path / "run", whole)
    fails(sightline("resume", tmp_path / "run", cwd=tmp_path), 3, "this run is finished")


def killed_and_resumed(whole: Path, out: Path, chance: random.Random) -> None:
    process = begun(out, f"epoch  {chance.randrange(1, 10):>2}")
    time.sleep(chance.random() * 0.3)
    process.kill()
    process.communicate()
    done = sightline("resume", out, "--quiet", cwd=out.parent)
    if done.returncode:
        fails(done, 3, "this run is finished")
    assert_same(out, whole)


def test_killed_at_any_instant_and_resumed_the_bits_are_the_same(whole, tmp_path):
    killed_and_resumed(whole, tmp_path / "run", random.Random(11))


@pytest.mark.slow
def test_killed_at_two_hundred_instants(whole, tmp_path):
    chance = random.Random(12)
    for number in range(200):
        killed_and_resumed(whole, tmp_path / str(number), chance)


def test_a_place_without_a_run_is_one_sentence(tmp_path):
    fails(sightline("resume", tmp_path, cwd=tmp_path), 3, "found no run there")
