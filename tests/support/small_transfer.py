"""What these tests share: small pictures with something to learn in them, and weights of every architecture."""

import torch

from sightline import network
from sightline.recipe import network as recipe

SMALL = {
    "training.threads": 1,
    "training.precision": "float32",
    "training.batch_size": 8,
    "training.epochs": 2,
    "transfer.head_epochs": 3,
    "transfer.views": 2,
    "transfer.depth": "both",
    "augmentation": ["horizontal_flip", "brightness"],
    "data.image_size": 32,
    "data.test_fraction": 0.2,
    "data.validation_fraction": 0.2,
}
ARCHITECTURES = {
    "lenet": recipe.LeNet(),
    "resnet18": recipe.ResNet(depth=18, stem="large", width=8),
    "resnet50": recipe.ResNet(depth=50, stem="small", width=4),
    "vgg": recipe.VGG(widths=(8, 16), convolutions=(1, 2)),
    "vgg with dense layers": recipe.VGG(widths=(8, 16), convolutions=(1, 2), hidden=(12,), normalization="none"),
    "swift": recipe.Swift(widths=(8, 16)),
    "squeezenet": recipe.SqueezeNet(normalization="none"),
    "mobilenet_v2": recipe.MobileNetV2(activation="relu6", width=0.25),
}


def made(section: recipe.Network, *, channels: int = 3, classes: int = 4, side: int = 32, seed: int = 1):
    """A network as if it had been trained: statistics of batch normalization are not those of a new one."""
    settled = section.model_copy(update={"dropout": 0.0, "initialization": recipe.He()})
    module = network.build(settled, channels=channels, classes=classes, image_size=(side, side))
    network.initialize(module, network.build_scheme(settled), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            each.running_mean.copy_(torch.randn(each.running_mean.shape, generator=generator) * 0.1)
            each.running_var.copy_(torch.rand(each.running_var.shape, generator=generator) + 0.5)
    return module
