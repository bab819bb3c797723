"""From a resolved recipe section to a module: the only place in this folder that reads a recipe."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import nn

from sightline.errors import RecipeError
from sightline.network import initialization as schemes
from sightline.network.activation import GAINS
from sightline.network.head import Compression, HeadName
from sightline.network.initialization import Scheme
from sightline.network.lenet import LeNet
from sightline.network.mobilenet import MobileNetV2
from sightline.network.resnet import ResNet
from sightline.network.squeezenet import SqueezeNet
from sightline.network.swift import Swift
from sightline.network.timm_backbone import TimmBackbone, restore_constants
from sightline.network.vgg import VGG
from sightline.recipe import network as recipe
from sightline.recipe.choices import settled


def build(network: recipe.Network, *, channels: int, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """Return the network of a resolved recipe on the CPU, all weights 0: `initialize` draws or a model file fills them.

    Args:
        network: the recipe's section, without any `"auto"`.
        channels: of the pictures, 1 or 3.
        classes: number of scores per picture.
        image_size: height and width in pixels.

    Returns:
        A module in training mode from images, shape (batch, channels, height, width), to scores (batch, classes).

    Raises:
        RecipeError: the choices and the picture do not fit each other, or a library is not installed.
        ValueError: the section still holds an `"auto"`.
    """
    # Nothing is drawn: torch's layers would spend time, and numbers of the global generator, on weights to be replaced.
    with torch.device("meta"):
        module = _assemble(network, channels, classes, image_size)
    # Where the caller is on the meta device itself, there are no numbers yet.
    if torch.get_default_device().type != "meta":
        restore_constants(module)
    module = _zeroed(module)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = network.running_share
    return module


def build_scheme(network: recipe.Network) -> Scheme:
    """Return the function that draws one weight as a recipe's section says, for `initialize`.

    A gain `"auto"` is the activation's, as `training.resolve` would write it.

    Raises:
        ValueError: the section's initialization is still `"auto"`.
    """
    activation = network.activation
    match network.initialization:
        case recipe.Xavier(distribution=distribution):
            return partial(schemes.xavier, distribution=distribution)
        case recipe.He(distribution=distribution, fan=fan):
            return partial(schemes.he, distribution=distribution, fan=fan, gain=schemes.he_gain(activation))
        case recipe.LeCun(distribution=distribution):
            return partial(schemes.lecun, distribution=distribution)
        case recipe.Normal(std=std):
            return partial(schemes.normal, std=std)
        case recipe.Orthogonal(gain=gain):
            return partial(schemes.orthogonal, gain=GAINS[activation] if gain == "auto" else gain)
        case recipe.Identity():
            return schemes.identity
        case recipe.AutoInitialization():
            raise ValueError('found initialization "auto" where a resolved one was wanted: resolve the recipe first')


def _assemble(network: recipe.Network, channels: int, classes: int, image_size: tuple[int, int]) -> nn.Module:
    probability = settled(network.dropout)
    unit_dropout = probability if network.dropout_where in ("classifier", "everywhere") else 0.0
    map_dropout = probability if network.dropout_where in ("blocks", "everywhere") else 0.0
    # "auto" is the published head: `training.resolve` settles it where weights are transferred.
    head: HeadName = "published" if network.head == "auto" else network.head
    match network:
        case recipe.LeNet():
            return LeNet(
                channels=channels,
                classes=classes,
                image_size=image_size,
                width=network.width,
                activation=network.activation,
                normalization=network.normalization,
                pooling=network.pooling,
                unit_dropout=unit_dropout,
                map_dropout=map_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.VGG():
            return VGG(
                channels=channels,
                classes=classes,
                image_size=image_size,
                widths=network.widths,
                convolutions=network.convolutions,
                hidden=network.hidden,
                activation=network.activation,
                normalization=network.normalization,
                pooling=network.pooling,
                unit_dropout=unit_dropout,
                map_dropout=map_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.ResNet():
            stem: Literal["small", "large"] = settled(network.stem)
            if stem == "small" and network.pooling == "average":
                raise RecipeError(
                    "network.pooling: found average, but the small stem of resnet does not pool at all; "
                    'choose network.stem = "large", or leave network.pooling out.'
                )
            return ResNet(
                channels=channels,
                classes=classes,
                depth=network.depth,
                width=network.width,
                stem=stem,
                activation=network.activation,
                normalization=network.normalization,
                pooling=network.pooling,
                unit_dropout=unit_dropout,
                map_dropout=map_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.Swift():
            return Swift(
                channels=channels,
                classes=classes,
                image_size=image_size,
                widths=settled(network.widths),
                convolutions=network.convolutions,
                activation=network.activation,
                normalization=network.normalization,
                pooling=network.pooling,
                unit_dropout=unit_dropout,
                map_dropout=map_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.SqueezeNet():
            return SqueezeNet(
                channels=channels,
                classes=classes,
                image_size=image_size,
                activation=network.activation,
                normalization=network.normalization,
                pooling=network.pooling,
                unit_dropout=unit_dropout,
                map_dropout=map_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.MobileNetV2():
            return MobileNetV2(
                channels=channels,
                classes=classes,
                width=network.width,
                activation=network.activation,
                normalization=network.normalization,
                unit_dropout=unit_dropout,
                map_dropout=map_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.Timm():
            return TimmBackbone(
                architecture=network.architecture,
                channels=channels,
                classes=classes,
                image_size=image_size,
                activation=network.activation,
                unit_dropout=unit_dropout,
                head=head,
                head_units=network.head_units,
            )
        case recipe.AutoNetwork():
            raise ValueError('found network "auto" where a resolved one was wanted: resolve the recipe first')


def _zeroed(module: nn.Module) -> nn.Module:
    # Module.to_empty would do, but it imports torch's compiler, which takes longer than all the rest.
    for layer in module.modules():
        for name, parameter in layer.named_parameters(recurse=False):
            setattr(layer, name, nn.Parameter(torch.zeros(parameter.shape), parameter.requires_grad))
        for name, buffer in layer.named_buffers(recurse=False):
            if buffer.is_meta:
                setattr(layer, name, torch.zeros(buffer.shape, dtype=buffer.dtype))
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
        if isinstance(layer, Compression):
            layer.reset()
    return module
