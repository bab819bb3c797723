"""Grad-CAM against captum's, against its equations in float64, and where the answer is known."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from sightline import network
from sightline.network import grad_cam
from sightline.recipe.network import VGG, LeNet, MobileNetV2, ResNet, SqueezeNet, Swift

LAST_MAPS = {
    "vgg": (VGG(widths=(8, 16), convolutions=(1, 2), hidden=(), dropout=0.2, dropout_where="classifier"), "features"),
    "resnet": (ResNet(depth=18, width=8, stem="small", dropout=0.2), "layer4"),
    "swift": (Swift(widths=(8, 16), dropout=0.2), "stages"),
    "squeezenet": (SqueezeNet(dropout=0.2, normalization="none"), "features"),
    "mobilenet_v2": (MobileNetV2(dropout=0.2), "features"),
}


def built(section, side: int = 48) -> nn.Module:
    torch.manual_seed(0)
    made = network.build(section, channels=3, classes=4, image_size=(side, side))
    for parameter in made.parameters():  # as a trained network's, no two alike
        nn.init.normal_(parameter, std=0.1)
    return made.eval()


def images(count: int = 3, side: int = 48) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LAST_MAPS)
def test_it_is_captums(name):
    captum = pytest.importorskip("captum.attr", reason="captum, which is asked for the same thing, is not installed")
    section, layer = LAST_MAPS[name]
    made, inputs, classes = built(section), images(), torch.tensor([0, 3, 2])
    found = grad_cam(made, inputs, classes)
    attribution = captum.LayerGradCam(made, made.get_submodule(layer)).attribute(
        inputs, classes, relu_attributions=True
    )
    expected = interpolate(attribution, (48, 48), mode="bilinear", align_corners=False)[:, 0].detach()
    greatest = expected.amax(dim=(1, 2), keepdim=True)
    assert (greatest > 0).any()
    torch.testing.assert_close(found, expected / greatest.clamp(min=1e-30), rtol=1e-4, atol=1e-5)


def test_it_follows_its_equations():
    made, inputs, classes = built(LAST_MAPS["vgg"][0]), images(), np.array([1, 1, 0])
    with torch.no_grad():
        maps = made.maps(inputs).double().numpy()
        weight = next(p for n, p in made.classifier.named_parameters() if p.ndim == 2).double().numpy()
    # The head is linear in the mean of each map, so that ∂y_c / ∂A_k is w_ck / Z in every place.
    count = maps.shape[2] * maps.shape[3]
    alpha = weight[classes] / count
    places = np.maximum((alpha[:, :, None, None] * maps).sum(axis=1), 0)
    coarse = interpolate(torch.from_numpy(places)[:, None], (48, 48), mode="bilinear", align_corners=False)[
        :, 0
    ].numpy()
    expected = coarse / np.maximum(coarse.max(axis=(1, 2), keepdims=True), 1e-30)
    np.testing.assert_allclose(
        grad_cam(made, inputs, torch.from_numpy(classes)).numpy(), expected, rtol=1e-4, atol=1e-5
    )


def test_it_is_where_the_only_sign_of_the_class_is():
    made = built(VGG(widths=(1,), convolutions=(1,), hidden=(), dropout=0.0, normalization="none"), side=32)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    picture = torch.zeros(1, 3, 32, 32)
    picture[:, :, 20:24, 4:8] = 1.0
    found = grad_cam(made, picture, torch.tensor([2]))[0]
    assert found.max() == 1.0
    top, left = divmod(int(found.argmax()), 32)
    assert 18 <= top <= 25
    assert 2 <= left <= 9
    assert found[:12].max() == 0
    assert found[:, 14:].max() == 0


def test_parameters_get_no_gradient_and_nothing_to_see_is_zero():
    made = built(LAST_MAPS["resnet"][0])
    grad_cam(made, images(), torch.tensor([0, 1, 2]))
    assert all(parameter.grad is None for parameter in made.parameters())
    made.requires_grad_(False)
    assert grad_cam(made, images(), torch.tensor([0, 1, 2])) is not None
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert grad_cam(made, images(), torch.tensor([0, 1, 2])).abs().max() == 0


def test_dense_layers_before_the_head_leave_no_maps():
    assert grad_cam(built(LeNet(dropout=0.0)), images(), torch.tensor([0, 1, 2])) is None
