"""Weights start with the published variances, and the right pair keeps a signal alive through 30 layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

import numpy as np
import pytest
import torch
from torch import nn

from sightline.network import initialize
from sightline.network.activation import GAINS, build_activation
from sightline.network.initialization import Scheme, he, identity, lecun, normal, orthogonal, xavier
from sightline.recipe.network import ActivationName

DEPTH, WIDTH = 30, 256


@dataclass(frozen=True)
class Spread:
    name: str
    scheme: Scheme
    variance: Callable[[int, int], float]
    uniform: bool = False


SPREADS = [
    Spread("xavier", xavier, lambda fan_in, fan_out: 2.0 / (fan_in + fan_out), uniform=True),
    Spread("xavier normal", partial(xavier, distribution="normal"), lambda fan_in, fan_out: 2.0 / (fan_in + fan_out)),
    Spread("he", he, lambda fan_in, _: 2.0 / fan_in),
    Spread("he out", partial(he, fan="out"), lambda _, fan_out: 2.0 / fan_out),
    Spread("he uniform", partial(he, distribution="uniform"), lambda fan_in, _: 2.0 / fan_in, uniform=True),
    Spread("he leaky", partial(he, gain=GAINS["leaky_relu"]), lambda fan_in, _: 2.0 / (1.0 + 0.01**2) / fan_in),
    Spread("lecun", lecun, lambda fan_in, _: 1.0 / fan_in),
    Spread("lecun uniform", partial(lecun, distribution="uniform"), lambda fan_in, _: 1.0 / fan_in, uniform=True),
    Spread("normal", partial(normal, std=0.02), lambda *_: 0.02**2),
]
LAYERS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "dense": (lambda: nn.Linear(300, 500), 300, 500),
    "convolution": (lambda: nn.Conv2d(24, 96, (3, 5)), 24 * 15, 96 * 15),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("spread", SPREADS, ids=attrgetter("name"))
def test_real_layers_start_with_the_published_variance(spread: Spread, layer: str) -> None:
    make, fan_in, fan_out = LAYERS[layer]
    module = make()
    initialize(module, spread.scheme, seed=1)
    weights = module.weight.detach().numpy().astype(np.float64).ravel()
    variance = spread.variance(fan_in, fan_out)
    # Five standard errors: of a mean, and of a variance (kurtosis 3 or less).
    assert abs(weights.mean()) < 5.0 * math.sqrt(variance / len(weights))
    assert weights.var() == pytest.approx(variance, rel=5.0 * math.sqrt(2.0 / len(weights)))
    bound = math.sqrt(3.0 * variance)
    assert (np.abs(weights).max() <= bound * (1 + 1e-6)) == spread.uniform
    if spread.uniform:
        np.testing.assert_allclose(np.quantile(weights, [0.25, 0.5, 0.75]) / bound, [-0.5, 0.0, 0.5], atol=0.02)
    assert not module.bias.detach().any()


@pytest.mark.parametrize("shape", [(40, 200), (200, 40), (16, 4, 3, 3)], ids=str)
def test_orthogonal_keeps_lengths(shape: tuple[int, ...]) -> None:
    weight = torch.empty(shape)
    orthogonal(weight, torch.Generator().manual_seed(0), gain=1.5)
    matrix = weight.numpy().astype(np.float64).reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, 1.5**2 * np.eye(len(small)), atol=1e-5)


def spread_after(activation: ActivationName | None, scheme: Scheme) -> tuple[float, float]:
    """Return Var of the signal after 30 layers over that after one, and the same for the gradient on its way back."""
    layers = [nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH)]
    network = nn.ModuleList(layers)
    initialize(network, scheme, seed=3)
    x = torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(4), requires_grad=True)
    signals = [x]
    for layer in layers:
        signal = layer(signals[-1])
        signals.append(build_activation(activation)(signal) if activation else signal)
        signals[-1].retain_grad()
    signals[-1].backward(torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(5)))
    moments = [signals[i].detach().square().mean().item() for i in (1, -1)]
    gradients = [found.square().mean().item() for i in (1, -1) if (found := signals[i].grad) is not None]
    return moments[1] / moments[0], gradients[0] / gradients[1]


RIGHT: list[tuple[ActivationName | None, str, Scheme]] = [
    ("relu", "he", he),
    ("relu", "he uniform", partial(he, distribution="uniform")),
    ("relu", "orthogonal", partial(orthogonal, gain=math.sqrt(2.0))),
    ("leaky_relu", "he", partial(he, gain=GAINS["leaky_relu"])),
    ("elu", "he", partial(he, gain=GAINS["elu"])),
    ("selu", "lecun", lecun),
    (None, "xavier", xavier),
    (None, "lecun", lecun),
    (None, "orthogonal", orthogonal),
]
WRONG: list[tuple[ActivationName | None, str, Scheme, float, float]] = [
    ("relu", "xavier", xavier, 0.0, 1e-6),
    ("relu", "lecun", lecun, 0.0, 1e-6),
    ("relu", "normal", normal, 0.0, 1e-6),
    ("tanh", "normal", normal, 0.0, 1e-6),
    (None, "he", he, 1e6, math.inf),
]


@pytest.mark.parametrize(("activation", "name", "scheme"), RIGHT, ids=lambda part: part if type(part) is str else "")
def test_the_right_pair_keeps_the_signal_through_30_layers(
    activation: ActivationName | None, name: str, scheme: Scheme
) -> None:
    forward, _ = spread_after(activation, scheme)
    assert 0.3 < forward < 3.0


@pytest.mark.parametrize(
    ("activation", "name", "scheme", "low", "high"), WRONG, ids=lambda part: part if type(part) is str else ""
)
def test_the_wrong_pair_loses_or_bursts_it(
    activation: ActivationName | None, name: str, scheme: Scheme, low: float, high: float
) -> None:
    forward, _ = spread_after(activation, scheme)
    assert low <= forward < high


def test_xavier_keeps_what_tanh_carries() -> None:
    """A tanh shrinks what is not small, slowly (as 1 / depth): gradients pass, whereas N(0, 0.01²) stops them."""
    forward, backward = spread_after("tanh", xavier)
    assert 0.03 < forward < 1.0
    assert 0.01 < backward < 1.0
    assert spread_after("tanh", normal)[1] < 1e-6


def test_gradients_vanish_in_deep_sigmoid_networks_and_not_in_rectified_ones() -> None:
    assert spread_after("sigmoid", xavier)[1] < 1e-20
    assert 0.2 < spread_after("relu", he)[1] < 5.0


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_no_initialization_keeps_gelu_and_silu_through_30_layers(activation: ActivationName) -> None:
    """Their own gain keeps unit spread for a layer, but what is larger grows and what is smaller fades: normalize."""
    scheme = partial(he, gain=GAINS[activation])
    layer = nn.Linear(2048, 2048)
    initialize(layer, scheme, seed=6)
    signal = torch.randn(256, 2048, generator=torch.Generator().manual_seed(7))
    kept = layer(build_activation(activation)(signal)).detach().square().mean().item()
    assert kept == pytest.approx(1.0, rel=0.05)
    assert spread_after(activation, scheme)[0] > 10.0
    assert spread_after(activation, he)[0] < 0.1


@pytest.mark.parametrize("kernel", [(3, 3), (1, 1), (5, 3)])
def test_identity_hands_on_what_it_gets_and_draws_the_rest_small(kernel: tuple[int, int]) -> None:
    height, width = kernel
    layer = nn.Conv2d(6, 200, kernel, padding=(height // 2, width // 2))
    initialize(layer, identity, seed=3)
    pictures = torch.randn(2, 6, 7, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(layer(pictures)[:, :6], pictures)
    rest = layer.weight.detach().numpy()[6:].astype(np.float64).ravel()
    bound = 1.0 / math.sqrt(6 * height * width)
    assert 0.98 * bound < np.abs(rest).max() <= bound
    assert rest.var() == pytest.approx(bound**2 / 3.0, rel=5.0 * math.sqrt(0.8 / len(rest)))


def test_identity_of_fewer_maps_hands_on_the_first() -> None:
    layer = nn.Conv2d(6, 4, 3, padding=1)
    initialize(layer, identity, seed=3)
    pictures = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(layer(pictures), pictures[:, :4])


def test_scores_begin_small_with_identity() -> None:
    layer = nn.Linear(400, 300)
    initialize(layer, identity, seed=1)
    assert layer.weight.std().item() == pytest.approx(1.0 / 400, rel=0.02)
