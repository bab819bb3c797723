"""What is measured of a machine adds up; how much arithmetic a network asks for is what torch counts."""

import json

import numpy as np
import pytest
import torch
from command_line import fails, sightline
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from sightline import network
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe import network as recipe
from sightline.training import prepare, survey
from sightline.training.arithmetic import arithmetic
from sightline.training.assembly import assemble
from sightline.training.bench import _whole
from sightline.training.peak import convolution_peak, seconds_of

SECTIONS = {
    "lenet": recipe.LeNet(dropout=0.0),
    "vgg": recipe.VGG(dropout=0.0, widths=(8, 16), convolutions=(1, 2)),
    "resnet": recipe.ResNet(dropout=0.0, width=8, stem="small"),
    "mobilenet_v2": recipe.MobileNetV2(dropout=0.0, width=0.25),
    "swift": recipe.Swift(dropout=0.0, widths=(8, 16)),
}


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", SECTIONS)
def test_operations_are_those_that_torch_counts(name, frozen):
    module = network.build(SECTIONS[name], channels=3, classes=5, image_size=(32, 32)).eval()
    inputs = torch.randn(4, 3, 32, 32)
    if frozen:
        next(each for each in module.modules() if isinstance(each, torch.nn.Conv2d)).weight.requires_grad_(False)
    found = arithmetic(module, inputs)
    with FlopCounterMode(display=False) as forward:
        scores = module(inputs)
    with FlopCounterMode(display=False) as back:
        cross_entropy(scores, torch.zeros(4, dtype=torch.long)).backward()
    assert found.forward * 4 == forward.get_total_flops()
    if name == "mobilenet_v2":
        return  # whose gradients torch counts as if every map reached every other
    assert found.training * 4 == pytest.approx(forward.get_total_flops() + back.get_total_flops(), rel=1e-6)


def test_the_network_is_left_as_it_was():
    module = network.build(SECTIONS["vgg"], channels=3, classes=5, image_size=(32, 32)).train()
    before = {name: each.clone() for name, each in module.state_dict().items()}
    arithmetic(module, torch.randn(1, 3, 32, 32))
    assert module.training
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    assert not any(each._forward_hooks for each in module.modules())


def test_work_is_repeated_until_the_time_is_over():
    calls = []
    assert 0 < seconds_of(lambda: calls.append(1), device="cpu", seconds=0.01, warm_up=3) < 0.01
    assert len(calls) > 4


def test_the_peak_is_a_speed_of_this_century():
    assert 1e8 < convolution_peak(device="cpu", bfloat16=False, seconds=0.01) < 1e16


def test_the_command_measures_every_part_and_shares_add_up(tmp_path):
    done = sightline("bench", "digits", "--seconds", "0.05", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [part["name"] for part in found["parts"]] == ["read", "decode and resize", "augment", "predict"]
    assert [each["name"] for each in found["networks"]] == ["vgg", "swift", "resnet"]
    assert [each["chosen"] for each in found["networks"]] == [True, False, False]
    for each in found["networks"]:
        share = each["images_per_second"] * each["gigaflops"] * 1e9 / found["peak"]
        assert each["share_of_peak"] == pytest.approx(share)
    assert [each["minutes"] for each in found["bought"]] == [5.0, 30.0, 120.0]
    epochs = [each["epochs"] for each in found["bought"]]
    assert 0 < epochs[0] < epochs[1] < epochs[2]
    assert not list(tmp_path.iterdir())


def test_the_table_names_the_recipes_network(tmp_path):
    # A run's recipe, whose training was cut short once.
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[training]\nreplanned = [[3, 20, 28]]\nepochs = 4\n")
    done = sightline("bench", "--recipe", recipe, "--seconds", "0.05", "--set", "network=lenet", cwd=tmp_path)
    assert "lenet (chosen)" in done.stdout
    assert "Epochs of the recipe's network within a time (--minutes): 5 minutes:" in done.stdout
    fails(sightline("bench", "nowhere", cwd=tmp_path), 3, "nowhere")
    fails(sightline("bench", "--set", "transfer.weights=x.safetensors", cwd=tmp_path), 2, "transfer.weights")


def test_pictures_that_would_grow_are_measured_whole(tmp_path):
    choices = {"network": "vgg", "training.smallest_size": 0.5, "training.epochs": 4, "augmentation": "none"}
    pictures = np.zeros((40, 32, 32, 1), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    chosen = apply_overrides(Recipe(), choices)
    prepared = prepare(survey((pictures, np.arange(40) % 2), chosen), cache=tmp_path)
    assert assemble(prepared, prepared.resolved, tmp_path).feed.size(1) == (16, 16)
    whole = _whole(prepared)
    assert assemble(whole, whole.resolved, tmp_path).feed.size(1) == (32, 32)
