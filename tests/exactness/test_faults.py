"""Every single operation on the disk fails, or is the last thing that happens: the run goes on to the same bits."""

import errno
import os
from pathlib import Path

import pytest
from disk import Disk, Killed

from sightline.errors import DataError, OutputError
from sightline.training import directory
from sightline.training.resume import find

CODES = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


@pytest.fixture(scope="module")
def prepared(prepared_with):
    return prepared_with(training__epochs=2, training__checkpoint_steps=3)


@pytest.fixture(scope="module")
def wanted(prepared, exactly, tmp_path_factory):
    return exactly.finish(exactly.begun(prepared, tmp_path_factory.mktemp("wanted") / "run"))


@pytest.fixture(scope="module")
def operations(prepared, exactly, tmp_path_factory) -> int:
    """Return how many operations on the disk an undisturbed run makes."""
    root = tmp_path_factory.mktemp("counted")
    disk = Disk(root)
    with disk.watching():
        whole_run(prepared, exactly, root / "run")
    kinds = {operation.kind for operation in disk.operations}
    assert kinds >= {"create", "write", "flush", "rename", "unlink", "mkdir", "flush_folder"}
    return disk.count


def whole_run(prepared, exactly, path: Path):
    with directory.made(path, source="digits", overwrite=False) as made:
        return exactly.finish(exactly.begun(prepared, made))


def can_go_on(path: Path) -> bool:
    """Return whether there is a checkpoint: not before the first one is there, nor once the run is finished."""
    try:
        find(path)
    except DataError as error:
        if not any(words in str(error) for words in ("found no recipe.toml", "no checkpoint", "is finished")):
            raise
        return False
    return True


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_operation_the_run_goes_on_to_the_same_bits(
    every, prepared, wanted, operations, exactly, tmp_path
):
    killed, resumed = [], []
    for last in range(1, operations + 1, every):
        path = tmp_path / str(last) / "run"
        path.parent.mkdir()
        try:
            with Disk(path.parent, fails=last).watching():
                found = whole_run(prepared, exactly, path)
        except Killed:
            killed.append(last)
        else:
            # Whether an epoch's end is worth a checkpoint follows from the clock, so that a run may make fewer of them.
            exactly.assert_same(found, wanted)
            continue
        if can_go_on(path):
            resumed.append(last)
            with directory.locked(path):
                exactly.assert_same(exactly.finish(exactly.going_on(prepared, path)), wanted)
            assert directory.finished(path)
    assert len(killed) > 0.8 * operations / every
    # Until the first checkpoint is there is about a quarter of them; the lock's removal comes after the end.
    assert len(resumed) > 0.5 * operations / every


@pytest.mark.parametrize(
    ("first", "every", "codes"), [(5, 11, CODES[:1]), pytest.param(1, 1, CODES, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("for_ever", [False, True])
def test_a_failing_disk_is_one_sentence_and_loses_no_checkpoint(
    first, every, codes, for_ever, prepared, wanted, operations, exactly, tmp_path
):
    said = []
    for code in codes:
        for failing in range(first, operations + 1, every):
            path = tmp_path / f"{code}-{failing}" / "run"
            path.parent.mkdir()
            disk = Disk(path.parent, failing, lambda code=code: OSError(code, os.strerror(code)), for_ever=for_ever)
            try:
                with disk.watching():
                    found = whole_run(prepared, exactly, path)
            except OutputError as error:
                said.append((code, str(error)))
            else:
                # What failed was not needed, such as the removal of an old checkpoint.
                exactly.assert_same(found, wanted)
                continue
            if can_go_on(path):
                with directory.locked(path):
                    exactly.assert_same(exactly.finish(exactly.going_on(prepared, path)), wanted)
    assert len(said) > 0.4 * len(codes) * operations / every
    for code, sentence in said:
        assert "\n" not in sentence
        assert os.strerror(code).lower() in sentence.lower()
