"""Architectures and weights of timm: built, filled, sealed and loaded as any other network, and equal to timm's own.

Skipped where timm cannot be imported. Its published torchvision imports only beside a matching build of torch; where
that is not so, SIGHTLINE_TORCHVISION_SHIM may name the folder of a module `torchvision_shim` that is imported first.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_stand_in import cached
from safetensors.torch import save

from sightline import model, network, preprocessing
from sightline.errors import ModelFileError, RecipeError
from sightline.recipe import Recipe
from sightline.recipe import network as recipe
from sightline.transfer_learning import Weights, fit, layers, outputs, read

SHIM = os.environ.get("SIGHTLINE_TORCHVISION_SHIM", "")
# Of one kind each: residual, tokens with and without tables of positions, windows, one-dimensional normalization.
ARCHITECTURES = {
    "test_resnet": 64,
    "test_convnext": 64,
    "test_efficientnet": 64,
    "test_vit": 160,
    "test_vit_relpos": 160,
    "test_maxvit": 160,
    "swin_tiny_patch4_window7_224": 224,
    "levit_128s": 224,
}
NAME = "test_resnet.r160_in1k"


@pytest.fixture(scope="module")
def timm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if SHIM:
                sys.path.append(SHIM)
                importlib.import_module("torchvision_shim")
            return importlib.import_module("timm")
        except (ImportError, RuntimeError) as error:
            pytest.skip(f"timm cannot be imported: {error}")


def section_of(architecture: str, **choices: Any) -> recipe.Timm:
    return recipe.Timm(architecture=architecture, dropout=0.0, initialization=recipe.He(), **choices)


def made(section: recipe.Timm, *, side: int, channels: int = 3, classes: int = 3, seed: int = 0) -> torch.nn.Module:
    built = network.build(section, channels=channels, classes=classes, image_size=(side, side))
    network.initialize(built, network.build_scheme(section), seed=seed)
    return built


def pictures(side: int, *, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_features_are_timms_own_to_the_last_bit(architecture: str, timm: Any) -> None:
    side = ARCHITECTURES[architecture]
    theirs = timm.create_model(architecture, pretrained=False, num_classes=0).eval()
    ours = made(section_of(architecture), side=side).eval()
    assert {f"backbone.{name}" for name in theirs.state_dict()} == {
        name for name in ours.state_dict() if not name.startswith("head.")
    }
    ours.backbone.load_state_dict(theirs.state_dict())
    batch = pictures(side)
    with torch.no_grad():
        features = ours.pool(ours.maps(batch))
        assert torch.equal(features, theirs.forward_head(theirs.forward_features(batch), pre_logits=True))
        assert torch.equal(ours(batch), ours.classify(features))
    assert ours(batch).shape == (2, 3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_building_draws_nothing_and_training_reaches_every_weight(architecture: str, timm: Any) -> None:
    side, before = ARCHITECTURES[architecture], torch.get_rng_state()
    section = section_of(architecture, head="hidden", head_units=8)
    built = network.build(section, channels=1, classes=3, image_size=(side, side))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(parameter.any() for parameter in built.parameters())
    assert not any(tensor.is_meta for tensor in (*built.parameters(), *built.buffers()))
    assert built.training
    network.initialize(built, network.build_scheme(section), seed=0)
    built(pictures(side, channels=1)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize("architecture", ["test_vit", "levit_128s", "hrnet_w18_small"])
def test_every_parameter_belongs_to_one_layer_and_layers_are_heard(architecture: str, timm: Any) -> None:
    side = ARCHITECTURES.get(architecture, 64)
    built = made(section_of(architecture), side=side).eval()
    found = layers(built)
    assert sorted(name for layer in found for name in layer.parameters) == sorted(dict(built.named_parameters()))
    said = outputs(built, [pictures(side), pictures(side)[:0], pictures(side)[:1]], found)
    assert {array.shape[0] for array in said.values()} == {3}
    assert {"head", found[0].name} <= said.keys() <= {layer.name for layer in found}
    if architecture == "test_vit":
        assert {"backbone.cls_token", "backbone.pos_embed"} <= set(found[0].parameters)


@pytest.mark.parametrize(
    ("architecture", "part", "places"),
    [
        ("test_resnet", "layer2.0", (2, 3)),
        ("test_vit", "blocks.1", (1,)),
        ("swin_tiny_patch4_window7_224", "layers.1", (1, 2)),
    ],
)
def test_what_a_layer_says_is_the_mean_over_places(architecture: str, part: str, places: Any, timm: Any) -> None:
    """Maps come first, last, or are a transformer's units: the mean is never over them."""
    side = ARCHITECTURES[architecture]
    built, kept = made(section_of(architecture), side=side).eval(), []
    built.backbone.get_submodule(part).register_forward_hook(lambda *given: kept.append(given[2].numpy()))
    said = outputs(built, [pictures(side)], layers(built))
    np.testing.assert_allclose(said[f"backbone.{part}"], kept[0].mean(axis=places), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sealed_model_answers_as_the_network_did(architecture: str, timm: Any, tmp_path: Path) -> None:
    side = ARCHITECTURES[architecture]
    section = section_of(architecture)
    built = made(section, side=side)
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3)).astype(np.uint8)
    statistics = preprocessing.fit([pixels], center="channel", scale="channel", decorrelate="none", epsilon=1e-2)
    model.seal(
        tmp_path / "model.safetensors",
        network=built,
        network_section=section,
        statistics=statistics,
        input_rules=model.InputRules(
            image_size=(side, side), channels=3, resize="fit", padding_value=0, decoder="pillow", decoder_version="1"
        ),
        class_names=("a", "b", "c"),
        recipe=Recipe(),
        reasons={},
        source="noise",
        data_digest="ab12",
        metrics={},
    )
    loaded = model.load(tmp_path / "model.safetensors")
    with torch.no_grad():
        expected = built.eval()(preprocessing.module(statistics)(torch.from_numpy(pixels)))
    torch.testing.assert_close(loaded.scores(pixels), expected, rtol=1e-4, atol=1e-4)
    again = read(tmp_path / "model.safetensors")
    assert again.network == section
    other = made(section, side=side, seed=1)
    found = fit(other, again, keep_head=True)
    assert found.new == found.left_over == ()


