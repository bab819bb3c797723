"""Every form a data set comes in gives the same labels, names and bytes; what is no picture is passed over."""

from __future__ import annotations

import csv
import gzip
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from sightline.data import Limits, Refused, build_catalogue, open_source
from sightline.data.idx import find_idx
from sightline.data.labels import natural
from sightline.data.names import Names, printable
from sightline.data.source import NONE, TEST, TRAIN, VALIDATION
from sightline.errors import DataError


class Watched:
    """Progress that remembers what it was told."""

    def __init__(self):
        self.tasks, self.done, self.finished = [], 0, 0

    def start(self, task, total):
        self.tasks.append((task, total))

    def advance(self, n=1):
        self.done += n

    def finish(self):
        self.finished += 1


def test_folder_per_class(folder):
    root = folder({"10": 2, "9": 3, "cat": 1})
    (root / "cat" / "deeper").mkdir()
    (root / "cat" / "deeper" / "x.png").write_bytes((root / "cat" / "0.png").read_bytes()[:-1])
    for litter in (".DS_Store", "Thumbs.db", "README", "LICENSE.md", "list.csv", ".hidden.png"):
        (root / "cat" / litter).write_text("x")
    (root / ".cache").mkdir()
    source = open_source(root)
    assert source.class_names == ("9", "10", "cat")
    assert np.bincount(source.labels).tolist() == [3, 2, 2]
    assert set(source.subsets.tolist()) == {NONE}
    assert os.path.join("cat", "deeper", "x.png") in list(source.names)
    for index, name in enumerate(source.names):
        assert source.read(index) == (root / name).read_bytes()


def test_a_picture_may_begin_with_license(folder, picture):
    root = folder({"a": 1, "b": 1})
    for name in ("license_plate.jpg", "README.jpg", "no-suffix"):
        (root / "a" / name).write_bytes(picture(77))
    assert len(open_source(root).names) == 5


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Dev"])
def test_folders_of_subsets(folder, validation):
    source = open_source(folder({"Train/a": 2, "Train/b": 2, f"{validation}/a": 1, "TEST/b": 1}))
    by_name = dict(zip(source.names, source.subsets.tolist(), strict=True))
    assert by_name[os.path.join("Train", "a", "0.png")] == TRAIN
    assert by_name[os.path.join(validation, "a", "0.png")] == VALIDATION
    assert by_name[os.path.join("TEST", "b", "0.png")] == TEST
    assert source.class_names == ("a", "b")


def test_a_class_may_be_called_train(folder):
    source = open_source(folder({"bus": 2, "train": 2, "car": 1}))
    assert source.class_names == ("bus", "car", "train")
    assert (source.subsets == NONE).all()


def test_listing_reports_from_the_first_moment_on(folder, monkeypatch):
    watched = Watched()
    root = folder({"a": 300, "b": 300})
    scandir = os.scandir

    def scan(path):
        assert Path(path) == root or watched.tasks, "a class folder is listed before anything is shown"
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    source = open_source(root, progress=watched)
    assert watched.tasks == [("listing", None)]
    assert (watched.done, watched.finished) == (600, 1)
    build_catalogue(source, limits=Limits(), threads=2, progress=watched)
    assert watched.tasks[1:] == [("reading", 600)]
    assert (watched.done, watched.finished) == (1200, 2)


def test_names_of_any_bytes():
    names = Names()
    for name in (b"caf\xe9.jpg", "😀👨‍👩‍👧.png".encode(), b"a\nb\x1b[31m.png"):
        names.append(name)
    assert names.raw(0) == b"caf\xe9.jpg"
    assert list(names) == ["caf\\xe9.jpg", "😀👨‍👩‍👧.png", "a\\nb\\x1b[31m.png"]
    assert names[-1] == names[2]
    assert names[:2] == list(names)[:2]
    with pytest.raises(IndexError):
        names[3]
    json.dumps(list(names)).encode("utf-8")
    assert printable("\u202egnp.exe").startswith("\\u202e")


def test_files_with_odd_names_are_read(folder, picture):
    root = os.fsencode(folder({"a": 2, "b": 2}))
    try:
        for name in (b"\xff\xfe.png", "🐈.png".encode()):
            with open(os.path.join(root, b"a", name), "wb") as file:
                file.write(picture(name[0]))
    except OSError:
        pytest.skip("this file system takes no names that are not UTF-8")
    catalogue = build_catalogue(open_source(root), limits=Limits(), threads=1)
    assert len(catalogue) == 6
    assert {os.path.join("a", "\\xff\\xfe.png"), os.path.join("a", "🐈.png")} <= set(catalogue.source.names)


