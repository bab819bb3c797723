"""What every test shares: one thread of torch, and a cache of its own."""

import os
import signal

# Many small networks on many threads spend their time waiting for each other. Set before torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell leaves it for what it begins in the background; some tests are interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keep the tests' pixels out of the user's cache."""
    before = os.environ.get("SIGHTLINE_CACHE")
    os.environ["SIGHTLINE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["SIGHTLINE_CACHE"]
    else:
        os.environ["SIGHTLINE_CACHE"] = before
