"""Stopping and going on as a user does it: signals to a process, and `sightline resume`."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import COMMAND, fails, forked, sightline

TRAIN = [
    "--epochs",
    "6",
    "--set",
    "training.checkpoint_steps=20",
    "--set",
    "network=lenet",
    "--set",
    "training.threads=1",
    "--set",
    "augmentation=none",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    done = sightline("train", "digits", "--out", out, *TRAIN, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    assert "Bits:  " in done.stdout
    return out


def begun(out: Path, until: str, *options: str) -> subprocess.Popen[str]:
    """Begin to train, and return the process when it has printed `until`."""
    command = [*COMMAND, "train", "digits", "--out", str(out), *TRAIN, *options]
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


def test_killed_at_any_instant_and_resumed_the_bits_are_the_same(whole, tmp_path):
    chance = random.Random(11)
    process = begun(tmp_path / "run", f"epoch  {chance.randrange(1, 6):>2}")
    time.sleep(chance.random() * 0.3)
    process.kill()
    process.communicate()
    done = sightline("resume", tmp_path / "run", "--quiet", cwd=tmp_path)
    if done.returncode:
        fails(done, 3, "this run is finished")
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
def test_killed_at_two_hundred_instants_of_the_training(whole, tmp_path):
    """A run is killed again and again, from its first checkpoint to its last step, and then left to come to its end."""
    chance, kills, runs = random.Random(12), 0, 0
    seconds = 0.0
    while kills < 200:
        runs += 1
        out, log = tmp_path / str(runs), tmp_path / f"{runs}.log"
        log.touch()
        command = ["train", "digits", "--out", out, *TRAIN, "--resume", "auto"]
        for _ in range(8 if seconds else 0):  # the first run is left alone, to see how long it takes
            said = log.stat().st_size
            process = forked(log, *command)
            while process.is_alive() and b"Training lenet" not in log.read_bytes()[said:]:
                time.sleep(0.005)
            process.join(chance.random() * 0.6 * seconds)
            process.kill()
            process.join()
            if process.exitcode == 0:
                break
            kills += 1
        process = forked(log, *command)
        process.join()
        assert process.exitcode == 0, log.read_text()
        assert "Traceback" not in log.read_text()
        assert_same(out, whole)
        if not seconds:
            seconds = json.loads((out / "times.jsonl").read_text().splitlines()[-1])["since_start"]
        shutil.rmtree(out)
    print(f"{kills} kills of {runs - 1} runs")


def test_a_place_without_a_run_is_one_sentence(tmp_path):
    fails(sightline("resume", tmp_path, cwd=tmp_path), 3, "found no recipe.toml")


def test_without_a_reader_a_training_goes_on_and_stops_at_a_word(whole, tmp_path):
    process = begun(tmp_path / "run", "epoch   1")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    until = time.monotonic() + 60
    while b'"epoch": 3' not in (tmp_path / "run" / "events.jsonl").read_bytes() and time.monotonic() < until:
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 143
    done = sightline("resume", tmp_path / "run", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "run", whole)


@pytest.mark.skipif(os.name != "posix", reason="terminals are asked for as POSIX has them")
def test_a_second_signal_ends_at_once_and_loses_nothing(whole, tmp_path):
    """In a terminal, where bars are drawn; what goes on without them gets the same bits."""
    keyboard, screen = os.openpty()
    command = [*COMMAND, "train", "digits", "--out", str(tmp_path / "run"), *TRAIN]
    process = subprocess.Popen(command, stdout=screen, stderr=subprocess.PIPE, text=True)
    os.close(screen)
    shown = b""
    while b"epoch   2" not in shown:
        shown += os.read(keyboard, 4096)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    with contextlib.suppress(OSError):  # the end of a terminal
        while more := os.read(keyboard, 4096):
            shown += more
    os.close(keyboard)
    assert process.returncode in (130, 143)  # whichever of the two came second
    assert "Traceback" not in error
    assert b"img/s" in shown.partition(b"epoch   1")[0]  # the bar
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") >= 0  # the cursor is there again
    done = sightline("resume", tmp_path / "run", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "run", whole)


def test_before_the_first_step_a_signal_leaves_nothing_behind(tmp_path):
    command = [*COMMAND, "train", "digits", "--out", str(tmp_path / "run"), *TRAIN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_resume_auto_begins_goes_on_and_leaves_a_finished_run_alone(whole, tmp_path):
    """One and the same command, as a cluster starts it again and again."""
    command = ["train", "digits", "--out", tmp_path / "run", "--resume", "auto", *TRAIN]
    process = begun(tmp_path / "run", "epoch   3", "--resume", "auto")
    process.kill()
    process.communicate()
    done = sightline(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Going on after step" in done.stdout
    assert_same(tmp_path / "run", whole)
    again = sightline(*command, cwd=tmp_path)
    assert again.returncode == 0
    assert "this run is finished; nothing was trained" in again.stdout
    assert_same(tmp_path / "run", whole)
    other = sightline(*command, "--set", "training.seed=5", cwd=tmp_path)
    fails(other, 6, "is of another source or recipe")
    assert_same(tmp_path / "run", whole)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None,
    reason="mounting a small disk needs Linux and root",
)
@pytest.mark.parametrize("share", [0.55, pytest.param(0.8, marks=pytest.mark.slow)])
def test_a_disk_that_is_really_full_is_one_sentence_and_resume_goes_on(share, whole, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    needed = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(share * needed)}", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        done = sightline("train", "digits", "--out", place / "run", *TRAIN, cwd=tmp_path)
        fails(done, 6, "no space left on device", "bytes are needed and ", "are free")
        subprocess.run(["mount", "-o", f"remount,size={4 * needed}", str(place)], check=True)
        done = sightline("resume", place / "run", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert_same(place / "run", whole)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        fails(sightline("resume", place / "run", cwd=tmp_path), 6, "Read-only file system")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_verify_says_what_is_right_and_what_is_wrong(whole, tmp_path):
    done = sightline("verify", whole, "--steps", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the same weights after steps 1" in done.stdout
    shutil.copytree(whole, tmp_path / "copy")
    model = tmp_path / "copy" / "model.safetensors"
    data = bytearray(model.read_bytes())
    data[-5] ^= 4
    model.write_bytes(data)
    done = sightline("verify", tmp_path / "copy", "--quiet", cwd=tmp_path)
    fails(done, 7, "not as the training left them: model.safetensors, fingerprint")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["WRONG", "model.safetensors"], ["WRONG", "fingerprint"],
    ]  # fmt: skip