def test_natural_order():
    assert sorted(["b", "10", "9", "a2", "a10", "1", "01"], key=natural) == ["01", "1", "9", "10", "a2", "a10", "b"]


def write_table(path, rows):
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([["id", "File", "Label"], *([i, *row] for i, row in enumerate(rows))])
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"image": file, "class": label}) for file, label in rows) + "\n\n")
    else:
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

        files, labels = zip(*rows, strict=True)
        table = pyarrow.table({"path": list(files), "target": list(labels)})
        parquet.write_table(table, path, row_group_size=2)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_table_of_file_names(folder, suffix):
    root = folder({"x": 4})
    rows = [
        ("x/0.png", "cat"),
        ("x/1.png", "dog"),
        ("../photos/x/2.png", "cat"),
        ("x/gone.png", "dog"),
        ("x/3.png", None),
    ]
    write_table(root / f"train{suffix}", rows)
    write_table(root / f"test{suffix}", [("x/3.png", "dog")])
    source = open_source(root)
    assert source.class_names == ("cat", "dog")
    assert len(source.labels) == 5
    assert len(source.refused) == 1
    assert "no label" in source.refused[0].reason
    train = np.flatnonzero(source.subsets == TRAIN)
    assert [source.class_names[i] for i in source.labels[train]] == ["cat", "dog", "cat", "dog"]
    assert source.read(int(train[0])) == (root / "x" / "0.png").read_bytes()
    assert source.read(int(train[2])) == (root / "x" / "2.png").read_bytes()
    with pytest.raises(Refused, match="no such file"):
        source.read(int(train[3]))
    catalogue = build_catalogue(source, limits=Limits(), max_refused_fraction=0.5)
    assert len(catalogue) == 4
    assert len(catalogue.refused) == 2


def test_one_table_by_its_own_name(folder):
    root = folder({"x": 3})
    write_table(root / "all.csv", [("x/0.png", 10), ("x/1.png", 9), ("x/2.png", 9)])
    source = open_source(root / "all.csv")
    assert source.class_names == ("9", "10")
    assert source.labels.tolist() == [1, 0, 0]
    assert (source.subsets == NONE).all()


@pytest.mark.parametrize("declared", ["huggingface", "class_names", "none"])
def test_parquet_of_bytes(tmp_path, picture, declared):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    pictures = [picture(i) for i in range(10)]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    (tmp_path / "beside.png").write_bytes(picture(99))
    rows = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(pictures)]
    rows[7] = {"bytes": None, "path": "beside.png"}
    table = pyarrow.table({"image": pyarrow.array(rows, kind), "label": [i % 2 for i in range(10)]})
    features = {"info": {"features": {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}}}
    metadata = {"huggingface": {"huggingface": json.dumps(features)}, "class_names": {"class_names": "zebra,ant"}}
    table = table.replace_schema_metadata(metadata.get(declared))
    parquet.write_table(table, tmp_path / "train.parquet", row_group_size=3)
    source = open_source(tmp_path)
    assert source.class_names == (("0", "1") if declared == "none" else ("zebra", "ant"))
    assert source.labels.tolist() == [0, 1] * 5
    assert source.names[4] == "train.parquet row 4"
    for index in np.random.default_rng(0).permutation(10).tolist():
        assert source.read(index) == (picture(99) if index == 7 else pictures[index])
    assert len(build_catalogue(source, limits=Limits(), threads=2)) == 10


def test_parquet_holds_few_row_groups(tmp_path, picture):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    from sightline.data.parquet import GROUPS_HELD, _Table

    table = pyarrow.table({"image": [picture(i) for i in range(40)], "label": [i % 2 for i in range(40)]})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    source = open_source(tmp_path / "t.parquet")
    read, group = [], _Table.group  # with several threads, two may read the same group at once
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Table, "group", lambda self, number: read.append(number) or group(self, number))
        build_catalogue(source, limits=Limits(), threads=1)
        assert sorted(read) == list(range(20))
        read.clear()
        for index in (0, 2, 4, 6, 8, 10, 9, 11, 4, 7):
            source.read(index)
    assert read == [0, 1, 2, 3, 4, 5]
    assert len(source._held) == GROUPS_HELD


def write_idx(path, array):
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx(tmp_path, ending):
    images = np.random.default_rng(0).integers(0, 256, (12, 5, 4), dtype=np.uint8)
    labels = np.array([7, 3] * 6, np.uint8)
    for side, part in (("train", slice(0, 8)), ("t10k", slice(8, 12))):
        write_idx(tmp_path / f"{side}-images-idx3-ubyte{ending}", images[part])
        write_idx(tmp_path / f"{side}-labels-idx1-ubyte{ending}", labels[part])
    source = open_source(tmp_path)
    assert source.class_names == ("3", "7")
    assert source.labels.tolist() == [1, 0] * 6
    assert source.subsets.tolist() == [TRAIN] * 8 + [TEST] * 4
    for index in (11, 0, 8, 7):
        assert np.array_equal(source.read(index), images[index])
    assert source.names[9].endswith("image 1")
    assert len(build_catalogue(source, limits=Limits(), threads=2)) == 12


