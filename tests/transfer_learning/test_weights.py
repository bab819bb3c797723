"""Weights are recognized by names and shapes, accounted for to the last tensor, and refused where they do not fit."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import sightline
from sightline import network
from sightline.errors import ModelFileError
from sightline.recipe import network as recipe
from sightline.transfer_learning import fit, read
from sightline.transfer_learning.recognize import recognize

SHARED = Path(__file__).parents[3] / "shared" / "weights" / "squeezenet1_1-imagenet-features.safetensors"
VGG11 = {"widths": (64, 128, 256, 512, 512), "convolutions": (1, 1, 2, 2, 2), "hidden": (512, 256)}

PUBLISHED = {
    "resnet18": recipe.ResNet(depth=18, stem="large"),
    "resnet34": recipe.ResNet(depth=34, stem="large"),
    "resnet50, narrow": recipe.ResNet(depth=50, stem="small", width=8),
    "squeezenet": recipe.SqueezeNet(normalization="none"),
    "mobilenet_v2": recipe.MobileNetV2(activation="relu6"),
    "mobilenet_v2, wide": recipe.MobileNetV2(activation="relu6", width=1.5),
    "vgg11": recipe.VGG(**VGG11, normalization="none"),
    "vgg11_bn": recipe.VGG(**VGG11, normalization="batch"),
    "vgg, one stage": recipe.VGG(widths=(8,), convolutions=(3,), normalization="batch"),
}


def made(section: recipe.Network, *, channels: int = 3, classes: int = 7, seed: int = 0) -> torch.nn.Module:
    settled = section.model_copy(update={"dropout": 0.0, "initialization": recipe.He()})
    module = network.build(settled, channels=channels, classes=classes, image_size=(64, 64))
    network.initialize(module, network.build_scheme(settled), seed=seed)
    return module


def stored(path: Path, module: torch.nn.Module, *, without: tuple[str, ...] = ()) -> Path:
    tensors = {name: tensor.numpy() for name, tensor in module.state_dict().items() if not name.startswith(without)}
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_is_recognized_with_and_without_its_last_layer(name):
    section = PUBLISHED[name]
    shapes = {name: tuple(tensor.shape) for name, tensor in made(section).state_dict().items()}
    assert recognize(shapes) == section
    if not getattr(section, "hidden", ()):
        features = {name: shape for name, shape in shapes.items() if not name.startswith(("fc", "classifier"))}
        assert recognize(features) == section


@pytest.mark.parametrize("name", ["resnet18", "squeezenet", "mobilenet_v2", "vgg11_bn"])
def test_every_tensor_is_accounted_for(name, tmp_path):
    source, target = made(PUBLISHED[name], seed=1), made(PUBLISHED[name], classes=3, seed=2)
    drawn = {key: tensor.clone() for key, tensor in target.state_dict().items()}
    weights = read(stored(tmp_path / "w.safetensors", source))
    assert weights.network == PUBLISHED[name]
    found = fit(target, weights)
    assert set(found.loaded) | set(found.new) == set(drawn)
    assert set(found.loaded) | set(found.left_over) == set(source.state_dict())
    assert not set(found.loaded) & {*found.new, *found.left_over}
    assert {key.partition(".")[0] for key in found.new} <= {"fc", "classifier"}
    for key, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[key] if key in found.loaded else drawn[key]), key
    whole = made(PUBLISHED[name], seed=3)
    assert fit(whole, weights, keep_head=True).new == ()
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(whole.eval()(pictures), source.eval()(pictures))


@pytest.mark.parametrize(("before", "after"), [(3, 1), (1, 3)])
def test_a_gray_picture_gives_the_same_maps_in_one_channel_and_in_three(before, after, tmp_path):
    section = recipe.SqueezeNet(normalization="none")
    source, target = made(section, channels=before, seed=1), made(section, channels=after, seed=2)
    found = fit(target, read(stored(tmp_path / "w.safetensors", source)), keep_head=True)
    assert found.adapted == ("features.0.weight",)
    gray = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (
            module.eval()(gray.expand(-1, channels, -1, -1)) for module, channels in ((source, before), (target, after))
        )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_weights_of_another_network_are_one_sentence_and_change_nothing(tmp_path):
    weights = read(stored(tmp_path / "w.safetensors", made(recipe.ResNet(depth=18, stem="large", width=8))))
    target = made(recipe.ResNet(depth=18, stem="large", width=16))
    before = {key: tensor.clone() for key, tensor in target.state_dict().items()}
    says = r"does not fit the network of the recipe: conv1\.weight: wanted 16 × 3 × 7 × 7, found 8 × 3 × 7 × 7; .* more"
    with pytest.raises(ModelFileError, match=says):
        fit(target, weights)
    with pytest.raises(ModelFileError, match=r"features\.0\.weight: missing"):
        fit(made(recipe.SqueezeNet(normalization="none")), weights)
    assert all(torch.equal(before[key], tensor) for key, tensor in target.state_dict().items())


def test_what_is_no_weights_is_one_sentence(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"\x80\x02")
    with pytest.raises(ModelFileError, match="is a pickle by its name, which could run any code, and was not opened"):
        read(tmp_path / "w.pth")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read(tmp_path / "nowhere.safetensors")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read(tmp_path)
    whole = stored(tmp_path / "w.safetensors", made(recipe.SqueezeNet(normalization="none"))).read_bytes()
    for torn in (b"", whole[:7], whole[:500], whole[:-1]):
        (tmp_path / "torn.safetensors").write_bytes(torn)
        with pytest.raises(ModelFileError, match="cannot be read as safetensors"):
            read(tmp_path / "torn.safetensors")
    save_file({"encoder.weight": np.zeros((3, 3), np.float32)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ModelFileError, match=r"found 1 tensors \(encoder\.weight, …\) of no network known here"):
        read(tmp_path / "foreign.safetensors")


def test_a_sealed_model_brings_its_network_classes_and_preprocessing(tmp_path):
    choices = {"training.epochs": 1, "network": "lenet", "training.threads": 1, "augmentation": "none"}
    run = sightline.train("digits", choices, out=tmp_path / "run", cache=tmp_path / "cache")
    weights = read(run.model_path)
    assert weights.class_names == tuple("0123456789")
    assert weights.sealed is not None
    assert weights.network.name == "lenet"
    assert list(run.events())[-1]["fingerprint"] == weights.digest[:16]
    shutil.copy(run.model_path, tmp_path / "torn.safetensors")
    with (tmp_path / "torn.safetensors").open("r+b") as file:
        file.truncate(3000)
    with pytest.raises(ModelFileError, match="torn"):
        read(tmp_path / "torn.safetensors")


@pytest.mark.skipif(not SHARED.is_file(), reason="the published weights are not beside the project")
def test_published_features_are_read_and_fit():
    weights = read(SHARED)
    assert weights.network == recipe.SqueezeNet(normalization="none")
    found = fit(made(weights.network), weights)
    assert found.left_over == ()
    assert found.new == ("classifier.1.weight", "classifier.1.bias")
