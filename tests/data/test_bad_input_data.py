"""Bad input: each gets one clear sentence with where, what was found, what was wanted and what to do next."""

from __future__ import annotations

import os
import socket
import struct
import tarfile
import unicodedata
import zlib

import numpy as np
import pytest

from sightline.data import Limits, Refused, build_catalogue, open_source
from sightline.data.header import probe
from sightline.errors import DataError


def build(what, **settings):
    settings.setdefault("limits", Limits())
    return build_catalogue(open_source(what), **settings)


def reasons(catalogue):
    return {refusal.name: refusal.reason for refusal in catalogue.refused}


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 700
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({}, "the folder is empty"),
        ({"cat": 3}, "1 class found .'cat'.*another class"),
        ({"cat": 0, "dog": 0}, "no images"),
        ({"cat": 3, "dog": 0}, "no images for 'dog'"),
        ({"flowers/rose": 3, "flowers/tulip": 3}, "1 class found .'flowers'.*deeper"),
        ({"test/cat": 3, "test/dog": 3}, "folder `train`"),
        ({"train/cat": 3, "test/cat": 3, "extra/dog": 1}, "'extra' beside"),
        ({"Cat": 1, "cat": 1}, "'Cat' and 'cat' differ only"),
        ({"train/Cat": 1, "test/cat": 1, "train/dog": 1}, "'Cat' and 'cat' differ only"),
        ({unicodedata.normalize("NFC", "café"): 1, unicodedata.normalize("NFD", "café"): 1, "x": 1}, "differ only"),
        ({"Straße": 1, "STRASSE": 1}, "differ only"),
    ],
)
def test_folders_that_cannot_be_trained_on(folder, counts, says):
    root = folder(counts)
    root.mkdir(exist_ok=True)
    if len(list(root.iterdir())) < len({below.split("/")[0] for below in counts}):
        pytest.skip("this file system takes the two names for one")
    with pytest.raises(DataError, match=says) as error:
        build(root)
    assert "photos" in one_sentence(error)


def test_pictures_without_class_folders(folder):
    with pytest.raises(DataError, match="4 images, but no class folders") as error:
        open_source(_flat(folder))
    one_sentence(error)


def _flat(folder):
    root = folder({"x": 4})
    for path in list((root / "x").iterdir()):
        path.rename(root / path.name)
    (root / "x").rmdir()
    return root


@pytest.mark.parametrize("what", ["/no/such/place", "photos.zip", "notes.pdf", "one.jpg", 17, None, (1, 2, 3), "a\0b"])
def test_no_form_that_is_known(tmp_path, what):
    if isinstance(what, str) and what[0] in "pno":
        what = tmp_path / what
        what.write_bytes(b"x")
    with pytest.raises(DataError, match=r"Wanted|Unpack") as error:
        open_source(what)
    one_sentence(error)


def bomb():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", 60000, 60000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