def test_what_timm_does_not_have_or_take_is_one_sentence(timm: Any) -> None:
    with pytest.raises(RecipeError, match=r"found resnet81, wanted .*timm\.list_models.* Did you mean resnet"):
        made(section_of("resnet81"), side=64)
    with pytest.raises(
        RecipeError, match=r"data\.image_size: found 64 × 64, but test_vit of timm takes 160 × 160 only"
    ):
        made(section_of("test_vit"), side=64)
    with pytest.raises(RecipeError, match=r"data\.image_size: found 8 × 8, of which vgg11 of timm makes no features"):
        made(section_of("vgg11"), side=8)
    for name in ("hf-hub:a/b", "local-dir:/tmp", "a/b", "resnet18 ", ""):
        with pytest.raises(RecipeError, match="architecture"):
            section_of(name)


READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
shim, *origins = sys.argv[1:]
if shim:
    sys.path.append(shim)
    import torchvision_shim
import torch
from sightline.errors import SightlineError
from sightline.transfer_learning import read
found = {}
for origin in origins:
    before = torch.get_rng_state()
    try:
        weights = read(origin)
    except SightlineError as error:
        found[origin] = {"says": str(error), "code": error.exit_code}
        continue
    assert torch.equal(torch.get_rng_state(), before)
    found[origin] = {
        "section": weights.network.model_dump(mode="json"),
        "digest": weights.digest,
        "names": list(weights.tensors),
        "channels": weights.channels,
        "image_size": weights.image_size,
        "mean": weights.statistics.mean.tolist(),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def offline(timm: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], torch.nn.Module]:
    """What a process without a network reads of weights that lie in a cache, and timm's module of one of them."""
    cache = tmp_path_factory.mktemp("hub")
    theirs = timm.create_model("test_resnet", pretrained=False)
    whole = theirs.state_dict()
    cached(cache, f"timm/{NAME}", {"model.safetensors": save(whole)})
    vit = timm.create_model("test_vit", pretrained=False).state_dict()
    cached(cache, "timm/test_vit.r160_in1k", {"model.safetensors": save(vit)})
    without = {name: tensor for name, tensor in whole.items() if name != "layer1.0.conv1.weight"}
    cached(cache, "timm/resnet18.a1_in1k", {"model.safetensors": save(without)})
    cached(cache, "timm/resnet34.a1_in1k", {"model.safetensors": save(whole)[:1000]})
    cached(cache, "timm/resnet50.a1_in1k", {"pytorch_model.bin": b""})
    origins = [
        f"timm:{NAME}", "timm:test_resnet", "timm:test_vit", "timm:resnet18.a1_in1k", "timm:resnet34.a1_in1k",
        "timm:resnet50.a1_in1k", "timm:resnet101", "timm:resnet81", "timm:resnet18.nobody", "timm:hf-hub:a/b",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", READ, SHIM, *origins],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), theirs


def test_weights_are_found_at_the_hub_and_are_timms(offline: tuple[dict[str, Any], torch.nn.Module]) -> None:
    found, theirs = offline
    assert found["timm:test_resnet"] == found[f"timm:{NAME}"]
    one = found[f"timm:{NAME}"]
    assert one["section"]["name"] == "timm"
    assert one["section"]["architecture"] == "test_resnet"
    assert one["names"] == [f"backbone.{name}" for name in theirs.state_dict() if not name.startswith("fc.")]
    assert (one["channels"], one["image_size"]) == (3, [160, 160])
    assert one["mean"] == list(theirs.pretrained_cfg["mean"])
    features = {f"backbone.{name}": each.numpy() for name, each in theirs.state_dict().items() if "fc." not in name}
    section = section_of("test_resnet")
    weights = Weights(origin="timm", digest="", network=section, tensors=features, channels=3)
    assert model.format.digest_of_tensors(features) == one["digest"]
    ours = made(section, side=64, channels=1)
    fitted = fit(ours, weights)
    assert fitted.adapted == ("backbone.conv1.0.weight",)
    assert all(name.startswith("head.") for name in fitted.new)
    assert found["timm:test_vit"]["mean"] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        ("resnet18.a1_in1k", "cannot read model.safetensors as resnet18.a1_in1k"),
        ("resnet34.a1_in1k", "cannot read model.safetensors as resnet34.a1_in1k"),
        ("resnet50.a1_in1k", "has pytorch_model.bin, a pickle, and no safetensors file"),
        ("resnet101", "HF_HUB_OFFLINE keeps it from being downloaded"),
        ("resnet81", "wanted the name of an architecture that timm has"),
        ("resnet18.nobody", "timm knows no weights nobody of resnet18. Wanted one of: a1_in1k"),
        ("hf-hub:a/b", "wanted the name of an architecture that timm has"),
    ],
)
def test_what_is_of_no_use_is_one_sentence(
    origin: str, says: str, offline: tuple[dict[str, Any], torch.nn.Module]
) -> None:
    found = offline[0][f"timm:{origin}"]
    assert says in found["says"]
    assert f"timm:{origin}" in found["says"]
    assert "\n" not in found["says"]
    assert found["code"] in (RecipeError.exit_code, ModelFileError.exit_code)
