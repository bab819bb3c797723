"""The store of decoded pictures: what is in it, when it is rebuilt, and what happens when writing it fails."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.data import pixels as module
from sightline.data.cache import replacing
from sightline.data.catalogue import Catalogue, build_catalogue
from sightline.data.decode import decode
from sightline.data.limits import Limits
from sightline.data.opening import open_source
from sightline.data.pixels import Pixels, Stored, store_pixels
from sightline.errors import DataError, OutputError

SETTINGS: dict[str, Any] = {
    "size": (8, 10),
    "channels": 3,
    "resize": "fit",
    "padding_value": 5,
    "decoder": "pillow",
    "limits": Limits(),
}


class Watched:
    """Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def start(self, task: str, total: int | None) -> None:
        self.told.append(("start", total))
        assert task

    def advance(self, n: int = 1) -> None:
        self.told.append(n)

    def finish(self) -> None:
        self.told.append("finish")


def of_folder(path: Path, **options: Any) -> Catalogue:
    return build_catalogue(open_source(str(path)), limits=Limits(), **options)


def of_arrays(count: int, *shape: int, seed: int = 0) -> Catalogue:
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    return build_catalogue(open_source((images, np.arange(count) % 2)), limits=Limits())


def store(catalogue: Catalogue, cache: Path, **changes: Any) -> Stored:
    return store_pixels(catalogue, threads=changes.pop("threads", 2), cache=cache, **(SETTINGS | changes))


def rows(stored: Stored) -> np.ndarray:
    return stored.pixels.gather(np.arange(len(stored.pixels)))


@pytest.fixture
def catalogue(folder: Callable[..., Path]) -> Catalogue:
    return of_folder(folder({"cat": 20, "dog": 17}))


def with_torn_files(catalogue: Catalogue, positions: tuple[int, ...]) -> Catalogue:
    """Return the catalogue after the files of some records were cut; their headers stay whole."""
    for position in positions:
        path = Path(str(catalogue.source.name)) / catalogue.name(position)
        path.write_bytes(path.read_bytes()[:-30])
    return of_folder(Path(str(catalogue.source.name)))


@pytest.mark.parametrize("threads", [1, 3])
def test_row_i_is_what_decode_makes_of_record_i(catalogue, tmp_path, threads):
    stored = store(catalogue, tmp_path, threads=threads)
    assert stored.pixels.shape == (37, 8, 10, 3)
    assert stored.refused == ()
    for i in range(37):
        data = catalogue.source.read(int(catalogue.index[i]))
        np.testing.assert_array_equal(stored.pixels.gather(np.array([i]))[0], decode(data, **SETTINGS))


def test_the_second_time_nothing_is_decoded(catalogue, tmp_path, monkeypatch):
    first = rows(store(catalogue, tmp_path))
    monkeypatch.setattr(module, "decode", None)
    np.testing.assert_array_equal(rows(store(catalogue, tmp_path)), first)