BAD_FILES = {
    "empty.jpg": (b"", "0 bytes"),
    "page.jpg": (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "drawing.png": (b"<?xml version='1.0'?><svg></svg>", "SVG"),
    "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    "zeros.jpg": (bytes(5000), "zero bytes"),
    "text.jpg": (b"just a note", "no picture|not a picture"),
    "bomb.png": (bomb(), "3,600,000,000|60,000 × 60,000"),
    "head.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "header"),
    "archive.png": (b"PK\x03\x04rest", "ZIP"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
}


def test_files_that_are_no_pictures(folder):
    root = folder({"a": 10, "b": 10})
    for name, (data, _) in BAD_FILES.items():
        (root / "a" / name).write_bytes(data)
    catalogue = build(root, threads=2, max_refused_fraction=0.5)
    assert len(catalogue) == 20
    found = reasons(catalogue)
    assert len(found) == len(BAD_FILES)
    for name, (_, says) in BAD_FILES.items():
        with pytest.raises(AssertionError, match=says):
            raise AssertionError(found[os.path.join("a", name)])


def test_a_png_named_jpg_is_a_picture(folder):
    root = folder({"a": 3, "b": 3})
    (root / "a" / "0.png").rename(root / "a" / "0.jpg")
    (root / "a" / "1.png").rename(root / "a" / "1.bin")
    assert len(build(root)) == 6


def test_too_many_refused_stops_with_the_first_reasons(folder):
    root = folder({"a": 10, "b": 10})
    for i in range(5):
        (root / "b" / f"bad{i}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"5 of 25 images are refused \(20.0%\).*bad0.*bad1.*bad2.*2 more") as error:
        build(root)
    one_sentence(error)
    assert len(build(root, max_refused_fraction=0.2)) == 20


def test_a_class_of_which_nothing_is_left(folder):
    root = folder({"a": 60, "b": 0, "c": 60})
    (root / "b" / "bad.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable image is left of 'b'.*bad.jpg.*0 bytes") as error:
        build(root)
    one_sentence(error)


def test_limits(folder):
    root = folder({"a": 3, "b": 3})
    (root / "a" / "big.png").write_bytes(bytes(5000))
    found = reasons(build(root, limits=Limits(max_bytes=4000), max_refused_fraction=0.5))
    assert "max_bytes" in found[os.path.join("a", "big.png")]
    with pytest.raises(DataError, match="max_pixels"):
        build(root, limits=Limits(max_pixels=29))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_pipes_and_sockets_are_never_opened(folder, monkeypatch):
    root = folder({"a": 10, "b": 10})
    os.mkfifo(root / "a" / "pipe.jpg")
    os.symlink(root / "a" / "pipe.jpg", root / "b" / "link.jpg")
    listening = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(root / "b")
    listening.bind("s.png")
    with listening:
        found = reasons(build(root, max_refused_fraction=0.3))
    assert "FIFO" in found[os.path.join("a", "pipe.jpg")]
    assert "FIFO" in found[os.path.join("b", "link.jpg")]
    assert "socket" in found[os.path.join("b", "s.png")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_file_that_becomes_a_pipe_is_not_waited_for(folder):
    root = folder({"a": 10, "b": 10})
    source = open_source(root)
    (root / "a" / "0.png").unlink()
    os.mkfifo(root / "a" / "0.png")
    (root / "a" / "1.png").unlink()
    found = reasons(build_catalogue(source, limits=Limits(), threads=2, max_refused_fraction=0.2))
    assert "FIFO" in found[os.path.join("a", "0.png")]
    assert "no such file" in found[os.path.join("a", "1.png")]


@pytest.mark.skipif(os.name == "nt", reason="links need privileges on Windows")
def test_links(folder, tmp_path):
    root = folder({"a": 3, "b": 3})
    elsewhere = folder({"more": 2}, "elsewhere")
    os.symlink(root, root / "a" / "above")
    os.symlink("/", root / "a" / "top")
    os.symlink(root / "a" / "self", root / "a" / "self")
    os.symlink(root / "a" / "nowhere", root / "a" / "broken.jpg")
    os.symlink(root / "b", root / "a" / "across")
    os.symlink(elsewhere / "more", root / "c")
    os.symlink(elsewhere, elsewhere / "more" / "back")
    os.symlink(root / "a" / "0.png", root / "a" / "copy.png")
    source = open_source(root)
    assert source.class_names == ("a", "b", "c")
    assert np.bincount(source.labels).tolist() == [4, 3, 2]
    found = {refusal.name for refusal in source.refused}
    assert {os.path.join("a", name) for name in ("above", "top", "self", "broken.jpg", "across")} <= found
    assert os.path.join("c", "back", "more") in found


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable to this user")
def test_unreadable_file_and_folder(folder):
    root = folder({"a": 10, "b": 10})
    (root / "a" / "0.png").chmod(0)
    (root / "b" / "shut").mkdir(mode=0)
    found = reasons(build(root, max_refused_fraction=0.3))
    assert "permission denied" in found[os.path.join("a", "0.png")]
    assert "permission denied" in found[os.path.join("b", "shut")]


def test_unreadable_file_by_an_injected_fault(folder, monkeypatch):
    root = folder({"a": 10, "b": 10})
    opened = os.open

    def faulty(path, *rest, **named):
        if os.fsdecode(path).endswith(os.path.join("a", "0.png")):
            raise PermissionError(13, "Permission denied")
        if os.fsdecode(path).endswith(os.path.join("a", "1.png")):
            raise OSError(5, "Input/output error")
        return opened(path, *rest, **named)

    monkeypatch.setattr(os, "open", faulty)
    found = reasons(build(root, threads=2, max_refused_fraction=0.2))
    assert "permission denied" in found[os.path.join("a", "0.png")]
    assert "input/output error" in found[os.path.join("a", "1.png")]


def test_memory_that_runs_out_refuses_one_picture(folder, monkeypatch):
    from sightline.data.folder import FolderSource

    read = FolderSource.read

    def hungry(self, index, most):
        if self.names[index].endswith(os.path.join("a", "3.png")):
            raise MemoryError
        return read(self, index, most)

    monkeypatch.setattr(FolderSource, "read", hungry)
    found = reasons(build(folder({"a": 10, "b": 10})))
    assert "memory" in found[os.path.join("a", "3.png")]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.csv", "", "no column for the picture among none"),
        ("t.csv", "file,price\na.png,3\n", "no column for the label among 'file', 'price'"),
        ("t.csv", "file,label\n", "no images"),
        ("t.csv", "file,label\na.png\n,cat\n", "no images.*names no file|no images.*no label"),
        ("t.jsonl", '{"file": "a.png", "label": 1}\n{"file"', "line 2: not JSON"),
        ("t.jsonl", "[1, 2]\n", "found list"),
        ("t.jsonl", '{"file": "a.png", "label": [1, 2]}\n', "several labels"),
        ("t.jsonl", '{"file": "\\ud800.png", "label": 1}\n', "names no file"),
        ("t.parquet", "PAR1", "not a whole Parquet file"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, name, text, says):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=says) as error:
        build(tmp_path / name)
    assert "t." in one_sentence(error)


def probed(data, limits):
    try:
        return probe(data, limits), None
    except Refused as error:
        return None, error.reason


def test_hostile_files_are_refused_or_have_a_size(real):
    """4,610 broken files: the header is read or refused with one reason, whatever Pillow throws."""
    limits = Limits(max_pixels=50_000_000)
    refused = seen = 0
    with tarfile.open(real("bad-images.tar.gz")) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            seen += 1
            header, reason = probed(file.read(), limits)
            if header is None:
                refused += 1
                assert reason
                assert "\n" not in reason
            else:
                assert min(header.width, header.height) >= 1
                assert header.channels in (1, 3)
    assert seen > 4000
    assert refused > 50
