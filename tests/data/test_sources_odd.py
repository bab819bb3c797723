"""Tables and files that are unusual but found in the wild: each is read rightly or refused in one sentence."""

from __future__ import annotations

import gzip
import json
import os
import struct
import time

import numpy as np
import pytest

from sightline.data import Limits, Refused, build_catalogue, facts, files, open_source, split
from sightline.data.labels import Collected
from sightline.errors import DataError, OutputError


def write_parquet(path, columns, metadata=None, **options):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns).replace_schema_metadata(metadata), path, **options)


def image_structs(rows):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.array(rows, pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))


@pytest.mark.parametrize("column", ["bytes", "image_bytes", "images"])
def test_a_column_of_pictures_goes_before_one_of_file_names(tmp_path, picture, column):
    columns = {"path": ["gone/a.png", "gone/b.png"], column: [picture(0), picture(1)], "label": [0, 1]}
    write_parquet(tmp_path / "t.parquet", columns)
    assert open_source(tmp_path / "t.parquet").read(1) == picture(1)


def test_a_struct_goes_before_a_column_of_file_names(tmp_path, picture):
    structs = image_structs([{"bytes": picture(i), "path": None} for i in range(2)])
    write_parquet(tmp_path / "t.parquet", {"file": ["a", "b"], "img": structs, "label": [0, 1]})
    assert open_source(tmp_path / "t.parquet").read(1) == picture(1)


def test_shards_as_hugging_face_names_them(tmp_path, picture):
    for side, number in (("train", 0), ("test", 10)):
        columns = {"image": [picture(number), picture(number + 1)], "label": [0, 1]}
        write_parquet(tmp_path / f"{side}-00000-of-00001-38cc4fa96c139e86.parquet", columns)
    assert open_source(tmp_path).subsets.tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.csv", "bytes,label\niVBOR,cat\n"), ("t.jsonl", '{"image_bytes": "iVBOR", "label": 1}\n')],
)
def test_pictures_inside_a_table_of_text_are_refused_in_one_sentence(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=r"would hold pictures.*Parquet"):
        open_source(tmp_path / name)


def test_rows_that_name_files_are_read_anew_and_the_others_are_remembered(tmp_path, picture):
    rows = [{"bytes": picture(i), "path": f"{i}.png"} for i in range(9)]
    rows[4] = {"bytes": None, "path": "beside.png"}
    (tmp_path / "beside.png").write_bytes(picture(99))
    path = tmp_path / "t.parquet"
    write_parquet(path, {"image": image_structs(rows), "label": [i % 2 for i in range(9)]}, row_group_size=3)
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert open_source(path).stamps.any(axis=1).tolist() == [True] * 3 + [False] * 3 + [True] * 3
    first = build_catalogue(open_source(path), limits=Limits())
    (tmp_path / "beside.png").write_bytes(picture(100))
    assert build_catalogue(open_source(path), limits=Limits()).digest != first.digest


@pytest.mark.parametrize(
    ("names", "says"), [("cat,,dog", "class name 1 of 3 is empty"), ("cat,dog,cat", "two classes are named 'cat'")]
)
@pytest.mark.parametrize("form", ["class_names", "huggingface"])
def test_declared_class_names_are_distinct_and_not_empty(tmp_path, picture, names, says, form):
    features = json.dumps({"info": {"features": {"label": {"names": names.split(",")}}}})
    metadata = {form: names if form == "class_names" else features}
    write_parquet(tmp_path / "t.parquet", {"image": [picture(0), picture(1)], "label": [0, 1]}, metadata)
    with pytest.raises(DataError, match=says):
        open_source(tmp_path / "t.parquet")


def test_a_nul_in_a_path_refuses_that_file(tmp_path, picture):
    with pytest.raises(Refused, match="cannot be read"):
        files.read("a\0b.png")
    (tmp_path / "a.png").write_bytes(picture(0))
    write_parquet(tmp_path / "t.parquet", {"path": ["a\0b.png", "a.png"], "label": [0, 1]})
    source = open_source(tmp_path / "t.parquet")
    assert source.read(1) == picture(0)
    with pytest.raises(Refused):
        source.read(0)


def test_labels_of_bytes_are_text():
    collected = Collected("t")
    for value in (b"cat", "cat", "zoë".encode(), np.bytes_(b"cat")):
        assert collected.add(value) is None
    assert collected.finish()[1] == ("cat", "zoë")


def idx_of(tmp_path, shape, data, ending=".gz"):
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
    packed = header + data
    (tmp_path / f"train-images-idx3-ubyte{ending}").write_bytes(gzip.compress(packed) if ending else packed)
    labels = struct.pack(">BBBBI", 0, 0, 8, 1, shape[0]) + bytes(i % 2 for i in range(shape[0]))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    return tmp_path


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((4, 0, 28), "0 × 28 pixels"),
        ((4, 2**32 - 1, 2**32 - 1), "wanted sides of 1 to"),
        ((4, 30_000, 30_000), "the file can hold"),
    ],
)
def test_idx_headers_of_absurd_sizes_are_refused_at_opening(tmp_path, shape, says, ending):
    with pytest.raises(DataError, match=says):
        open_source(idx_of(tmp_path, shape, bytes(100), ending))


def test_idx_is_not_unpacked_without_room(tmp_path, monkeypatch):
    source = open_source(idx_of(tmp_path, (4, 28, 28), bytes(4 * 28 * 28)))
    usage = type("Usage", (), {"total": 10**9, "used": 0, "free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="3,136 bytes are needed and 100 are free"):
        source.read(0)


def test_a_file_over_the_limit_that_a_row_names_is_not_read(tmp_path, picture):
    (tmp_path / "small.png").write_bytes(picture(0))
    (tmp_path / "large.png").write_bytes(bytes(5000))
    write_parquet(tmp_path / "t.parquet", {"path": ["small.png", "large.png"], "label": [0, 1]})
    source = open_source(tmp_path / "t.parquet")
    assert source.read(0, 1000) == picture(0)
    with pytest.raises(Refused, match="5,000 bytes are more than the limit of 1,000"):
        source.read(1, 1000)


def test_whether_all_is_gray_is_asked_of_the_training_side_alone(folder, picture):
    root = folder({"train/a": 1, "train/b": 1, "test/a": 2, "test/b": 2})
    for i, name in enumerate("ab"):
        for j in range(8):
            (root / "train" / name / f"{j}.png").write_bytes(picture(100 + 10 * i + j, mode="L"))
    catalogue = build_catalogue(open_source(root), limits=Limits())
    sides = split(catalogue, seed=1, validation_fraction=0.2, test_fraction=0.2)
    assert facts(catalogue, sides).all_gray
