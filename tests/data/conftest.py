"""Small data sets made for a test, the real ones beside the project, and a cache folder of the test's own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Return a function from the name of a real data set to its path; it skips where the set is absent."""

    def find(name: str) -> Path:
        path = REAL / name
        if not path.exists():
            pytest.skip(f"needs ../shared/data/{name}, which this machine does not have")
        return path

    return find


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Return a function from a number to an encoded picture that no other number gives."""
    return encoded


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[dict[str, int]], Path]:
    """Return a function that makes a folder with so many different pictures below each path: {"train/cat": 3}."""

    def make(counts: dict[str, int], name: str = "photos") -> Path:
        number = 0
        root = tmp_path / name
        for below, count in counts.items():
            (root / below).mkdir(parents=True)
            for i in range(count):
                (root / below / f"{i}.png").write_bytes(encoded(number))
                number += 1
        return root

    return make


def encoded(
    number: int, *, size: tuple[int, int] = (6, 5), mode: str = "RGB", form: str = "PNG", **save: object
) -> bytes:
    """Return a picture of `size` (width, height) whose pixels follow from `number`."""
    shape = (size[1], size[0]) + ((3,) if mode == "RGB" else ())
    pixels = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **save)
    return file.getvalue()
