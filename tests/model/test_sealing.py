"""Sealing and loading: what goes in comes out, and a file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sightline import model, writing
from sightline.errors import ModelFileError, OutputError
from sightline.preprocessing import Statistics
from sightline.recipe import Recipe
from sightline.recipe.network import VGG, AutoNetwork, He, LeNet, ResNet


def test_what_is_sealed_is_loaded(loaded: model.Model, tiny: Any) -> None:
    assert loaded.class_names == ("cat", "dog", "émeu")
    assert loaded.metrics == {"test": {"accuracy": 0.75, "loss": None, "confusion": [[1, 0], [0, 1]]}}
    assert loaded.recipe == Recipe()
    assert loaded.reasons == {"data.channels": "every picture is gray"}
    description = loaded.description
    assert description.inputs == tiny.rules()
    assert description.network == tiny.section
    assert (description.source, description.data_digest) == ("pets", "ab12")
    assert set(description.versions) == {"sightline", "python", "torch", "numpy"}


@pytest.mark.parametrize("matrix", [False, True])
def test_the_network_computes_what_was_sealed(matrix: bool, tiny: Any, tmp_path: Path) -> None:
    from sightline import preprocessing

    rules = tiny.rules()
    statistics = tiny.statistics(rules, matrix=matrix)
    network = tiny.made().eval()
    sealed = model.load(tiny.seal(tmp_path / "m", statistics=statistics))
    pixels = torch.from_numpy(np.random.default_rng(5).integers(0, 256, (9, 12, 10, 1)).astype(np.uint8))
    with torch.inference_mode():
        wanted = network(preprocessing.module(statistics)(pixels))
    np.testing.assert_allclose(sealed.scores(pixels), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sealed.probabilities(pixels), wanted.softmax(1), rtol=1e-4, atol=1e-6)


def test_no_statistics_at_all(tiny: Any, tmp_path: Path) -> None:
    sealed = model.load(tiny.seal(tmp_path / "m", statistics=Statistics(None, None, None)))
    assert sealed.probabilities(np.zeros((2, 12, 10, 1), np.uint8)).shape == (2, 3)


def test_the_memory_layout_of_weights_does_not_matter(sealed: Path, tiny: Any, tmp_path: Path) -> None:
    network = tiny.made().to(memory_format=torch.channels_last)
    assert tiny.seal(tmp_path / "m", network=network).read_bytes() == sealed.read_bytes()


def test_a_network_that_could_not_be_loaded_is_not_sealed(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "m"
    with pytest.raises(ValueError, match="wanted float32 of shape"):
        tiny.seal(path, network=tiny.made(LeNet(width=0.5, dropout=0.0, initialization=He())))
    with pytest.raises(ValueError, match="missing"):
        tiny.seal(path, network=torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="wanted float32"):
        tiny.seal(path, network=tiny.made().double())
    with pytest.raises(ValueError, match="resolve the recipe first"):
        tiny.seal(path, network_section=AutoNetwork(), network=tiny.made())
    with pytest.raises(ValueError, match="does not fit pictures"):
        tiny.seal(path, statistics=Statistics(np.zeros(3), None, None))
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_as_readable_as_others(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert stat.S_IMODE(sealed.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


@pytest.mark.parametrize("call", ["open", "fsync", "write"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_keeps_its_older_file(
    call: str, code: int, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"older")
    fdopen = os.fdopen

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    def failing_file(*arguments: Any, **named: Any) -> Any:
        file = fdopen(*arguments, **named)
        file.write(b"half")
        return type("Half", (), {"__enter__": lambda self: self, "__exit__": lambda *_: file.close(), "write": fail})()

    match call:
        case "open":
            monkeypatch.setattr(writing.os, "open", fail)
        case "fsync":
            monkeypatch.setattr(writing.os, "fsync", fail)
        case "write":
            monkeypatch.setattr(writing.os, "fdopen", failing_file)
    with pytest.raises(OutputError) as caught:
        tiny.seal(path)
    monkeypatch.undo()
    assert str(caught.value).startswith(f"{path}: cannot be written ({os.strerror(code).lower()}")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_places_that_are_no_places(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a directory"):
        tiny.seal(tmp_path)
    with pytest.raises(OutputError, match="no such file or directory"):
        tiny.seal(tmp_path / "absent" / "m")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a directory"):
        tiny.seal(tmp_path / "file" / "m")
    with pytest.raises(OutputError, match="name too long"):
        tiny.seal(tmp_path / ("m" * 300))


def test_an_interrupted_sealing_leaves_nothing(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tiny.seal(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_loading_imports_no_training_code(sealed: Path) -> None:
    script = (
        "import sys\nfrom sightline.model import load\nload(sys.argv[1]).predict(sys.argv[2])\n"
        "unwanted = ('sightline.training', 'sightline.optimization', 'sightline.classifier', 'sklearn', 'pyarrow')\n"
        "print([m for m in sys.modules if m.startswith(unwanted)])"
    )
    picture = sealed.with_name("picture.png")
    from PIL import Image

    Image.new("L", (20, 20), 90).save(picture)
    ran = subprocess.run([sys.executable, "-c", script, sealed, picture], capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "[]"


def hostile(path: Path, tiny: Any, *, tensors: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Seal a model, then change its description and tensors and compute all digests anew, as an attacker would."""
    import json

    from sightline.model.format import digest_of_tensors, encode

    data = tiny.seal(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    description = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["description"])
    import safetensors.numpy

    arrays = safetensors.numpy.load(data)
    for name, array in (tensors or {}).items():
        if array is None:
            del arrays[name]
        else:
            arrays[name] = array
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        inside = description
        for parent in parents:
            inside = inside[parent]
        inside[last] = value
    description["weights_digest"] = digest_of_tensors(arrays)
    path.write_bytes(encode(json.dumps(description), arrays))
    return path


