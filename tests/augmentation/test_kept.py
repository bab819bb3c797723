"""Compiled functions that Numba keeps: used again by the next process, made anew where what they call has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sightline

SCRIPT = """
import numpy as np
from sightline.augmentation.cpu_streams import uniform
numbers = np.empty((2, 1))
uniform(np.array([7], np.uint64), np.array([1]), np.array([3], np.uint64), 1, numbers)
print(numbers[0, 0], sum(uniform.stats.cache_hits.values()))
"""


@pytest.fixture
def copied(tmp_path):
    """Return the folder of a copy of the package, and a function that runs the script with it in a new process."""
    source = Path(sightline.__file__).parent
    shutil.copytree(source, tmp_path / "sightline", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}

    def run() -> tuple[float, int]:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        number, hits = done.stdout.split()
        return float(number), int(hits)

    return tmp_path / "sightline", run


def test_what_is_kept_is_used_again_until_a_file_changes_that_it_was_made_of(copied):
    package, run = copied
    first, hits = run()
    assert hits == 0
    assert run() == (first, 1)
    callee = package / "augmentation" / "cpu_philox.py"
    callee.write_text(callee.read_text().replace("0xD2511F53", "0xD2511F55"))
    changed, hits = run()
    assert hits == 0
    assert changed != first
