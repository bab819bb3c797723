"""The bytes: deterministic, readable by safetensors, and no change of them goes unseen."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from sightline import model
from sightline.errors import ModelFileError
from sightline.model.format import digest_of_tensors, encode, read_header, read_tensors


def header_of(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    parsed: dict[str, Any] = json.loads(data[8 : 8 + length])
    return parsed


def with_header(data: bytes, text: str) -> bytes:
    """Replace the header and leave its digest as it was."""
    length = int.from_bytes(data[:8], "little")
    head = text.encode()
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


def check(data: bytes) -> None:
    """Do what `load_bytes` does before it builds a network."""
    file = io.BytesIO(data)
    header = read_header(file, size=len(data), name="it")
    tensors = read_tensors(file, header, name="it")
    if digest_of_tensors(tensors) != json.loads(header.description)["weights_digest"]:
        raise ModelFileError("altered")


def test_the_same_content_gives_the_same_bytes_in_every_process(sealed: Path, tmp_path: Path, tiny: Any) -> None:
    data = sealed.read_bytes()
    assert tiny.seal(tmp_path / "again.safetensors").read_bytes() == data
    # The hash seed, and with it the order of sets, differs between processes.
    script = "import sys; from sightline import model; m = model.load(sys.argv[1]); print(m.description.to_json())"
    ran = subprocess.run(
        [sys.executable, "-c", script, sealed],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert ran.stdout.decode().strip() == model.load(sealed).description.to_json()


def test_safetensors_reads_what_we_write(sealed: Path, tiny: Any) -> None:
    read = safetensors.numpy.load_file(sealed)
    assert {name for name in read if name.startswith("preprocessing.")} == {
        "preprocessing.mean",
        "preprocessing.deviation",
    }
    assert read["preprocessing.mean"].dtype == np.float64
    for name, tensor in tiny.made().state_dict().items():
        np.testing.assert_array_equal(read[f"network.{name}"], tensor.numpy())


def test_ten_thousand_flipped_bytes_are_all_noticed(sealed: Path) -> None:
    data, chance = sealed.read_bytes(), random.Random(0)
    check(data)
    for _ in range(10_000):
        torn = bytearray(data)
        torn[chance.randrange(len(data))] ^= chance.randrange(1, 256)
        with pytest.raises(ModelFileError):
            check(bytes(torn))


def test_flipped_bytes_are_noticed_by_load_with_one_sentence(sealed: Path) -> None:
    data, chance = sealed.read_bytes(), random.Random(1)
    for _ in range(200):
        torn = bytearray(data)
        torn[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        with pytest.raises(ModelFileError) as caught:
            model.load_bytes(bytes(torn))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_every_byte_of_length_and_padding_counts(sealed: Path) -> None:
    data = sealed.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    padding = [at for at in range(end - 8, end) if data[at] == ord(" ")]
    for at in [*range(8), *padding]:
        for value in (0x09, 0x0A, 0x0D, 0x20, 0x00, 0x01, 0xFF):
            if data[at] != value:
                with pytest.raises(ModelFileError):
                    check(data[:at] + bytes([value]) + data[at + 1 :])


def test_a_file_cut_anywhere_or_longer_is_torn(sealed: Path) -> None:
    data = sealed.read_bytes()
    for end in [*range(12), *range(12, len(data), 37), len(data) - 1]:
        with pytest.raises(ModelFileError):
            check(data[:end])
    with pytest.raises(ModelFileError, match=r"the file is torn: its weights have .* bytes, but only .* follow"):
        model.load_bytes(data[:-1])
    with pytest.raises(ModelFileError, match="1 bytes follow the last weight"):
        model.load_bytes(data + b"\0")


def test_swapped_tensors_are_noticed(sealed: Path) -> None:
    """The header is intact and so are all bytes; two tensors of one shape changed places."""
    tensors = {"a": np.arange(4.0), "b": np.arange(4.0) + 1}
    swapped = {"a": tensors["b"], "b": tensors["a"]}
    assert digest_of_tensors(tensors) != digest_of_tensors(swapped)
    assert digest_of_tensors(tensors) == digest_of_tensors(dict(reversed(tensors.items())))
    assert digest_of_tensors({"a": np.zeros((2, 3))}) != digest_of_tensors({"a": np.zeros((3, 2))})
    assert digest_of_tensors({"a": np.zeros(2)}) != digest_of_tensors({"a": np.zeros(2, np.int64)})


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("kind", ["pickle", "torch", "legacy"])
def test_a_pickle_is_named_and_never_opened(kind: str, tmp_path: Path) -> None:
    path, sprung = tmp_path / "model.pth", tmp_path / "sprung"
    match kind:
        case "pickle":
            path.write_bytes(pickle.dumps(Trap(sprung)))
        case "torch":
            torch.save({"weight": Trap(sprung)}, path)
        case "legacy":
            torch.save({"weight": Trap(sprung)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelFileError, match=r"pickle.*could run any code"):
        model.load(path)
    assert not sprung.exists()


def test_a_foreign_safetensors_file(tmp_path: Path) -> None:
    for metadata in (None, {"format": "pt"}):
        path = tmp_path / "foreign.safetensors"
        safetensors.numpy.save_file({"weight": np.zeros(3, np.float32)}, path, metadata=metadata)
        with pytest.raises(ModelFileError, match="is a safetensors file, but not a model of Sightline"):
            model.load(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello", "is not a safetensors file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"\xff" * 64, "is not a safetensors file"),
        ((200).to_bytes(8, "little") + b"{}", "the file is torn: its header has 200 bytes"),
        ((2).to_bytes(8, "little") + b"[]", "not a JSON object"),
        ((2).to_bytes(8, "little") + b"{}", "is a safetensors file, but not a model"),
        ((0).to_bytes(8, "little"), "not valid JSON"),
        ((200_000).to_bytes(8, "little") + b"[" * 200_000, "nested too deeply"),
        ((9).to_bytes(8, "little") + b'{"a":NaN}', "not valid JSON"),
        ((2).to_bytes(8, "little") + b"\xff\xfe", "not valid JSON"),
    ],
)
def test_other_files(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=says) as caught:
        model.load(path)
    assert str(caught.value).startswith(str(path))


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    for name in ("a\0b", "a\ud800b"):
        with pytest.raises(ModelFileError, match="no file can have this name"):
            model.load(name)
    with pytest.raises(ModelFileError, match="no such file"):
        model.load(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="is a folder"):
        model.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="not a regular file"):
        model.load(tmp_path / "pipe")


def test_a_newer_format_says_so(sealed: Path) -> None:
    data = sealed.read_bytes()
    header = header_of(data)
    for version, says in (
        ("2", "Install a newer one"),
        ("0", "unknown format"),
        ("x" * 999, "unknown"),
        (3, "unknown"),
    ):
        header["__metadata__"]["format_version"] = version
        with pytest.raises(ModelFileError, match=says):
            model.load_bytes(with_header(data, json.dumps(header)))


def test_a_header_edited_by_hand_is_noticed(sealed: Path) -> None:
    data = sealed.read_bytes()
    header = header_of(data)
    header["__metadata__"]["description"] = header["__metadata__"]["description"].replace("0.75", "0.99")
    with pytest.raises(ModelFileError, match="the header changed after it was sealed"):
        model.load_bytes(with_header(data, json.dumps(header, separators=(",", ":"))))
    text = json.dumps(header_of(data), separators=(",", ":"))
    with pytest.raises(ModelFileError, match="occurs twice"):
        model.load_bytes(with_header(data, text[:-1] + ',"network.conv1.bias":{}}'))


@pytest.mark.parametrize(
    "change",
    [
        {"data_offsets": [0, 3]},
        {"data_offsets": [-8, 4]},
        {"data_offsets": [0]},
        {"data_offsets": [True, 8]},
        {"data_offsets": [0, 2**70]},
        {"shape": [2**40, 2**40]},
        {"shape": [-1]},
        {"shape": [1.0]},
        {"shape": 1},
        {"dtype": "BF16"},
        {"dtype": ["F32"]},
        {"more": 1},
    ],
)
def test_impossible_tensors(change: dict[str, Any]) -> None:
    """The digest is right, since whoever writes such a file can compute it."""
    good = encode("{}", {"a": np.zeros(1)})
    header = header_of(good)
    header["a"] |= change
    header["__metadata__"]["digest"] = "0" * 64
    with pytest.raises(ModelFileError, match=r"tensor 'a'|bytes follow|torn"):
        check(resigned(header, good))


def resigned(header: dict[str, Any], good: bytes) -> bytes:
    from sightline.model.format import _digest_of_head

    text = json.dumps(header, separators=(",", ":")).encode()
    head = len(text).to_bytes(8, "little") + text
    head = head.replace(b'"digest":"' + b"0" * 64, b'"digest":"' + _digest_of_head(head).encode())
    return head + good[8 + int.from_bytes(good[:8], "little") :]


def test_overlapping_tensors_and_gaps() -> None:
    good = encode("{}", {"a": np.zeros(1), "b": np.zeros(1)})
    for place in ([0, 8], [9, 17]):
        header = header_of(good)
        header["b"]["data_offsets"] = place
        header["__metadata__"]["digest"] = "0" * 64
        with pytest.raises(ModelFileError, match="does not fill its place"):
            check(resigned(header, good))


def test_a_tensor_named_like_the_digest_changes_nothing() -> None:
    tricky = {"digest": np.zeros(1), '"digest":"' + "0" * 64 + '"': np.ones(2)}
    description = json.dumps({"weights_digest": digest_of_tensors(tricky), "digest": "0" * 64})
    check(encode(description, tricky))


def test_a_dtype_that_cannot_be_sealed(tiny: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="float16"):
        encode("{}", {"a": np.zeros(1, np.float16)})
