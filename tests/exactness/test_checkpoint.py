"""Checkpoint files: every change is noticed, and the one before takes the place of a damaged one."""

import random

import pytest

from sightline.errors import ModelFileError
from sightline.training import checkpoint, directory
from sightline.training.resume import find


@pytest.fixture(scope="module")
def stored(prepared_with, exactly, tmp_path_factory):
    """Return the run's directory after six steps, with a checkpoint of each of the last two."""
    path = tmp_path_factory.mktemp("stored") / "run"
    session = exactly.begun(prepared_with(training__checkpoint_steps=1), path)
    for _ in session.events(stop=lambda: session.state.step >= 6):
        pass
    return path


def test_the_newest_and_the_one_before_are_kept(stored):
    steps = [checkpoint.read(path).step for path in sorted((stored / directory.CHECKPOINTS).glob("step-*"))]
    assert len(steps) == checkpoint.KEPT == 2
    assert steps[1] == 6
    assert steps[0] < 6
    assert find(stored).checkpoint.step == 6


def test_every_changed_byte_is_noticed(stored, tmp_path):
    whole = bytearray(max((stored / directory.CHECKPOINTS).glob("step-*")).read_bytes())
    place = tmp_path / "step-000000001.safetensors"
    chance = random.Random(4)
    for _ in range(300):
        at, other = chance.randrange(len(whole)), chance.randrange(1, 256)
        spoiled = bytearray(whole)
        spoiled[at] ^= other
        place.write_bytes(spoiled)
        with pytest.raises(ModelFileError):
            checkpoint.read(place)


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
