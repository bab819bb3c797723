"""Checkpoint files: every change is noticed, and the one before takes the place of a damaged one."""

import os
import random
import shutil

import pytest

from sightline import model
from sightline.errors import ModelFileError
from sightline.training import checkpoint, directory
from sightline.training.resume import find


@pytest.fixture(scope="module")
def stored(prepared_with, exactly, tmp_path_factory):
    """Return the run's directory after nine steps, with a checkpoint of each of the last two."""
    path = tmp_path_factory.mktemp("stored") / "run"
    session = exactly.begun(prepared_with(training__checkpoint_steps=1), path)
    for _ in session.events(stop=lambda: session.state.step >= 9):
        pass
    return path


def test_the_newest_and_the_one_before_are_kept(stored):
    steps = [checkpoint.read(path).step for path in sorted((stored / directory.CHECKPOINTS).glob("step-*"))]
    assert len(steps) == 2
    assert steps[1] == 9
    assert steps[0] < 9
    assert find(stored).checkpoint.step == 9


@pytest.mark.parametrize("trials", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["checkpoint", "model"])
def test_every_changed_byte_is_noticed(kind, trials, stored, tmp_path):
    """Of the whole file: length, header, description, digests and tensors."""
    model_file = stored / directory.MODEL
    source = max((stored / directory.CHECKPOINTS).glob("step-*")) if kind == "checkpoint" else model_file
    whole = bytearray(source.read_bytes())
    place = tmp_path / source.name
    read = checkpoint.read if kind == "checkpoint" else model.load
    read(source)
    chance = random.Random(4)
    for _ in range(trials):
        at, other = chance.randrange(len(whole)), chance.randrange(1, 256)
        whole[at] ^= other
        place.write_bytes(whole)
        whole[at] ^= other
        with pytest.raises(ModelFileError):
            read(place)


def test_as_many_as_the_recipe_says_are_kept(prepared_with, exactly, tmp_path):
    prepared = prepared_with(training__checkpoint_steps=1, training__checkpoints_kept=4)
    session = exactly.begun(prepared, tmp_path / "run")
    for _ in session.events(stop=lambda: session.state.step >= 20):
        pass
    steps = [checkpoint.read(path).step for path in checkpoint.all_of(tmp_path / "run" / directory.CHECKPOINTS)]
    assert len(steps) == 4
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == 20


def test_the_newest_is_that_of_the_latest_step_whatever_clocks_say(stored, tmp_path):
    folder = tmp_path / directory.CHECKPOINTS
    shutil.copytree(stored / directory.CHECKPOINTS, folder)
    for age, path in enumerate(checkpoint.all_of(folder)):
        os.utime(path, (2e9 - 1e6 * age, 1e6 * age))
    assert checkpoint.newest(folder, damaged=pytest.fail).step == 9


@pytest.mark.parametrize("damage", ["flipped", "torn", "empty", "gone"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(damage, prepared_with, exactly, tmp_path):
    prepared = prepared_with(training__checkpoint_steps=1)
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    session = exactly.begun(prepared, tmp_path / "run")
    for _ in session.events(stop=lambda: session.state.step >= 12):
        pass
    newest = max((tmp_path / "run" / directory.CHECKPOINTS).glob("step-*"))
    whole = newest.read_bytes()
    match damage:
        case "flipped":
            newest.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        case "torn":
            newest.write_bytes(whole[: len(whole) // 2])
        case "empty":
            newest.write_bytes(b"")
        case "gone":
            newest.unlink()
    found = find(tmp_path / "run")
    assert found.checkpoint.step < 12
    assert len(found.damaged) == (damage != "gone")
    assert all(newest.name in says for says in found.damaged)
    exactly.assert_same(exactly.finish(exactly.going_on(prepared, tmp_path / "run")), wanted)
