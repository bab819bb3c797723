"""Pictures that fail for a reason that passes are left out of one run, and never for good."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.data import Limits, build_catalogue, decode, open_source, store_pixels
from sightline.data import pixels as module
from sightline.data.catalogue import Catalogue
from sightline.data.limits import Refused
from sightline.data.pixels import Stored

SETTINGS: dict[str, Any] = {
    "size": (8, 10),
    "channels": 3,
    "resize": "fit",
    "padding_value": 0,
    "decoder": "pillow",
    "limits": Limits(max_seconds=5.0),
    "threads": 1,
}


@pytest.fixture
def catalogue(folder: Callable[..., Path]) -> Catalogue:
    return build_catalogue(open_source(str(folder({"cat": 6, "dog": 5}))), limits=Limits())


def file_of(catalogue: Catalogue, position: int) -> Path:
    return Path(catalogue.source.name) / catalogue.name(position)


def out_of_memory(*_: Any, **__: Any) -> None:
    raise MemoryError


def broken_disk(*_: Any, **__: Any) -> None:
    raise OSError(5, "Input/output error")


def late(*_: Any, **__: Any) -> None:
    SETTINGS["limits"].check_seconds(99.0)


@pytest.mark.parametrize("failure", [out_of_memory, broken_disk, late], ids=lambda failure: failure.__name__)
def test_what_passes_is_tried_again(catalogue, tmp_path, monkeypatch, failure):
    bad = file_of(catalogue, 3).read_bytes()
    monkeypatch.setattr(module, "decode", lambda data, **rest: failure() if data == bad else decode(data, **rest))
    for _ in range(2):  # built, then reopened
        stored = store_pixels(catalogue, cache=tmp_path, **SETTINGS)
        assert [item.position for item in stored.refused] == [3]
        assert len(stored.pixels) == 10
    monkeypatch.setattr(module, "decode", decode)
    whole = store_pixels(catalogue, cache=tmp_path, **SETTINGS)
    assert whole.refused == ()
    assert len(whole.pixels) == 11
    np.testing.assert_array_equal(whole.pixels.gather(np.array([3]))[0], decode(bad, **without_threads()))


def test_a_store_with_a_passing_failure_is_not_decoded_whole_again(catalogue, tmp_path, monkeypatch):
    file_of(catalogue, 3).rename(tmp_path / "away.png")
    store_pixels(catalogue, cache=tmp_path, **SETTINGS)
    monkeypatch.setattr(module, "decode", None)
    stored = store_pixels(catalogue, cache=tmp_path, **SETTINGS)
    assert [item.position for item in stored.refused] == [3]
    monkeypatch.setattr(module, "decode", decode)
    (tmp_path / "away.png").rename(file_of(catalogue, 3))
    assert store_pixels(catalogue, cache=tmp_path, **SETTINGS).refused == ()


def test_other_bytes_than_the_catalogue_hashed_never_get_into_the_store(catalogue, tmp_path, picture):
    path = file_of(catalogue, 4)
    old = path.read_bytes()
    path.write_bytes(picture(999))
    stored = store_pixels(catalogue, cache=tmp_path, **SETTINGS)
    assert [(item.position, item.reason) for item in stored.refused] == [(4, "changed while it was read")]
    path.write_bytes(old)
    assert store_pixels(catalogue, cache=tmp_path, **SETTINGS).refused == ()


def test_pixels_from_arrays_are_held_against_their_hash_too(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 10, 3), dtype=np.uint8)
    catalogue = build_catalogue(open_source((images, np.arange(12) % 2)), limits=Limits())
    images[int(catalogue.index[2])] += 1
    stored = store_pixels(catalogue, cache=tmp_path, **SETTINGS)
    assert [item.position for item in stored.refused] == [2]


def test_refusals_of_a_store_that_does_not_tell_them_apart_are_tried_again(catalogue, tmp_path):
    file_of(catalogue, 3).rename(tmp_path / "away.png")
    stored = store_pixels(catalogue, cache=tmp_path, **SETTINGS)
    rewrite_header(stored, lambda header: header.pop("passing"))
    (tmp_path / "away.png").rename(file_of(catalogue, 3))
    assert store_pixels(catalogue, cache=tmp_path, **SETTINGS).refused == ()


def rewrite_header(stored: Stored, change: Callable[[dict[str, Any]], object]) -> None:
    stored.pixels.close()
    data = stored.pixels.path.read_bytes()
    length = int.from_bytes(data[-16:-8], "little")
    header = json.loads(data[-16 - length : -16])
    change(header)
    text = json.dumps(header).encode()
    stored.pixels.path.write_bytes(data[: -16 - length] + text + len(text).to_bytes(8, "little") + data[-8:])


def without_threads() -> dict[str, Any]:
    return {name: value for name, value in SETTINGS.items() if name != "threads"}


def test_memory_that_runs_out_while_resampling_refuses_that_picture_only(monkeypatch):
    monkeypatch.setattr(sys.modules["sightline.data.decode"], "resample", out_of_memory)
    with pytest.raises(Refused, match="memory"):
        decode(np.zeros((30, 20, 3), np.uint8), size=(8, 8), channels=3)


def test_memory_that_runs_out_inside_pillow_refuses_that_picture_only(monkeypatch, picture):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", out_of_memory)
    with pytest.raises(Refused, match="more memory than is free"):
        decode(picture(1), size=(8, 8), channels=3)
