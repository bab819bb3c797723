"""Names, shapes and numbers of parameters are those of the published models, so that their weights fit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

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
