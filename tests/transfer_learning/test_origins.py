"""Weights from the hub: out of a cache in its own layout, from a server that speaks its protocol, or one sentence."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_stand_in import COMMIT, cached, served
from safetensors.torch import save

from sightline import model, network, preprocessing
from sightline.errors import MissingLibraryError, ModelFileError, RecipeError
from sightline.model import format as file_format
from sightline.recipe import Recipe
from sightline.recipe import network as recipe
from sightline.transfer_learning import read
from sightline.transfer_learning.hub import Place

SECTION = recipe.ResNet(depth=18, stem="small", width=4, dropout=0.0, initialization=recipe.He())
FOUND = {"depth": 18, "stem": "small", "width": 4}
TIMMS = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7], "input_size": [3, 48, 64], "num_classes": 5}

READ = """
import json, sys
from sightline.errors import SightlineError
from sightline.transfer_learning import read
found = {}
for origin in sys.argv[1:]:
    try:
        weights = read(origin)
    except SightlineError as error:
        found[origin] = {"says": str(error), "code": error.exit_code}
        continue
    found[origin] = {
        "network": weights.network.model_dump(mode="json"),
        "tensors": len(weights.tensors),
        "channels": weights.channels,
        "image_size": weights.image_size,
        "mean": None if weights.statistics is None else weights.statistics.mean.tolist(),
        "deviation": None if weights.statistics is None else weights.statistics.deviation.tolist(),
        "statistics_of": weights.statistics_of,
        "sealed": weights.sealed is not None,
        "classes": weights.class_names,
    }