def test_idx_faults(tmp_path):
    images, labels = np.zeros((4, 3, 3), np.uint8), np.arange(4, dtype=np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    with pytest.raises(DataError, match="has no labels"):
        find_idx(str(tmp_path))
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels[:3])
    with pytest.raises(DataError, match=r"4 images, but .* 3 labels"):
        open_source(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels)
    whole = tmp_path / "train-images-idx3-ubyte.gz"
    whole.write_bytes(whole.read_bytes()[:-12])
    with pytest.raises(DataError, match="train-images"):
        build_catalogue(open_source(tmp_path), limits=Limits())
    whole.write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(DataError, match="unpacked"):
        open_source(tmp_path)


def test_arrays():
    images = np.arange(6 * 3 * 4 * 3, dtype=np.uint8).reshape(6, 3, 4, 3)
    source = open_source((images, ["b", "a", "b", "a", "c", "c"]))
    assert source.class_names == ("a", "b", "c")
    assert np.shares_memory(source.read(2), images)
    assert open_source((images[..., 0], np.array([[10], [9], [9], [10], [10], [9]]))).class_names == ("9", "10")


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (np.zeros((4, 3, 3)), [0, 1, 0, 1], "float64.*uint8"),
        (np.zeros((4, 3, 3, 4), np.uint8), [0, 1, 0, 1], "1 or 3 channels"),
        (np.zeros((4, 3, 8, 8), np.uint8), [0, 1, 0, 1], "transpose"),
        (np.zeros((4, 9), np.uint8), [0, 1, 0, 1], "shape"),
        (np.zeros((4, 3, 3), np.uint8), [0, 1, 0], "4 images and 3 labels"),
        (np.zeros((4, 3, 3), np.uint8), np.eye(4), "argmax"),
        (np.zeros((4, 3, 3), np.uint8), [0, 1, None, 1], "no label"),
        (np.zeros((0, 3, 3), np.uint8), [], "no images"),
        (np.zeros((4, 0, 3), np.uint8), [0, 1, 0, 1], "no pixels"),
        ([np.zeros((2, 3), np.uint8), np.zeros((3, 3), np.uint8)], [0, 1], "differ in shape"),
    ],
)
def test_arrays_that_cannot_be_used(images, labels, says):
    with pytest.raises(DataError, match=says):
        open_source((images, labels))


def test_npz(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "one.npz", images=images, labels=[0, 1] * 3)
    assert (open_source(tmp_path / "one.npz").subsets == NONE).all()
    np.savez_compressed(tmp_path / "two.npz", x_train=images, y_train=[0, 1] * 3, x_test=images[:2], y_test=[1, 0])
    source = open_source(tmp_path / "two.npz")
    assert source.subsets.tolist() == [TRAIN] * 6 + [TEST] * 2
    assert np.array_equal(source.read(7), images[1])
    np.savez(tmp_path / "bad.npz", a=images)
    with pytest.raises(DataError, match="train_images"):
        open_source(tmp_path / "bad.npz")
    np.savez(tmp_path / "pickle.npz", images=np.array([{}, []], dtype=object), labels=[0, 1])
    with pytest.raises(DataError, match="plain arrays"):
        open_source(tmp_path / "pickle.npz")
    (tmp_path / "torn.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:100])
    with pytest.raises(DataError, match="whole"):
        open_source(tmp_path / "torn.npz")


def test_digits():
    source = open_source("digits")
    assert source.class_names == tuple("0123456789")
    assert len(source.labels) == 1797
    assert max(int(source.read(i).max()) for i in range(50)) == 255


@pytest.mark.parametrize(
    ("name", "items", "classes", "subsets"),
    [
        ("brain-mri", 253, 2, {NONE}),
        ("sign-digits", 2062, 10, {NONE}),
        ("flowers", 4317, 5, {NONE}),
        ("fashion-mnist", 70000, 10, {TRAIN, TEST}),
        ("cifar10", 60000, 10, {TRAIN, TEST}),
    ],
)
def test_real_sets(real, name, items, classes, subsets):
    if name == "cifar10":
        pytest.importorskip("pyarrow")
    source = open_source(real(name))
    assert (len(source.names), len(source.labels), len(source.class_names)) == (items, items, classes)
    assert set(source.subsets.tolist()) == subsets
    assert len(source.read(items - 1)) > 0
    assert source.refused == ()
