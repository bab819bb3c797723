"""Names, shapes and numbers of parameters are those of the published models, so that their weights fit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional as f

from sightline.network import build
from sightline.recipe import network as recipe

Shapes = dict[str, tuple[int, ...]]

VGG11 = {"widths": (64, 128, 256, 512, 512), "convolutions": (1, 1, 2, 2, 2), "hidden": (4096, 4096)}


def shapes_of(section: recipe.Network, *, channels: int = 3, classes: int = 1000, side: int = 224) -> Shapes:
    module = build(section, channels=channels, classes=classes, image_size=(side, side))
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def batch_norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def published_resnet(blocks: tuple[int, ...], *, bottleneck: bool) -> Shapes:
    """Torchvision's state dictionary, written out from its layers."""
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7), **dict(batch_norm("bn1", 64))}
    inputs = 64
    for stage, count in enumerate(blocks):
        inner = 64 * 2**stage
        outputs = 4 * inner if bottleneck else inner
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            convolutions = (
                [(inner, inputs, 1, 1), (inner, inner, 3, 3), (outputs, inner, 1, 1)]
                if bottleneck
                else [(inner, inputs, 3, 3), (inner, inner, 3, 3)]
            )
            for number, shape in enumerate(convolutions, 1):
                shapes[f"{name}.conv{number}.weight"] = shape
                shapes.update(batch_norm(f"{name}.bn{number}", shape[0]))
            if block == 0 and inputs != outputs:
                shapes[f"{name}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes.update(batch_norm(f"{name}.downsample.1", outputs))
            inputs = outputs
    return {**shapes, "fc.weight": (1000, inputs), "fc.bias": (1000,)}


def published_vgg11(*, normalized: bool) -> Shapes:
    positions = (0, 4, 8, 11, 15, 18, 22, 25) if normalized else (0, 3, 6, 8, 11, 13, 16, 18)
    shapes: Shapes = {}
    inputs = 3
    for position, outputs in zip(positions, (64, 128, 256, 256, 512, 512, 512, 512), strict=True):
        shapes[f"features.{position}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{position}.bias"] = (outputs,)
        if normalized:
            shapes.update(batch_norm(f"features.{position + 1}", outputs))
        inputs = outputs
    for position, shape in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        shapes[f"classifier.{position}.weight"] = shape
        shapes[f"classifier.{position}.bias"] = shape[:1]
    return shapes


@pytest.mark.parametrize(
    ("depth", "blocks", "count"),
    [(18, (2, 2, 2, 2), 11_689_512), (34, (3, 4, 6, 3), 21_797_672), (50, (3, 4, 6, 3), 25_557_032)],
)
def test_resnet_fits_published_weights(depth: int, blocks: tuple[int, ...], count: int) -> None:
    section = recipe.ResNet.model_validate({"depth": depth, "stem": "large", "dropout": 0.3})
    shapes = shapes_of(section)
    assert shapes == published_resnet(blocks, bottleneck=depth == 50)
    assert learned(shapes) == count


@pytest.mark.parametrize(("normalization", "count"), [("none", 132_863_336), ("batch", 132_868_840)])
@pytest.mark.parametrize("dropout_where", ["classifier", "everywhere"])
def test_vgg_fits_published_weights(normalization: str, count: int, dropout_where: str) -> None:
    section = recipe.VGG.model_validate(
        {**VGG11, "normalization": normalization, "dropout": 0.5, "dropout_where": dropout_where}
    )
    shapes = shapes_of(section)
    assert shapes == published_vgg11(normalized=normalization == "batch")
    assert learned(shapes) == count


def test_lenet_has_the_usual_size_on_digits() -> None:
    """156 + 2,416 + 48,120 + 10,164 + 850 parameters on 28 pixels."""
    shapes = shapes_of(recipe.LeNet(normalization="none", dropout=0.0), channels=1, classes=10, side=28)
    assert learned(shapes) == 61_706


def test_bottleneck_strides_in_its_3x3_convolution() -> None:
    section = recipe.ResNet(depth=50, width=4, stem="small", dropout=0.0)
    module = build(section, channels=3, classes=2, image_size=(16, 16))
    strides = [module.get_submodule(f"layer2.0.conv{number}").stride for number in (1, 2, 3)]
    assert strides == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("section", [recipe.ResNet(stem="small", width=8, dropout=0.0), recipe.VGG(dropout=0.0)])
def test_names_do_not_depend_on_dropout(section: recipe.Network) -> None:
    dropped = section.model_copy(update={"dropout": 0.4, "dropout_where": "everywhere"})
    assert shapes_of(section, side=16).keys() == shapes_of(dropped, side=16).keys()


def learned(shapes: Shapes) -> int:
    return sum(math.prod(shape) for name, shape in shapes.items() if name.endswith(("weight", "bias")))


def published_squeezenet() -> Shapes:
    shapes: Shapes = {"features.0.weight": (64, 3, 3, 3), "features.0.bias": (64,)}
    fires = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128),
             9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}  # fmt: skip
    for position, (inputs, squeezed, expanded) in fires.items():
        for name, shape in {
            "squeeze": (squeezed, inputs, 1, 1),
            "expand1x1": (expanded, squeezed, 1, 1),
            "expand3x3": (expanded, squeezed, 3, 3),
        }.items():
            shapes[f"features.{position}.{name}.weight"] = shape
            shapes[f"features.{position}.{name}.bias"] = shape[:1]
    return {**shapes, "classifier.1.weight": (1000, 512, 1, 1), "classifier.1.bias": (1000,)}