HUGE = VGG(widths=(4096,) * 8, convolutions=(16,) * 8, dropout=0.0, initialization=He()).model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"network__name": "transformer"}, "network cannot be read"),
        ({"network__name": "auto"}, "cannot be"),
        ({"network__width": 64.0}, "wanted float32 of shape"),
        ({"network__dropout": "auto"}, "cannot be built"),
        ({"network": HUGE}, "missing|cannot be built"),
        ({"network": ResNet(depth=50, width=512, stem="large", dropout=0.0).model_dump(mode="json")}, "missing"),
        ({"network__width": 1e999}, "description is not valid JSON"),
        ({"class_names": ["cat", "dog"]}, "wanted float32 of shape"),
        ({"class_names": ["cat", "dog", "cat"]}, "same name"),
        ({"class_names": []}, "class_names cannot be read"),
        ({"class_names": [1, 2, 3]}, "class_names.* cannot be read"),
        ({"inputs__image_size": [10_000_000, 10_000_000]}, "image_size.* cannot be read"),
        ({"inputs__image_size": [4096, 4096]}, "wanted float32 of shape"),
        ({"inputs__channels": 3}, "wanted float32 of shape"),
        ({"inputs__decoder": "os.system"}, "decoder cannot be read"),
        ({"inputs__padding_value": -1}, "padding_value cannot be read"),
        ({"surprise": 1}, "surprise cannot be read"),
        ({"temperature": 0.0}, "temperature cannot be read"),
        ({"temperature": -1.0}, "temperature cannot be read"),
        ({"temperature": 21.0}, "temperature cannot be read"),
        ({"temperature": "1"}, "temperature cannot be read"),
        ({"data_digest": "\x1b[31m"}, "data_digest cannot be read"),
        ({"tensors": {"network.conv1.bias": None}}, "network.conv1.bias is missing"),
        ({"tensors": {"network.conv1.bias": np.zeros(2, np.float32)}}, "network.conv1.bias has float32 of shape"),
        ({"tensors": {"network.conv1.bias": np.zeros(1)}}, "network.conv1.bias has float64"),
        ({"tensors": {"network.conv1.bias": np.full(1, np.nan, np.float32)}}, "not finite"),
        ({"tensors": {"network.more": np.zeros(1)}}, "does not know"),
        ({"tensors": {"more": np.zeros(1)}}, "does not know"),
        ({"tensors": {"preprocessing.more": np.zeros(1)}}, "unknown statistics"),
        ({"tensors": {"preprocessing.mean": np.zeros(5)}}, "does not fit pictures of 12 × 10"),
        ({"tensors": {"preprocessing.mean": np.zeros(1, np.float32)}}, "float64"),
        ({"tensors": {"preprocessing.deviation": np.zeros(1)}}, "not positive"),
        ({"tensors": {"preprocessing.matrix": np.zeros((120, 120), np.int64)}}, "float64"),
    ],
)
def test_hostile_content_with_true_digests(changes: dict[str, Any], says: str, tiny: Any, tmp_path: Path) -> None:
    path = hostile(tmp_path / "m.safetensors", tiny, **changes)
    with pytest.raises(ModelFileError, match=says) as caught:
        model.load(path)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_recipe_of_another_version_only_matters_when_asked_for(tiny: Any, tmp_path: Path) -> None:
    loaded = model.load(hostile(tmp_path / "m", tiny, recipe={"mixup": {"alpha": 0.2}}))
    assert loaded.probabilities(np.zeros((1, 12, 10, 1), np.uint8)).shape == (1, 3)
    assert loaded.description.recipe == {"mixup": {"alpha": 0.2}}
    with pytest.raises(ModelFileError, match="does not know"):
        _ = loaded.recipe


def test_weights_that_overflow_are_told(tiny: Any, tmp_path: Path) -> None:
    names = [n for n in tiny.made().state_dict() if n.endswith("weight")]
    last = f"network.{names[-1]}"
    shape = tuple(tiny.made().state_dict()[names[-1]].shape)
    path = hostile(tmp_path / "m", tiny, tensors={last: np.full(shape, 3e38, np.float32)})
    pixels = np.random.default_rng(0).integers(0, 256, (4, 12, 10, 1)).astype(np.uint8)
    with pytest.raises(ModelFileError, match="not finite"):
        model.load(path).probabilities(pixels)


@pytest.mark.parametrize(
    "section",
    [
        VGG(widths=(4, 8), convolutions=(1, 1), hidden=(5,), dropout=0.1, initialization=He()),
        VGG(widths=(8,), convolutions=(1,), normalization="group", dropout=0.0, initialization=He()),
        ResNet(depth=18, width=4, stem="small", dropout=0.0, initialization=He()),
        ResNet(depth=50, width=4, stem="large", dropout=0.0, initialization=He()),
    ],
    ids=lambda section: f"{section.name}-{section.normalization}",
)
def test_every_architecture_returns(section: Any, tiny: Any, tmp_path: Path) -> None:
    rules = tiny.rules(image_size=(36, 32), channels=3)
    path = tiny.seal(tmp_path / "m", network_section=section, input_rules=rules)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 36, 32, 3)).astype(np.uint8)
    assert torch.equal(model.load(path).scores(pixels), model.load_bytes(path.read_bytes()).scores(pixels))
