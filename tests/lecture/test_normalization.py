"""Batch and group normalization are the published equations, in training and at inference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.network.normalization import EPSILON, batch, group, share_of_part

Array = NDArray[np.float64]
SHAPE = (6, 8, 5, 7)


def maps(seed: int = 0) -> Tensor:
    drawn = np.random.default_rng(seed).normal(size=SHAPE)
    per_channel = np.arange(1.0, SHAPE[1] + 1)[:, None, None]
    return torch.from_numpy(drawn * per_channel + 3.0 * per_channel)


def ready(module: nn.Module, *, seed: int = 1) -> nn.Module:
    rng = np.random.default_rng(seed)
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=parameter.shape)))
    return module


def parameters(module: nn.Module) -> tuple[Array, Array]:
    gamma, beta = (parameter.detach().numpy()[:, None, None] for parameter in module.parameters())
    return gamma, beta


def test_batch_normalization_in_training() -> None:
    module = ready(batch(SHAPE[1]))
    gamma, beta = parameters(module)
    x = maps().numpy()
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    expected = gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta
    np.testing.assert_allclose(module(maps()).detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_batch_normalization_at_inference_uses_the_averages_of_training() -> None:
    module = ready(batch(SHAPE[1]))
    gamma, beta = parameters(module)
    running_mean, running_variance = np.zeros(SHAPE[1]), np.ones(SHAPE[1])
    count = SHAPE[0] * SHAPE[2] * SHAPE[3]
    for seed in range(20):
        x = maps(seed).numpy()
        module(maps(seed))
        running_mean = 0.9 * running_mean + 0.1 * x.mean(axis=(0, 2, 3))
        running_variance = 0.9 * running_variance + 0.1 * x.var(axis=(0, 2, 3)) * count / (count - 1)
    module.eval()
    x = maps(99).numpy()
    standardized = (x - running_mean[:, None, None]) / np.sqrt(running_variance[:, None, None] + EPSILON)
    np.testing.assert_allclose(module(maps(99)).detach().numpy(), gamma * standardized + beta, rtol=1e-12, atol=1e-12)
    alone = module(maps(99)[:1])
    torch.testing.assert_close(alone, module(maps(99))[:1], rtol=1e-12, atol=1e-12)


def set_to(module: nn.Module, gamma: Array, beta: Array) -> nn.Module:
    module = module.double()
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), (gamma, beta), strict=True):
            parameter.copy_(torch.from_numpy(value))
    return module


@pytest.mark.parametrize("parts", [1, 2, 14])
@pytest.mark.parametrize("share", [0.1, 0.4, 1.0])
def test_running_averages_move_as_far_by_all_parts_of_a_batch_as_by_the_whole(parts: int, share: float) -> None:
    """Where all parts have the same mean and variance, the weights (1 − w)^P of what was there before decide."""
    whole, divided = ready(batch(SHAPE[1])), ready(batch(SHAPE[1]))
    whole.momentum, divided.momentum = share, share_of_part(share, parts)
    whole(maps())
    for _ in range(parts):
        divided(maps())
    assert torch.allclose(whole.running_mean, divided.running_mean, rtol=1e-9)
    assert torch.allclose(whole.running_var, divided.running_var, rtol=1e-9)


def test_batch_normalization_can_be_the_identity() -> None:
    x = maps()
    mean, variance = x.mean(dim=(0, 2, 3)).numpy(), x.var(dim=(0, 2, 3), correction=0).numpy()
    identity = set_to(batch(SHAPE[1]), np.sqrt(variance + EPSILON), mean)
    torch.testing.assert_close(identity(x).detach(), x, rtol=1e-12, atol=1e-12)

    slides = set_to(batch(SHAPE[1]), variance, mean)
    assert (slides(x).detach() - x).abs().max() > 1.0, "the slides' γ = Var[x] is the identity only for unit variance"


@pytest.mark.parametrize("channels", [1, 4, 8, 24, 64, 96])
def test_group_normalization(channels: int) -> None:
    module = ready(group(channels))
    gamma, beta = parameters(module)
    x = np.random.default_rng(2).normal(2.0, 3.0, size=(3, channels, 4, 5))
    assert isinstance(module, nn.GroupNorm)
    groups = x.reshape(3, module.num_groups, -1)
    standardized = (groups - groups.mean(axis=2, keepdims=True)) / np.sqrt(groups.var(axis=2, keepdims=True) + EPSILON)
    expected = gamma * standardized.reshape(x.shape) + beta
    for mode in (True, False):
        ran = module.train(mode)(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(ran, expected, rtol=1e-12, atol=1e-12)


def test_a_picture_in_group_normalization_does_not_see_its_batch() -> None:
    module = ready(group(SHAPE[1]))
    torch.testing.assert_close(module(maps()[:1]), module(maps())[:1], rtol=1e-13, atol=1e-13)
    sees = ready(batch(SHAPE[1]))
    assert not torch.allclose(sees(maps()[:1]), sees(maps())[:1])
