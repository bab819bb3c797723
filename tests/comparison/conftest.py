"""What the tests of comparisons train on."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from postgres import programs, server
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Three hundred handwritten digits in three classes."""
    loaded = load_digits()
    return (loaded.images[:300] * 255 / 16).round().astype(np.uint8), loaded.target[:300] % 3


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """What makes an empty PostgreSQL database and returns its address; skips where there is no server."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'sightline[postgresql]'")
    if programs() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    with contextlib.ExitStack() as stack:
        try:
            database = stack.enter_context(server())
        except (OSError, LookupError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no PostgreSQL server can be started here: {error}")
        yield database