def published_mobilenet() -> Shapes:
    shapes: Shapes = {}

    def convolution(name: str, norm: str, shape: tuple[int, ...]) -> None:
        shapes[f"{name}.weight"] = shape
        shapes.update(batch_norm(norm, shape[0]))

    convolution("features.0.0", "features.0.1", (32, 3, 3, 3))
    inputs, position = 32, 1
    for expansion, outputs, blocks in (
        (1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1),
    ):  # fmt: skip
        for _ in range(blocks):
            name, inner, at = f"features.{position}.conv", inputs * expansion, 0
            if expansion > 1:
                convolution(f"{name}.0.0", f"{name}.0.1", (inner, inputs, 1, 1))
                at = 1
            convolution(f"{name}.{at}.0", f"{name}.{at}.1", (inner, 1, 3, 3))
            convolution(f"{name}.{at + 1}", f"{name}.{at + 2}", (outputs, inner, 1, 1))
            inputs, position = outputs, position + 1
    convolution("features.18.0", "features.18.1", (1280, 320, 1, 1))
    return {**shapes, "classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}


@pytest.mark.parametrize("dropout_where", ["classifier", "everywhere"])
def test_squeezenet_fits_published_weights(dropout_where: str) -> None:
    section = recipe.SqueezeNet.model_validate(
        {"normalization": "none", "dropout": 0.5, "dropout_where": dropout_where}
    )
    shapes = shapes_of(section)
    assert shapes == published_squeezenet()
    assert learned(shapes) == 1_235_496


def test_mobilenet_fits_published_weights() -> None:
    shapes = shapes_of(recipe.MobileNetV2(activation="relu6", dropout=0.2))
    assert shapes == published_mobilenet()
    assert learned(shapes) == 3_504_872


Weights = dict[str, torch.Tensor]


def drawn(shapes: Shapes) -> Weights:
    """Return numbers of a size at which signals neither vanish nor grow, for every published name."""
    generator = torch.Generator().manual_seed(3)
    found = {}
    for name, shape in sorted(shapes.items()):
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(7)
            continue
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        if len(shape) > 1:
            found[name] = noise * (2.0 / math.prod(shape[1:])) ** 0.5
        elif name.endswith("running_var"):
            found[name] = 1.0 + 0.1 * noise.abs()
        else:
            is_scale = name.endswith("weight")
            found[name] = 0.1 * noise + (1.0 if is_scale else 0.0)
    return found


def normalized(maps: torch.Tensor, w: Weights, name: str) -> torch.Tensor:
    scale = w[f"{name}.weight"] / (w[f"{name}.running_var"] + 1e-5).sqrt()
    return (maps - w[f"{name}.running_mean"][:, None, None]) * scale[:, None, None] + w[f"{name}.bias"][:, None, None]


def squeezenet(maps: torch.Tensor, w: Weights) -> torch.Tensor:
    maps = f.conv2d(maps, w["features.0.weight"], w["features.0.bias"], stride=2).clamp(min=0)
    for position in range(2, 13):
        name = f"features.{position}"
        if position in (2, 5, 8):
            maps = f.max_pool2d(maps, 3, 2, ceil_mode=True)
            continue
        thin = f.conv2d(maps, w[f"{name}.squeeze.weight"], w[f"{name}.squeeze.bias"]).clamp(min=0)
        one = f.conv2d(thin, w[f"{name}.expand1x1.weight"], w[f"{name}.expand1x1.bias"])
        three = f.conv2d(thin, w[f"{name}.expand3x3.weight"], w[f"{name}.expand3x3.bias"], padding=1)
        maps = torch.cat([one, three], 1).clamp(min=0)
    return f.conv2d(maps, w["classifier.1.weight"], w["classifier.1.bias"]).clamp(min=0).mean((2, 3))


def mobilenet(maps: torch.Tensor, w: Weights) -> torch.Tensor:
    def step(maps: torch.Tensor, name: str, norm: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        weight = w[f"{name}.weight"]
        return normalized(f.conv2d(maps, weight, None, stride, weight.shape[-1] // 2, 1, groups), w, norm)

    maps = step(maps, "features.0.0", "features.0.1", 2).clamp(0, 6)
    for position in range(1, 18):
        name, given = f"features.{position}.conv", maps
        stride = 2 if position in (2, 4, 7, 14) else 1
        if position > 1:
            maps = step(maps, f"{name}.0.0", f"{name}.0.1").clamp(0, 6)
        at = int(position > 1)
        maps = step(maps, f"{name}.{at}.0", f"{name}.{at}.1", stride, maps.shape[1]).clamp(0, 6)
        maps = step(maps, f"{name}.{at + 1}", f"{name}.{at + 2}")
        maps = maps + given if maps.shape == given.shape else maps
    maps = step(maps, "features.18.0", "features.18.1").clamp(0, 6).mean((2, 3))
    return maps @ w["classifier.1.weight"].T + w["classifier.1.bias"]


def resnet18(maps: torch.Tensor, w: Weights) -> torch.Tensor:
    maps = normalized(f.conv2d(maps, w["conv1.weight"], None, 2, 3), w, "bn1").clamp(min=0)
    maps = f.max_pool2d(maps, 3, 2, 1)
    for layer in range(1, 5):
        for block in range(2):
            name = f"layer{layer}.{block}"
            stride = 2 if layer > 1 and block == 0 else 1
            branch = normalized(f.conv2d(maps, w[f"{name}.conv1.weight"], None, stride, 1), w, f"{name}.bn1")
            branch = normalized(f.conv2d(branch.clamp(min=0), w[f"{name}.conv2.weight"], None, 1, 1), w, f"{name}.bn2")
            if stride == 2:
                shortcut = f.conv2d(maps, w[f"{name}.downsample.0.weight"], None, 2)
                maps = normalized(shortcut, w, f"{name}.downsample.1")
            maps = (branch + maps).clamp(min=0)
    return maps.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]


@pytest.mark.parametrize(
    ("section", "shapes", "reference"),
    [
        (recipe.SqueezeNet(normalization="none", dropout=0.5), published_squeezenet(), squeezenet),
        (recipe.MobileNetV2(activation="relu6", dropout=0.2), published_mobilenet(), mobilenet),
        (recipe.ResNet(stem="large", dropout=0.0), published_resnet((2, 2, 2, 2), bottleneck=False), resnet18),
    ],
    ids=["squeezenet", "mobilenet_v2", "resnet18"],
)
@pytest.mark.parametrize("size", [(64, 64), (75, 50)])
def test_published_weights_give_the_published_networks_scores(section, shapes, reference, size) -> None:
    """Against the networks written out once more, from their papers and torchvision's documented layers, in float64."""
    weights = drawn(shapes)
    module = build(section, channels=3, classes=1000, image_size=size).double().eval()
    module.load_state_dict(weights)
    pictures = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        found, wanted = module(pictures), reference(pictures, weights)
    assert wanted.std() > 1e-3
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