print(json.dumps(found))
"""


def read_apart(*origins: str, cache: Path, **environment: str) -> dict[str, dict[str, Any]]:
    """Read in a process of its own: huggingface_hub looks at its variables when it is imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", READ, *origins],
        capture_output=True,
        text=True,
        check=False,
        env={
            **kept,
            "HF_HUB_CACHE": str(cache),
            "HF_HOME": str(cache / "home"),
            "NO_PROXY": "127.0.0.1",
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    built = network.build(SECTION, channels=3, classes=5, image_size=(32, 32))
    network.initialize(built, network.build_scheme(SECTION), seed=0)
    return dict(built.state_dict())


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sealed") / "model.safetensors"
    section = recipe.LeNet(width=0.2, dropout=0.0, initialization=recipe.He())
    built = network.build(section, channels=3, classes=2, image_size=(12, 12))
    network.initialize(built, network.build_scheme(section), seed=0)
    pixels = torch.randint(0, 256, (4, 12, 12, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model.seal(
        path,
        network=built,
        network_section=section,
        statistics=preprocessing.fit(
            [pixels.numpy()], center="channel", scale="channel", decorrelate="none", epsilon=1e-2
        ),
        input_rules=model.InputRules(
            image_size=(12, 12), channels=3, resize="fit", padding_value=0, decoder="pillow", decoder_version="Pillow 1"
        ),
        class_names=("cat", "dog"),
        recipe=Recipe(),
        reasons={},
        source="pets",
        data_digest="ab12",
        metrics={},
    )
    return path


@pytest.fixture(scope="module")
def offline(state: dict[str, torch.Tensor], sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process without a network finds in a cache of many repositories."""
    weights, cache = save(state), tmp_path_factory.mktemp("hub")
    described = {"architecture": "resnet18", "num_classes": 5, "pretrained_cfg": TIMMS}
    repos = {
        "timm/described": {"model.safetensors": weights, "config.json": json.dumps(described).encode()},
        "old/flat": {"model.safetensors": weights, "config.json": json.dumps({**described, **TIMMS}).encode()},
        "any/plain": {"model.safetensors": weights},
        "any/other-name": {"resnet.safetensors": weights, "config.json": b'{"model_type": "resnet"}'},
        "any/brain": {"model.safetensors": save({key: each.bfloat16() for key, each in state.items()})},
        "me/sealed": {"model.safetensors": sealed.read_bytes()},
        "any/pickle": {"pytorch_model.bin": pickle.dumps({}), "config.json": b"{}"},
        "any/nothing": {"README.md": b"# Nothing"},
        "any/parts": {"model-1-of-2.safetensors": weights, "model-2-of-2.safetensors": weights},
        "any/torn": {"model.safetensors": weights[:1000]},
        "any/foreign": {"model.safetensors": save({"encoder": torch.ones(2, 2)})},
        "timm/foreign": {
            "model.safetensors": save({"patch_embed.proj.weight": torch.ones(2, 3, 4, 4)}),
            "config.json": json.dumps({**described, "architecture": "vit_tiny"}).encode(),
        },
        "any/bad-config": {"model.safetensors": weights, "config.json": b"{"},
        "any/bad-numbers": {"model.safetensors": weights, "config.json": b'{"mean": [0.1], "std": [0, 1, 2]}'},
    }
    for repo, files in repos.items():
        cached(cache, repo, files)
    cached(cache, "any/tagged", {"model.safetensors": weights}, revision="v1.0")
    origins = [
        *(f"hub:{repo}" for repo in repos),
        "hub:any/tagged@v1.0",
        f"hub:any/tagged@{COMMIT}",
        "hub:any/tagged",
        "hub:any/absent",
    ]
    return read_apart(*origins, cache=cache, HF_HUB_OFFLINE="1")


def test_timms_description_gives_preprocessing_and_size(offline: dict[str, Any]) -> None:
    for origin in ("hub:timm/described", "hub:old/flat"):
        found = offline[origin]
        assert found["network"]["name"] == "resnet"
        assert {key: found["network"][key] for key in FOUND} == FOUND
        assert (found["mean"], found["deviation"]) == (TIMMS["mean"], TIMMS["std"])
        assert found["image_size"] == [48, 64]
        assert found["statistics_of"] == f"those that {origin} says it was trained with"


@pytest.mark.parametrize(
    "origin", ["any/plain", "any/other-name", "any/brain", "any/tagged@v1.0", f"any/tagged@{COMMIT}"]
)
def test_weights_without_such_a_description_are_read_as_those_of_a_file(
    origin: str, offline: dict[str, Any], state: dict[str, torch.Tensor]
) -> None:
    found = offline[f"hub:{origin}"]
    assert {key: found["network"][key] for key in FOUND} == FOUND
    assert (found["tensors"], found["channels"], found["image_size"]) == (len(state), 3, None)
    assert found["statistics_of"].startswith("ImageNet's")


def test_a_sealed_model_at_the_hub_is_one_here(offline: dict[str, Any]) -> None:
    found = offline["hub:me/sealed"]
    assert found["sealed"]
    assert found["classes"] == ["cat", "dog"]
    assert found["image_size"] == [12, 12]
    assert found["statistics_of"] == "those of pets, sealed in the model"


@pytest.mark.parametrize(
    ("repo", "says"),
    [
        ("any/pickle", r"the copy in .* has pytorch_model\.bin, a pickle, and no safetensors .* sightline convert"),
        ("any/nothing", r"the copy in .* has no safetensors file\. Wanted model\.safetensors, or one other"),
        ("any/parts", r"has 2 safetensors files \(model-1-of-2\.safetensors, .*\) and no model\.safetensors"),
        ("any/torn", "cannot be read as safetensors"),
        ("any/foreign", r"found 1 tensors \(encoder, …\) of no network known here"),
        ("timm/foreign", r"of no network known here\. .* timm knows it as vit_tiny: .*transfer\.weights=timm:vit_tiny"),
        ("any/bad-config", r"its config\.json cannot be read"),
        ("any/bad-numbers", r"has the mean \[0\.1\] and the deviation \[0, 1, 2\]; wanted 3 numbers each"),
        ("any/tagged", r"main is not in .*, and HF_HUB_OFFLINE keeps it from being downloaded"),
        ("any/absent", r"main is not in .*, and HF_HUB_OFFLINE keeps it from being downloaded"),
    ],
)
def test_what_is_of_no_use_is_one_sentence(repo: str, says: str, offline: dict[str, Any]) -> None:
    found = offline[f"hub:{repo}"]
    assert re.search(says, found["says"]), found["says"]
    assert found["says"].startswith(f"hub:{repo}: ")
    assert "\n" not in found["says"]
    assert found["code"] == ModelFileError.exit_code


def test_what_is_not_cached_is_downloaded_once(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    config = json.dumps({"architecture": "resnet18", "pretrained_cfg": TIMMS}).encode()
    repos = {
        "any/plain": {"model.safetensors": save(state)},
        "any/described": {"only.safetensors": save(state), "config.json": config, "README.md": b"Hello"},
        "any/pickle": {"pytorch_model.bin": b""},
    }
    origins = ["hub:any/plain", "hub:any/described"]
    wrong = ["hub:any/pickle", "hub:any/absent", "hub:any/plain@v9"]
    with served(repos) as (address, asked):
        first = read_apart(*origins, *wrong, cache=tmp_path, HF_ENDPOINT=address)
        assert first["hub:any/plain"]["tensors"] == len(state)
        assert first["hub:any/described"]["mean"] == TIMMS["mean"]
        assert "the repository has pytorch_model.bin, a pickle" in first["hub:any/pickle"]["says"]
        assert "the hub has no any/absent that you may see" in first["hub:any/absent"]["says"]
        assert "any/plain has no revision v9. Leave it out" in first["hub:any/plain@v9"]["says"]
        assert any(each.startswith("GET /any/plain/resolve") for each in asked)
        assert not any("README" in each for each in asked)
        asked.clear()
        assert read_apart(origins[1], cache=tmp_path, HF_ENDPOINT=address)[origins[1]] == first[origins[1]]
        assert asked == []
    assert read_apart(*origins, cache=tmp_path, HF_HUB_OFFLINE="1") == {each: first[each] for each in origins}


@pytest.mark.parametrize(
    "name", ["", "resnet18", "timm/", "/resnet18", "a/b/c", "../x", "a/..", "a/b@", "a/b@../c", "a b/c", "a/b@v 1"]
)
def test_a_malformed_name_is_one_sentence(name: str) -> None:
    with pytest.raises(RecipeError, match=r"transfer\.weights: found hub:.*, wanted hub:OWNER/NAME"):
        read(f"hub:{name}")


def test_a_name_is_taken_apart() -> None:
    assert Place.of("hub:timm/resnet18.a1_in1k") == Place("hub:timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k", "main")
    assert Place.of("hub:a/b@refs/pr/3").revision == "refs/pr/3"


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingLibraryError, match=r"hub:a/b: .* Install it: pip install \"sightline\[hub\]\""):
        read("hub:a/b")
    monkeypatch.setitem(sys.modules, "timm", None)
    says = r"timm is not installed\. Install it: pip install \"sightline\[timm\]\""
    with pytest.raises(MissingLibraryError, match=says):
        read("timm:resnet18")
    section = recipe.Timm(architecture="resnet18", dropout=0.0)
    with pytest.raises(MissingLibraryError, match=says):
        network.build(section, channels=3, classes=2, image_size=(64, 64))
    # As where torchvision was built for another torch.
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm")
    with pytest.raises(MissingLibraryError, match=r"cannot be imported \(operator torchvision::nms does not exist\)"):
        read("timm:resnet18")


def test_a_sealed_network_of_timm_says_that_timm_is_missing(
    sealed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with sealed.open("rb") as file:
        header = file_format.read_header(file, size=sealed.stat().st_size, name="sealed")
        tensors = file_format.read_tensors(file, header, name="sealed")
    description = json.loads(header.description)
    for architecture, says in [
        ("resnet18", r"model\.safetensors: network\.architecture resnet18: needs timm; timm is not installed"),
        # timm would download what such a name says.
        ("hf-hub:evil/network", "architecture"),
        ("local-dir:/tmp", "architecture"),
    ]:
        description["network"] = {"name": "timm", "architecture": architecture, "dropout": 0.0}
        (tmp_path / "model.safetensors").write_bytes(file_format.encode(json.dumps(description), tensors))
        monkeypatch.setitem(sys.modules, "timm", None)
        with pytest.raises(ModelFileError, match=says):
            model.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "choice",
    [{"activation": "gelu"}, {"normalization": "group"}, {"pooling": "average"}, {"dropout_where": "blocks"}],
    ids=lambda choice: next(iter(choice)),
)
def test_what_timm_decides_is_no_choice(choice: dict[str, str]) -> None:
    says = rf"network\.{next(iter(choice))}: found \"\w+\" with an architecture of timm, which has its own"
    with pytest.raises(RecipeError, match=says):
        Recipe(network={"name": "timm", **choice})
    assert Recipe(network={"name": "timm", "head": "hidden", "activation": "gelu"}).network.activation == "gelu"
