"""Every combination of choices makes a network that can be run, trained and exported."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import nn

from sightline.errors import RecipeError
from sightline.network import build, build_scheme, initialize
from sightline.network.lenet import LeNet
from sightline.network.normalization import group
from sightline.network.pooling import build_pooling
from sightline.recipe import network as recipe

ARCHITECTURES: dict[str, dict[str, object]] = {
    "lenet": {"name": "lenet"},
    "vgg": {"name": "vgg", "widths": (8, 12), "convolutions": (1, 2)},
    "vgg hidden": {"name": "vgg", "widths": (8,), "convolutions": (1,), "hidden": (16, 12)},
    "resnet18": {"name": "resnet", "width": 4, "stem": "small"},
    "resnet18 large": {"name": "resnet", "width": 4, "stem": "large"},
    "resnet50": {"name": "resnet", "width": 4, "stem": "small", "depth": 50},
    "squeezenet": {"name": "squeezenet"},
    "mobilenet_v2": {"name": "mobilenet_v2", "width": 0.25},
    "swift": {"name": "swift", "widths": (8, 12)},
    "swift residual": {"name": "swift", "widths": (8,), "convolutions": 3},
}
Definite = recipe.LeNet | recipe.VGG | recipe.ResNet | recipe.SqueezeNet | recipe.MobileNetV2 | recipe.Swift
SECTIONS: dict[str, type[Definite]] = {
    "lenet": recipe.LeNet,
    "vgg": recipe.VGG,
    "resnet": recipe.ResNet,
    "squeezenet": recipe.SqueezeNet,
    "mobilenet_v2": recipe.MobileNetV2,
    "swift": recipe.Swift,
}


def section_of(architecture: str, **choices: object) -> Definite:
    fields = {"dropout": 0.2, "initialization": "he", **ARCHITECTURES[architecture], **choices}
    return SECTIONS[str(fields["name"])].model_validate(fields)


def made(section: recipe.Network, *, channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    module = build(section, channels=channels, classes=classes, image_size=size)
    initialize(module, build_scheme(section), seed=0)
    return module


def pictures(count: int, channels: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(0))


def layers(module: nn.Module, *, channels: int, size: tuple[int, int]) -> list[tuple[str, tuple[int, ...]]]:
    """Kind and shape of the output of each layer, in the order in which a picture passes them; no identities."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for layer in module.modules():
        if next(layer.children(), None) is None and not isinstance(layer, nn.Identity):
            layer.register_forward_hook(lambda layer, _, out: found.append((type(layer).__name__, out.shape[1:])))
    with torch.no_grad():
        module.eval()(torch.zeros(1, channels, *size))
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalization", ["batch", "group", "none"])
@pytest.mark.parametrize("activation", get_args(recipe.ActivationName))
def test_every_choice_gives_finite_scores_and_gradients(architecture: str, activation: str, normalization: str) -> None:
    module = made(
        section_of(architecture, activation=activation, normalization=normalization, dropout_where="everywhere"),
        channels=1,
        classes=3,
        size=(8, 8),
    )
    scores = module(pictures(4, 1, (8, 8)))
    assert scores.shape == (4, 3)
    scores.square().mean().backward()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("architecture", ["lenet", "vgg", "vgg hidden", "resnet18 large", "squeezenet"])
@pytest.mark.parametrize(("pooling", "kind"), [("max", nn.MaxPool2d), ("average", nn.AvgPool2d)])
def test_pooling_is_the_chosen_one(architecture: str, pooling: str, kind: type[nn.Module]) -> None:
    module = made(section_of(architecture, pooling=pooling), channels=3, classes=2, size=(16, 16))
    found = {type(layer) for layer in module.modules() if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d))}
    assert found == {kind}
    assert module(pictures(2, 3, (16, 16))).isfinite().all()


