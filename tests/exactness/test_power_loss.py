"""The power fails: whatever was not flushed may be on the disk, or not, or half, in any order.

The operations of a run that is stopped once and goes on are recorded, and cut off at a random one. Of the changes of a
file since its last flush, each write may be there, missing or torn; of the changes of a folder's names since its last
flush, any may be missing. That is less than file systems promise; a run must open at the newest checkpoint that was
done all the same.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from disk import Disk, Operation

from sightline.errors import DataError
from sightline.training import checkpoint, directory, sums
from sightline.training.resume import find

SECTOR = 512


@pytest.fixture(scope="module")
def prepared(prepared_with):
    return prepared_with(training__epochs=2, training__checkpoint_steps=3)


@pytest.fixture(scope="module")
def recorded(prepared, exactly, tmp_path_factory):
    """Return the folder of a run, the operations on it, and what it left."""
    root = tmp_path_factory.mktemp("recorded")
    with Disk(root).watching() as disk:
        with directory.made(root / "run", source="digits", overwrite=False) as path:
            session = exactly.begun(prepared, path)
            for _ in session.events(stop=lambda: session.state.step >= 8):
                pass
        with directory.locked(path):
            result = exactly.finish(exactly.going_on(prepared, path))
    return root, disk.operations, result


def torn(chance: random.Random, write: Operation) -> Operation | None:
    """Return a write as it may be found after the power failed: whole, missing, or some of its sectors."""
    kind = chance.choice(("whole", "missing", "beginning", "sectors"))
    if kind == "whole":
        return write
    if kind == "missing":
        return None
    if kind == "beginning":
        kept = write.data[: chance.randrange(len(write.data) + 1)]
    else:
        sectors = [write.data[at : at + SECTOR] for at in range(0, len(write.data), SECTOR)]
        kept = b"".join(each if chance.random() < 0.5 else bytes(len(each)) for each in sectors)
    return Operation("write", write.path, write.file, write.offset, kept)


def contents_after(chance: random.Random, operations: Sequence[Operation]) -> dict[int, bytes]:
    """Return what each file may hold, by its number."""
    flushed = {operation.file: at for at, operation in enumerate(operations) if operation.kind == "flush"}
    contents: dict[int, bytearray] = {}
    for at, operation in enumerate(operations):
        content = contents.setdefault(operation.file, bytearray())
        if operation.kind == "truncate":
            if at < flushed.get(operation.file, -1) or chance.random() < 0.5:
                del content[operation.offset :]
        elif operation.kind == "write":
            found = operation if at < flushed.get(operation.file, -1) else torn(chance, operation)
            if found is not None:
                end = found.offset + len(found.data)
                content.extend(bytes(max(0, end - len(content))))
                content[found.offset : end] = found.data
    return {number: bytes(content) for number, content in contents.items()}


def names_after(chance: random.Random, operations: Sequence[Operation]) -> dict[str, int]:
    """Return the number of the file at each path; 0 for a folder."""
    flushed = {operation.path: at for at, operation in enumerate(operations) if operation.kind == "flush_folder"}
    names: dict[str, int] = {}
    for at, operation in enumerate(operations):
        certain = at < flushed.get(str(Path(operation.path).parent), -1)
        if operation.kind in ("create", "rename", "unlink", "mkdir", "rmdir") and (certain or chance.random() < 0.5):
            match operation.kind:
                case "create" | "mkdir":
                    names[operation.path] = operation.file
                case "rename":
                    names.pop(operation.path, None)
                    names[operation.target] = operation.file
                case _:
                    names.pop(operation.path, None)
    return names


def lay_out(root: Path, place: Path, chance: random.Random, operations: Sequence[Operation]) -> None:
    """Make at `place` what may be left of `root` after the operations."""
    contents, names = contents_after(chance, operations), names_after(chance, operations)
    for path in sorted(names, key=len):
        moved = place / Path(path).relative_to(root)
        if not moved.parent.is_dir():
            continue  # its folder is lost, and all in it
        if names[path]:
            moved.write_bytes(contents.get(names[path], b""))
        else:
            moved.mkdir()


def durable(operations: Sequence[Operation], folder: Path, beginning: str) -> str:
    """Return the last name of such a beginning that a file in the folder got before it was flushed; empty for none."""
    found = named = ""
    for operation in operations:
        target = Path(operation.target)
        if operation.kind == "rename" and target.parent == folder and target.name.startswith(beginning):
            named = target.name
        elif operation.kind == "flush_folder" and operation.path == str(folder):
            found = named
    return found


@pytest.mark.parametrize("trials", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_after_a_power_failure_a_run_opens_at_its_newest_checkpoint(trials, recorded, prepared, exactly, tmp_path):
    root, operations, wanted = recorded
    models = {each.data for each in operations if each.kind == "write" and f".{directory.MODEL}." in each.path}
    chance = random.Random(trials)
    opened = resumed = done = 0
    for trial in range(trials):
        until = operations[: chance.randrange(1, len(operations) + 1)]
        place = tmp_path / str(trial)
        place.mkdir()
        lay_out(root, place, chance, until)
        run = place / "run"
        if durable(until, root / "run", directory.MODEL):
            assert (run / directory.MODEL).read_bytes() in models
        if name := durable(until, root / "run" / directory.CHECKPOINTS, "step-"):
            step = int(name.removeprefix("step-").partition(".")[0])
        else:
            step = -1
        if directory.finished(run):
            done += 1
            assert all(not wrong for _, wrong in sums.check(run, directory.LASTING))
            continue
        try:
            found = find(run)
        except DataError as error:
            if step >= 0:
                raise AssertionError("a checkpoint that was done is lost") from error
            continue
        opened += 1
        assert found.checkpoint.step >= step
        log = (run / directory.EVENTS).read_bytes()[: found.checkpoint.about["log_bytes"]]
        assert log == wanted.log[: found.checkpoint.about["log_bytes"]]
        if trial % (trials // 20) == 0:
            resumed += 1
            exactly.assert_same(exactly.finish(exactly.going_on(prepared, run)), wanted)
    assert opened > trials / 2
    assert resumed > 8
    assert done > trials / 100


def test_without_the_flush_of_the_folder_checkpoints_would_be_lost(recorded, tmp_path):
    """The proof above would notice: what it relies on is left out here."""
    root, operations, _ = recorded
    careless = [operation for operation in operations if operation.kind != "flush_folder"]
    chance = random.Random(5)
    lost = 0
    for trial in range(60):
        place = tmp_path / str(trial)
        place.mkdir()
        lay_out(root, place, chance, careless)
        lost += checkpoint.newest(place / "run" / directory.CHECKPOINTS, damaged=lambda _: None) is None
    assert lost > 10
