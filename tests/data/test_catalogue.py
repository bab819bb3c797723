"""The catalogue depends on content alone; the second look at a folder reads nothing; conflicts are left out."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import tracemalloc

import numpy as np
import pytest

from sightline.data import Limits, build_catalogue, facts, files, open_source, split
from sightline.data.folder import FolderSource
from sightline.data.reading import in_threads
from sightline.data.remembered import location
from sightline.data.source import TEST
from sightline.errors import DataError


def build(what, **settings):
    return build_catalogue(open_source(what), limits=settings.pop("limits", Limits()), **settings)


def aged(root):
    """Let every file look ten seconds old, so that its hash is remembered."""
    then = time.time() - 10
    for folder, _, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(folder, name), (then, then))
    return root


@pytest.fixture
def reads(monkeypatch):
    """The positions that are read from folders."""
    seen, read = [], FolderSource.read
    monkeypatch.setattr(FolderSource, "read", lambda self, index, most: seen.append(index) or read(self, index, most))
    return seen


def test_columns(folder, picture):
    root = folder({"a": 2, "b": 2})
    (root / "a" / "gray.png").write_bytes(picture(50, mode="L", size=(9, 4)))
    catalogue = build(root)
    expected = {hashlib.blake2b((root / n).read_bytes(), digest_size=16).digest(): n for n in catalogue.source.names}
    for position in range(len(catalogue)):
        assert expected[catalogue.digests[position].tobytes()] == catalogue.name(position)
        assert catalogue.class_names[catalogue.labels[position]] == catalogue.name(position)[0]
        gray = catalogue.name(position).endswith("gray.png")
        found = (catalogue.widths[position], catalogue.heights[position], catalogue.channels[position])
        assert found == ((9, 4, 1) if gray else (6, 5, 3))
        assert int(catalogue.keys[position]) == int.from_bytes(catalogue.digests[position, :8].tobytes(), "little")
    ordered = [row.tobytes() for row in catalogue.digests]
    assert ordered == sorted(ordered)
    assert catalogue.index[catalogue.reading_order].tolist() == list(range(5))


def test_renaming_moving_and_listing_order_change_nothing(folder, tmp_path, monkeypatch):
    root = folder({"a": 20, "b": 20})
    before = build(root)
    other = tmp_path / "elsewhere"
    for number, name in enumerate(sorted(before.source.names, reverse=True)):
        target = other / name[0] / f"deeper{number % 3}"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, target / f"{number:03}.jpg")
    after = build(other, threads=3)
    assert before.digest == after.digest
    for column in ("digests", "labels", "subsets", "widths", "heights", "channels"):
        assert np.array_equal(getattr(before, column), getattr(after, column))


@pytest.mark.parametrize("change", ["label", "pixel", "class name", "subset", "one less"])
def test_digest_changes_with_content(folder, change, picture):
    root = folder({"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2})
    before = build(root).digest
    match change:
        case "label":
            (root / "train/a/0.png").rename(root / "train/b/x.png")
        case "pixel":
            (root / "train/a/0.png").write_bytes(picture(1000))
        case "class name":
            for side in ("train", "test"):
                (root / side / "b").rename(root / side / "c")
        case "subset":
            (root / "train/a/0.png").rename(root / "test/a/x.png")
        case "one less":
            (root / "train/a/0.png").unlink()
    assert build(root).digest != before


def test_second_run_reads_nothing_and_a_changed_file_is_seen(folder, reads, picture):
    root = aged(folder({"a": 40, "b": 40}))
    first = build(root, threads=2)
    assert sorted(reads) == list(range(80))
    reads.clear()
    assert build(root, threads=2).digest == first.digest
    assert reads == []
    (root / "a" / "3.png").write_bytes(picture(500))
    changed = build(root)
    assert [changed.source.names[i] for i in reads] == [os.path.join("a", "3.png")]
    assert changed.digest != first.digest


def test_same_size_and_time_but_another_file_is_seen(folder, reads, picture):
    root = aged(folder({"a": 3, "b": 3}))
    path = root / "a" / "0.png"
    build(root)
    reads.clear()
    found, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    (root / "new").write_bytes(data)
    os.utime(root / "new", ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(root / "new", path)
    build(root)
    assert len(reads) == 1


def test_fresh_files_are_not_remembered(folder, reads):
    root = folder({"a": 3, "b": 3})
    build(root)
    build(root)
    assert len(reads) == 12


@pytest.mark.parametrize("damage", ["cut", "flipped", "unreadable", "unwritable"])
def test_damaged_memory_costs_time_only(folder, reads, damage, monkeypatch, tmp_path):
    root = aged(folder({"a": 3, "b": 3}))
    before = build(root).digest
    path = location(str(root))
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-5])
    elif damage == "flipped":
        data[-5] ^= 4
        path.write_bytes(data)
    elif damage == "unreadable":
        path.unlink()
        path.mkdir()
    else:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "file" / "below"))
    reads.clear()
    assert build(root).digest == before
    assert len(reads) == 6


def test_remembered_items_meet_changed_limits(folder):
    root = aged(folder({"a": 3, "b": 3}))
    assert len(build(root)) == 6
    with pytest.raises(DataError, match="limit of 10"):
        build(root, limits=Limits(max_pixels=10))


def test_same_bytes_under_two_labels_are_left_out(folder):
    root = folder({"cat": 10, "dog": 10})
    shutil.copy(root / "cat" / "0.png", root / "dog" / "copy.png")
    shutil.copy(root / "cat" / "1.png", root / "cat" / "copy.png")
    catalogue = build(root, max_refused_fraction=0.2)
    assert len(catalogue) == 20
    assert {refusal.name: "dog" in refusal.reason for refusal in catalogue.refused} == {
        os.path.join("cat", "0.png"): True,
        os.path.join("dog", "copy.png"): False,
    }


def test_copies_across_given_subsets_stay_in_the_test_set(folder):
    root = folder({"train/a": 5, "train/b": 5, "val/a": 2, "val/b": 2, "test/a": 2, "test/b": 2})
    shutil.copy(root / "test/a/0.png", root / "train/a/leak.png")
    shutil.copy(root / "test/a/0.png", root / "val/a/leak.png")
    catalogue = build(root, max_refused_fraction=0.2)
    assert sorted(refusal.name for refusal in catalogue.refused) == [
        os.path.join("train", "a", "leak.png"),
        os.path.join("val", "a", "leak.png"),
    ]
    assert all("also in test" in refusal.reason for refusal in catalogue.refused)
    position = [catalogue.name(i) for i in range(len(catalogue))].index(os.path.join("test", "a", "0.png"))
    assert catalogue.subsets[position] == TEST


def test_flowers_lists_files_in_two_classes(real):
    catalogue = build(real("flowers"), threads=2)
    assert len(catalogue.refused) == 8
    assert len(catalogue) == 4309


def test_brain_mri_is_messy_but_readable(real):
    catalogue = build(real("brain-mri"), threads=2)
    assert (len(catalogue), set(catalogue.channels.tolist())) == (253, {1, 3})
    assert len(np.unique(catalogue.keys)) < 253


def test_sideways_phone_photos_have_their_seen_size(real):
    exif = real("sign-digits")
    catalogue = build(exif, threads=2)
    assert (catalogue.heights > 0).all()
    assert int(catalogue.widths.max()) == 3024


def test_width_and_height_follow_exif(folder, picture):
    from PIL import Image

    root = folder({"a": 1, "b": 1})
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "a" / "turned.jpg").write_bytes(picture(70, size=(30, 20), form="JPEG", exif=exif))
    catalogue = build(root)
    position = [catalogue.name(i) for i in range(3)].index(os.path.join("a", "turned.jpg"))
    assert (catalogue.widths[position], catalogue.heights[position]) == (20, 30)


def test_without(folder):
    catalogue = build(folder({"a": 3, "b": 3}))
    less = catalogue.without([1, 4], ["torn", "torn"])
    assert len(less) == 4
    assert [refusal.name for refusal in less.refused] == [catalogue.name(1), catalogue.name(4)]
    assert less.digest != catalogue.digest
    assert less.name(1) == catalogue.name(2)


def test_few_tasks_in_flight():
    started, lock, most = [0], threading.Lock(), [0]
    taken = 0

    def work(task):
        with lock:
            started[0] += 1
        return task

    for result in in_threads(work, range(5000), 3):
        taken += 1
        assert result == taken - 1
        most[0] = max(most[0], started[0] - taken)
    assert taken == 5000
    assert most[0] <= 2 * 3


def test_a_failing_reader_ends_the_pass(folder, monkeypatch):
    def broken(self, index, most):
        raise RuntimeError("a bug, not bad data")

    monkeypatch.setattr(FolderSource, "read", broken)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="a bug"):
        build(folder({"a": 100, "b": 100}), threads=3)
    assert threading.active_count() == before


def test_memory_of_a_catalogue_is_flat():
    images = np.random.default_rng(0).integers(0, 256, (20000, 4, 4), dtype=np.uint8)
    source = open_source((images, np.arange(20000) % 10))
    tracemalloc.start()
    build_catalogue(source, limits=Limits(), threads=2)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20000 * 60
    assert peak < 20000 * 250


def test_facts(folder, picture):
    root = folder({"a": 12, "b": 20})
    (root / "a" / "gray.png").write_bytes(picture(50, mode="L", size=(90, 40)))
    catalogue = build(root)
    sides = split(catalogue, seed=1, validation_fraction=0.2, test_fraction=0.2)
    found = facts(catalogue, sides)
    assert (found.classes, found.class_names, found.all_gray) == (2, ("a", "b"), False)
    assert found.training + found.validation + found.test == 33
    assert found.smallest_class == int((catalogue.labels[sides.train] == 0).sum())
    assert (found.median_width, found.median_height) == (6, 5)


def test_stamps_tell_files_apart(folder):
    source = open_source(aged(folder({"a": 4, "b": 4})))
    assert len(np.unique(source.stamps, axis=0)) == 8
    assert source.stamps.all()
    assert files.settled(0, time.time_ns())