def test_average_pooling_leaves_absent_pixels_out() -> None:
    pool = build_pooling("average", (3, 3), stride=(2, 2), padding=1)
    assert torch.equal(pool(torch.ones(1, 1, 6, 6)), torch.ones(1, 1, 3, 3))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("channels", "size"), [(3, (8, 8)), (1, (9, 30)), (3, (5, 64)), (1, (224, 224)), (3, (4, 4))])
def test_any_size_fits(architecture: str, channels: int, size: tuple[int, int]) -> None:
    module = made(section_of(architecture), channels=channels, classes=7, size=size).eval()
    with torch.no_grad():
        assert module(pictures(2, channels, size)).shape == (2, 7)


def test_more_stages_than_halvings_fit() -> None:
    section = recipe.VGG(widths=(4,) * 8, convolutions=(1,) * 8, dropout=0.0, initialization=recipe.He())
    module = made(section, channels=3, classes=2, size=(8, 32)).eval()
    assert [shape[1:] for kind, shape in layers(module, channels=3, size=(8, 32)) if kind == "MaxPool2d"] == [
        (4, 16), (2, 8), (1, 4), (1, 2), (1, 1), (1, 1), (1, 1), (1, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalization", ["batch", "group", "none"])
def test_layers_come_in_the_usual_order(architecture: str, normalization: str) -> None:
    """Convolution, normalization, activation; the pooling of a stage follows its activation."""
    section = section_of(architecture, normalization=normalization, activation="tanh")
    kinds = [kind for kind, _ in layers(made(section, channels=3, classes=2, size=(16, 16)), channels=3, size=(16, 16))]
    normalized = {"batch": "BatchNorm2d", "group": "GroupNorm", "none": None}[normalization]
    if architecture == "squeezenet":
        del kinds[-3:]  # its scores are convolved, activated and averaged
    if architecture.startswith("swift"):
        assert kinds[:2] == ["Conv2d", "Tanh"]  # patches, of which none is normalized
        kinds = [kind for kind in kinds[2:] if "MaxPool2d" not in kind]  # it pools before it normalizes
    for kind, following in pairwise(kinds):
        if kind == "Conv2d" and normalized:
            assert following == normalized
        if following == "MaxPool2d":
            assert kind == "Tanh"


@pytest.mark.parametrize(
    ("where", "units", "whole_maps"), [("classifier", True, False), ("blocks", False, True), ("everywhere", True, True)]
)
def test_dropout_is_where_it_was_chosen(where: str, units: bool, whole_maps: bool) -> None:
    for architecture in ARCHITECTURES:
        module = made(section_of(architecture, dropout=0.25, dropout_where=where), channels=3, classes=2, size=(8, 8))
        layers = [layer for layer in module.modules() if isinstance(layer, (nn.Dropout, nn.Dropout2d))]
        assert any(type(layer) is nn.Dropout for layer in layers) == units
        assert any(type(layer) is nn.Dropout2d for layer in layers) == whole_maps
        assert all(layer.p == 0.25 for layer in layers)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_dropout_leaves_nothing_to_chance(architecture: str) -> None:
    module = made(section_of(architecture, dropout=0.0, dropout_where="everywhere"), channels=3, classes=2, size=(8, 8))
    assert not any(isinstance(layer, (nn.Dropout, nn.Dropout2d)) for layer in module.modules())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_runs_alike_when_exported(architecture: str) -> None:
    module = made(section_of(architecture), channels=3, classes=4, size=(16, 16)).eval()
    batch = pictures(3, 3, (16, 16))
    exported = torch.export.export(module, (batch,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    more = pictures(5, 3, (16, 16))
    torch.testing.assert_close(exported.module()(more), module(more))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_channels_last_changes_nothing(architecture: str) -> None:
    module = made(section_of(architecture), channels=3, classes=4, size=(16, 16)).eval()
    batch = pictures(3, 3, (16, 16))
    with torch.no_grad():
        expected = module(batch)
        turned = module.to(memory_format=torch.channels_last)(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(turned, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("depth", [18, 50])
def test_resnet_without_normalization_keeps_its_spread(depth: int) -> None:
    """Sixteen summed branches would multiply the variance by 2¹⁶; divided by √16 each, by e at most."""
    section = recipe.ResNet.model_validate(
        {"depth": depth, "width": 16, "stem": "small", "dropout": 0, "initialization": "he", "normalization": "none"}
    )
    module = made(section, channels=3, classes=10, size=(16, 16))
    with torch.no_grad():
        assert 0.1 < module(pictures(16, 3, (16, 16))).square().mean() < 20


def test_unresolved_sections_are_refused() -> None:
    for section in (recipe.AutoNetwork(dropout=0.0), recipe.ResNet(dropout=0.0), recipe.VGG()):
        with pytest.raises(ValueError, match="resolve the recipe first"):
            build(section, channels=3, classes=2, image_size=(32, 32))


def test_small_stem_cannot_honor_a_pooling() -> None:
    with pytest.raises(RecipeError, match=r"network\.pooling: found average.*small stem"):
        build(section_of("resnet18", pooling="average"), channels=3, classes=2, image_size=(32, 32))


def test_lenet_names_the_least_size() -> None:
    with pytest.raises(RecipeError, match=r"data\.image_size: found 3 × 9 pixels.*at least 4"):
        build(section_of("lenet"), channels=1, classes=2, image_size=(3, 9))


@pytest.mark.parametrize(
    ("channels", "groups"), [(64, 32), (256, 32), (96, 32), (32, 8), (16, 4), (6, 1), (3, 1), (65, 13)]
)
def test_group_sizes(channels: int, groups: int) -> None:
    assert group(channels).num_groups == groups


def test_a_scheme_takes_the_activations_gain_but_is_never_automatic_itself() -> None:
    weight, same = torch.zeros(6, 6), torch.zeros(6, 6)
    for drawn, initialization in ((weight, "orthogonal"), (same, {"name": "orthogonal", "gain": 2**0.5})):
        section = section_of("lenet", initialization=initialization, activation="relu")
        build_scheme(section)(drawn, torch.Generator().manual_seed(0))
    assert torch.equal(weight, same)
    with pytest.raises(ValueError, match="resolve the recipe first"):
        build_scheme(section_of("lenet", initialization="auto"))


def test_forgotten_initialization_is_the_same_every_time() -> None:
    module = build(section_of("lenet"), channels=1, classes=10, image_size=(28, 28))
    assert isinstance(module, LeNet)
    assert not any(parameter.any() for parameter in module.parameters())
    assert (module.norm1.running_var == 1).all()


def test_later_convolutions_of_a_swift_stage_are_a_residual_from_three_on() -> None:
    maps = pictures(4, 6, (8, 8))
    for convolutions in (2, 3):
        module = made(
            section_of("swift", widths=(12,), convolutions=convolutions), channels=3, classes=2, size=(16, 16)
        )
        stage = module.get_submodule("stages.0").eval()
        stage.first[0] = nn.Conv2d(6, 12, 3, padding=1)
        for layer in stage.later:
            if isinstance(layer, nn.Conv2d):
                nn.init.zeros_(layer.weight)
        with torch.no_grad():
            found, first = stage(maps), stage.first(maps)
        # Convolutions of 0 add nothing to what the first one made, and without a residual leave nothing of it.
        assert torch.equal(found, stage.activation(first) if convolutions == 3 else torch.zeros_like(first))


@pytest.mark.parametrize(("chosen", "share"), [({"running_share": 0.3}, 0.3), ({}, 0.1)])
def test_a_batch_has_its_share_in_the_running_statistics(chosen: dict[str, float], share: float) -> None:
    module = made(section_of("vgg", **chosen), channels=3, classes=2, size=(16, 16)).train()
    batch = pictures(8, 3, (16, 16))
    norm = module.get_submodule("features.1")
    with torch.no_grad():
        module(batch)
        mean = module.get_submodule("features.0")(batch).mean(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_mean, share * mean)
