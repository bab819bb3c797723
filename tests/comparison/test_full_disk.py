"""A disk that is really full: a small file system in memory, which is given more room afterwards."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import sightline

from sightline.errors import OutputError

COMPARE = (
    "compare", "digits", "--vary", "network.activation=sigmoid,relu", "--seeds", "2", "--workers", "2", "--quiet",
    "--set", "network=lenet", "--set", "network.width=0.5", "--set", "training.epochs=1", "--set", "augmentation=none",
)  # fmt: skip
MOUNT = "mount -t tmpfs -o size={size} none {place}"
BOUND = 300


def alone(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that may mount: what it mounts nobody else sees, and is gone when it ends."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False)


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("calm")
    assert sightline(*COMPARE, "--out", out, cwd=out).returncode == 0
    return out


def found(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_it_ends_with_one_sentence_and_goes_on_where_there_is_room(calm, tmp_path) -> None:
    """Full when the database is made, then while runs are written, then not."""
    place, kept = tmp_path / "disk", tmp_path / "kept"
    place.mkdir()
    try:
        if alone(MOUNT.format(size="1m", place=place)).returncode:
            pytest.skip("no file system can be mounted here")
    except FileNotFoundError:
        pytest.skip("there is no unshare, which a small disk is made with")
    compare = shlex.join([sys.executable, "-m", "sightline", *COMPARE, "--out", str(place / "c")])
    rooms = ("16k", "800k")
    tried = [
        f"mount -o remount,size={room} {place}\n{compare} 2> {tmp_path / room}; echo $? > {tmp_path / room}.code"
        for room in rooms
    ]
    done = alone(
        f"{MOUNT.format(size=rooms[0], place=place)} || exit 99\n"
        + "\n".join(tried)
        + f"\nmount -o remount,size=500m {place}\n{compare} && cp -r {place / 'c'} {kept}"
    )
    assert done.returncode == 0, done.stderr
    for room in rooms:
        said = (tmp_path / room).read_text()
        assert int((tmp_path / f"{room}.code").read_text()) == OutputError.exit_code, said
        assert "Traceback" not in said
        assert len(said.strip().splitlines()) == 1, said
    assert found(kept) == found(calm)
    assert json.loads((kept / "comparison.json").read_text())["failed"] == {}