@pytest.mark.parametrize(
    "change",
    [
        {"size": (8, 9)},
        {"channels": 1},
        {"resize": "crop"},
        {"padding_value": 6},
        {"decoder": "simplejpeg"},
        {"limits": Limits(max_pixels=99)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_pixel_makes_another_file(catalogue, tmp_path, change):
    if change.get("decoder") == "simplejpeg":
        pytest.importorskip("simplejpeg", reason="needs simplejpeg")
    one, other = store(catalogue, tmp_path), store(catalogue, tmp_path, **change)
    assert one.pixels.path != other.pixels.path


def test_a_changed_picture_makes_another_file_and_a_renamed_one_does_not(folder, picture, tmp_path):
    root = folder({"cat": 4, "dog": 4})
    one = store(of_folder(root), tmp_path)
    (root / "cat" / "0.png").rename(root / "cat" / "zebra.png")
    renamed = store(of_folder(root), tmp_path)
    assert renamed.pixels.path == one.pixels.path
    (root / "cat" / "zebra.png").write_bytes(picture(1000))
    assert store(of_folder(root), tmp_path).pixels.path != one.pixels.path


def test_refused_pictures_are_listed_left_out_and_listed_again(catalogue, tmp_path):
    torn = {catalogue.name(i) for i in (0, 5, 36)}
    catalogue = with_torn_files(catalogue, (0, 5, 36))
    bad = [i for i in range(37) if catalogue.name(i) in torn]
    good = [i for i in range(37) if i not in bad]
    for _ in range(2):  # built, then reopened
        stored = store(catalogue, tmp_path)
        assert [item.position for item in stored.refused] == bad
        assert [item.name for item in stored.refused] == [catalogue.name(i) for i in bad]
        assert all("decoded" in item.reason for item in stored.refused)
        assert stored.pixels.shape == (34, 8, 10, 3)
        reduced = catalogue.without([item.position for item in stored.refused])
        np.testing.assert_array_equal(reduced.digests, catalogue.digests[good])
        for row, i in enumerate(good):
            data = catalogue.source.read(int(catalogue.index[i]))
            np.testing.assert_array_equal(stored.pixels.gather(np.array([row]))[0], decode(data, **SETTINGS))


def test_files_that_vanish_are_refused_and_none_left_is_an_error(catalogue, tmp_path):
    (Path(catalogue.source.name) / catalogue.name(3)).unlink()
    stored = store(catalogue, tmp_path)
    assert [item.position for item in stored.refused] == [3]
    for i in range(37):
        (Path(catalogue.source.name) / catalogue.name(i)).unlink(missing_ok=True)
    with pytest.raises(DataError, match="none of 37 pictures"):
        store(catalogue, tmp_path / "other")
    assert list((tmp_path / "other" / "pixels").iterdir()) == []


@pytest.mark.parametrize(
    "tear",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[1:]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: path.write_bytes(path.read_bytes()[:-100] + b"x" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:100] + b"\0" + path.read_bytes()[100:]),
        lambda path: path.write_bytes(path.read_bytes()[:100] + path.read_bytes()[101:]),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"key": "', b'"key": "0')),
    ],
)
def test_a_torn_file_is_built_anew(catalogue, tmp_path, tear):
    stored = store(catalogue, tmp_path)
    expected, path = rows(stored), stored.pixels.path
    stored.pixels.close()
    tear(path)
    np.testing.assert_array_equal(rows(store(catalogue, tmp_path)), expected)


def test_the_header_says_what_is_inside(catalogue, tmp_path):
    data = store(catalogue, tmp_path).pixels.path.read_bytes()
    length = int.from_bytes(data[-16:-8], "little")
    header = json.loads(data[-16 - length : -16])
    assert header["rows"] == 37
    assert header["size"] == [8, 10]
    assert header["decoder_version"].startswith("Pillow")
    assert len(data) == 37 * 8 * 10 * 3 + length + 16


def test_progress_sees_every_picture_also_when_the_work_fails(catalogue, tmp_path, monkeypatch):
    watched = Watched()
    store(catalogue, tmp_path / "a", progress=watched)
    assert watched.told[0] == ("start", 37)
    assert sum(n for n in watched.told[1:-1]) == 37
    assert watched.told[-1] == "finish"

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store(catalogue, tmp_path / "b", progress=watched)
    assert watched.told[-1] == "finish"
    assert list((tmp_path / "b" / "pixels").iterdir()) == []


def test_gather_in_any_order_with_repeats_and_into_given_memory(tmp_path):
    catalogue = of_arrays(300, 8, 10, 3)
    stored = store(catalogue, tmp_path)
    everything = rows(stored)
    wanted = np.random.default_rng(0).integers(0, 300, 1000)
    np.testing.assert_array_equal(stored.pixels.gather(wanted), everything[wanted])
    out = np.empty((1000, 8, 10, 3), np.uint8)
    assert stored.pixels.gather(wanted, out) is out
    np.testing.assert_array_equal(out, everything[wanted])
    assert stored.pixels.gather(np.array([], np.int64)).shape == (0, 8, 10, 3)
    assert len(stored.pixels) == 300


@pytest.mark.parametrize("wrong", [[-1], [300], [0, 10**12]])
def test_gather_refuses_what_is_not_there(tmp_path, wrong):
    stored = store(of_arrays(300, 8, 10, 3), tmp_path)
    with pytest.raises(IndexError, match="wanted 0 to 299"):
        stored.pixels.gather(np.array(wrong))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc to see resident memory")
@pytest.mark.parametrize("shape", [(1200, 512, 512, 1), (400_000, 28, 28, 1)], ids=["large rows", "small rows"])
def test_resident_memory_stays_flat_over_a_file_of_300_megabytes(tmp_path, shape):
    path = tmp_path / "rows"
    with path.open("wb") as file:
        for _ in range(8):
            file.write(bytes(int(np.prod(shape)) // 8))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    pixels = Pixels(path, shape)
    order = np.random.default_rng(0).permutation(shape[0])
    batch = max(1, (4 << 20) // int(np.prod(shape[1:])))
    before, highest = resident(), 0
    for start in range(0, shape[0], batch):
        pixels.gather(order[start : start + batch])
        highest = max(highest, resident())
    assert highest - before < 110 << 20


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(catalogue, tmp_path, monkeypatch):
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(OutputError, match=r"full, 8,880 bytes are needed and [\d,]+ are free.*SIGHTLINE_CACHE"):
        store(catalogue, tmp_path)
    assert list((tmp_path / "pixels").iterdir()) == []


def test_too_little_room_is_found_before_the_work(catalogue, tmp_path, monkeypatch):
    usage = type("Usage", (), {"total": 10**9, "used": 0, "free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr(module, "decode", None)
    with pytest.raises(OutputError, match=r"8,880 bytes are needed and 100 are free"):
        store(catalogue, tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="needs file modes")
def test_files_of_the_cache_respect_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "file"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("file", [errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written_to_is_one_clear_error(catalogue, tmp_path, monkeypatch, file):
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(file, os.strerror(file))

    monkeypatch.setattr("sightline.data.cache.os.open", refuse)
    with pytest.raises(OutputError, match=r"cannot be written to.*SIGHTLINE_CACHE="):
        store(catalogue, tmp_path)


def test_a_cache_below_a_file_is_one_clear_error(catalogue, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="SIGHTLINE_CACHE="):
        store(catalogue, tmp_path / "taken")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ValueError, match="stop"), replacing(path) as descriptor:  # noqa: PT012
        os.write(descriptor, b"half")
        raise ValueError("stop")
    assert path.read_text() == "old"
    with replacing(path) as descriptor:
        os.write(descriptor, b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    old, young = tmp_path / ".file.a.part", tmp_path / ".file.b.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    with replacing(tmp_path / "file"):
        pass
    assert not old.exists()
    assert young.exists()


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from sightline.data.catalogue import build_catalogue
from sightline.data.limits import Limits
from sightline.data.opening import open_source
from sightline.data.pixels import store_pixels
catalogue = build_catalogue(open_source(sys.argv[1]), limits=Limits())
stored = store_pixels(catalogue, size=(64, 64), channels=3, resize="fit", padding_value=0, decoder="pillow",
                      limits=Limits(), threads=1, cache=Path(sys.argv[2]))
print(int(stored.pixels.gather(np.arange(len(stored.pixels))).sum()))
"""


def test_two_processes_may_build_at_the_same_time(folder, tmp_path):
    root = folder({"cat": 60, "dog": 60})
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(root), str(tmp_path / "cache")], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    sums = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(sums) == 1
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 1


def test_a_store_serves_where_another_process_keeps_it_from_being_replaced(catalogue, tmp_path, monkeypatch):
    """As on Windows, where a file that is mapped cannot be replaced."""
    stored = store(catalogue, tmp_path)
    hidden = stored.pixels.path.with_suffix(".hidden")
    stored.pixels.path.rename(hidden)

    def denied(self: Path, target: Path) -> None:
        hidden.rename(target)
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(Path, "replace", denied)
    np.testing.assert_array_equal(rows(store(catalogue, tmp_path)), rows(stored))


def test_arrays_are_chunked_not_sent_one_by_one(tmp_path, monkeypatch):
    catalogue = of_arrays(5000, 28, 28)
    sent: list[int] = []
    within = module.in_threads

    def counted(work: Any, tasks: Any, threads: int) -> Any:
        sent.append(len(tasks))
        return within(work, tasks, threads)

    monkeypatch.setattr(module, "in_threads", counted)
    stored = store(catalogue, tmp_path, size=(28, 28), channels=1)
    assert sent == [5]
    order = np.argsort(catalogue.index)
    np.testing.assert_array_equal(
        rows(stored)[order][..., 0], np.random.default_rng(0).integers(0, 256, (5000, 28, 28), dtype=np.uint8)
    )


def test_decoding_order_does_not_matter(catalogue, tmp_path):
    backwards = replace(catalogue)
    np.testing.assert_array_equal(
        rows(store(catalogue, tmp_path / "a", threads=1)), rows(store(backwards, tmp_path / "b", threads=4))
    )
