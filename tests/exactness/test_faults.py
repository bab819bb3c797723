"""Every single write fails once, or is the last thing that happens: the run goes on to the same bits all the same."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.errors import DataError, OutputError
from sightline.training.resume import find


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it, and nothing runs after it."""


class Shim:
    """Counts the operations that change what is on the disk, and lets one of them go wrong."""

    def __init__(self, fails: int, fault: Callable[[], BaseException], *, for_ever: bool) -> None:
        self.count, self.fails, self.fault, self.for_ever = 0, fails, fault, for_ever

    def call(self, operation: Callable[..., object], *arguments: object, **named: object) -> object:
        self.count += 1
        if self.count == self.fails or (self.for_ever and self.count > self.fails > 0):
            raise self.fault()
        return operation(*arguments, **named)


@pytest.fixture
def shimmed(monkeypatch) -> Iterator[Callable[..., Shim]]:
    def install(fails: int, fault: Callable[[], BaseException] = Killed, *, for_ever: bool = True) -> Shim:
        shim = Shim(fails, fault, for_ever=for_ever)
        monkeypatch.undo()
        for holder, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (os, "open"), (os, "fdopen")):
            real = getattr(holder, name)

            def through(*arguments: object, _real: Callable[..., object] = real, **named: object) -> object:
                return shim.call(_real, *arguments, **named)

            monkeypatch.setattr(holder, name, through)
        return shim

    yield install
    monkeypatch.undo()


def small(prepared_with):
    return prepared_with(training__epochs=2, training__checkpoint_steps=3)


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_write_the_run_goes_on_to_the_same_bits(
    every, prepared_with, exactly, shimmed, monkeypatch, tmp_path
):
    prepared = small(prepared_with)
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    kill, resumed, survived = 1, 0, False
    while not survived:
        path = tmp_path / str(kill)
        shimmed(kill)
        try:
            exactly.finish(exactly.begun(prepared, path))
            survived = True
        except Killed:
            monkeypatch.undo()
            if can_go_on(path):
                resumed += 1
                exactly.assert_same(exactly.finish(exactly.going_on(prepared, path)), wanted)
        kill += every
    assert kill > 40
    assert resumed > 0.4 * kill / every


def can_go_on(path: Path) -> bool:
    """Return whether there is a checkpoint: not before the first one is there, nor once the run is finished."""
    try:
        find(path)
    except DataError as error:
        if not any(words in str(error) for words in ("found no run", "no checkpoint", "is finished")):
            raise
        return False
    return True


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("for_ever", [False, True])
def test_a_failing_disk_is_one_sentence_and_loses_no_checkpoint(
    code, for_ever, prepared_with, exactly, shimmed, monkeypatch, tmp_path
):
    prepared = small(prepared_with)
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    said = []
    for failing in range(4, 40, 5):
        path = tmp_path / str(failing)
        session = exactly.begun(prepared, path)
        shimmed(failing, lambda: OSError(code, os.strerror(code)), for_ever=for_ever)
        try:
            found = exactly.finish(session)
        except OutputError as error:
            said.append(str(error))
        else:
            # What failed was not needed, such as the removal of an old checkpoint.
            exactly.assert_same(found, wanted)
            continue
        finally:
            monkeypatch.undo()
        if can_go_on(path):
            exactly.assert_same(exactly.finish(exactly.going_on(prepared, path)), wanted)
    assert len(said) >= 4
    for sentence in said:
        assert "\n" not in sentence
        assert os.strerror(code).lower() in sentence.lower()
