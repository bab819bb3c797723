"""Every weight is drawn from its own numbers, with the spread that its scheme names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from sightline.network import build, build_scheme, initialize, scheme_for
from sightline.network import initialization as schemes
from sightline.network.activation import GAINS, LEAKY_SLOPE, build_activation
from sightline.recipe import network as recipe

SHAPE = (96, 64, 3, 3)
FAN_IN, FAN_OUT = 64 * 9, 96 * 9


def drawn(scheme: schemes.Scheme, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Tensor:
    weight = torch.empty(shape)
    scheme(weight, torch.Generator().manual_seed(seed))
    return weight


VARIANCES = {
    "xavier": (partial(schemes.xavier), 2 / (FAN_IN + FAN_OUT)),
    "xavier normal": (partial(schemes.xavier, distribution="normal"), 2 / (FAN_IN + FAN_OUT)),
    "he": (partial(schemes.he), 2 / FAN_IN),
    "he uniform": (partial(schemes.he, distribution="uniform"), 2 / FAN_IN),
    "he out": (partial(schemes.he, fan="out"), 2 / FAN_OUT),
    "he leaky": (partial(schemes.he, gain=GAINS["leaky_relu"]), 2 / (1 + LEAKY_SLOPE**2) / FAN_IN),
    "lecun": (partial(schemes.lecun), 1 / FAN_IN),
    "lecun uniform": (partial(schemes.lecun, distribution="uniform"), 1 / FAN_IN),
    "normal": (partial(schemes.normal, std=0.03), 0.03**2),
}


@pytest.mark.parametrize(("scheme", "variance"), VARIANCES.values(), ids=VARIANCES)
def test_weights_have_the_named_variance(scheme: schemes.Scheme, variance: float) -> None:
    """55,296 weights: the sample variance lies within 3 % (five deviations) of the equation."""
    weight = drawn(scheme)
    assert weight.var().item() == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean().item()) < 5 * (variance / weight.numel()) ** 0.5


TORCH: dict[str, tuple[schemes.Scheme, Callable[..., Tensor]]] = {
    "xavier": (schemes.xavier, nn.init.xavier_uniform_),
    "he": (schemes.he, partial(nn.init.kaiming_normal_, nonlinearity="relu")),
    "he out": (partial(schemes.he, fan="out"), partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")),
    "lecun": (schemes.lecun, partial(nn.init.kaiming_normal_, nonlinearity="linear")),
    "orthogonal": (schemes.orthogonal, nn.init.orthogonal_),
}


@pytest.mark.parametrize(("ours", "theirs"), TORCH.values(), ids=TORCH)
def test_agrees_with_torch(ours: schemes.Scheme, theirs: Callable[..., Tensor]) -> None:
    expected = theirs(torch.empty(SHAPE), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn(ours, seed=3), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", [(8, 5, 3, 3), (60, 5, 3, 3)])
def test_orthogonal_keeps_lengths(shape: tuple[int, ...]) -> None:
    matrix = drawn(partial(schemes.orthogonal, gain=2.0), shape).flatten(1).double()
    product = matrix @ matrix.T if shape[0] <= 45 else matrix.T @ matrix
    torch.testing.assert_close(product, 4.0 * torch.eye(len(product), dtype=torch.float64), rtol=1e-5, atol=1e-5)


def test_weights_depend_on_name_and_seed_only() -> None:
    """Neither other layers nor the order of visiting nor numbers drawn elsewhere change a weight."""
    alone = nn.ModuleDict({"b": nn.Linear(5, 4)})
    among = nn.ModuleDict({"c": nn.Conv2d(3, 8, 3), "b": nn.Linear(5, 4), "a": nn.Linear(9, 9)})
    turned = nn.ModuleDict({"a": nn.Linear(9, 9), "b": nn.Linear(5, 4), "c": nn.Conv2d(3, 8, 3)})
    for module in (alone, among, turned):
        torch.rand(7)
        initialize(module, schemes.he, seed=5)
    assert torch.equal(alone["b"].weight, among["b"].weight)
    for name, parameter in among.named_parameters():
        assert torch.equal(parameter, turned.get_parameter(name)), name
    other = nn.ModuleDict({"b": nn.Linear(5, 4)})
    initialize(other, schemes.he, seed=6)
    assert not torch.equal(alone["b"].weight, other["b"].weight)


def test_equal_layers_get_different_weights() -> None:
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    initialize(module, schemes.he, seed=0)
    assert not torch.equal(module[0].weight, module[1].weight)


def test_biases_are_zero_and_normalization_starts_as_none() -> None:
    section = recipe.VGG(initialization=recipe.He(), dropout=0.0)
    module = build(section, channels=3, classes=5, image_size=(16, 16))
    initialize(module, build_scheme(section), seed=0)
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif parameter.ndim == 1:
            assert (parameter == 1).all(), name
        else:
            assert parameter.std() > 0, name


def test_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    section = recipe.ResNet(width=4, stem="small", dropout=0.1, initialization=recipe.Orthogonal())
    initialize(build(section, channels=3, classes=5, image_size=(16, 16)), build_scheme(section), seed=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("activation", get_args(recipe.ActivationName))
def test_auto_keeps_the_signal_through_many_layers(activation: recipe.ActivationName) -> None:
    """The scheme chosen for an activation lets signals neither fade nor explode (sigmoid settles at a constant)."""
    depth = 5 if activation in ("gelu", "silu") else 30
    name, reason = scheme_for(activation)
    assert activation in reason
    section = recipe.VGG.model_validate({"activation": activation, "initialization": name, "dropout": 0.0})
    module = nn.Sequential(
        *(part for _ in range(depth) for part in (nn.Linear(256, 256), build_activation(activation)))
    )
    initialize(module, build_scheme(section), seed=1)
    with torch.no_grad():
        signal = module(torch.randn(64, 256, generator=torch.Generator().manual_seed(0)))
    assert 0.01 < signal.square().mean() < 5


def test_unresolved_initialization_is_refused() -> None:
    with pytest.raises(ValueError, match="resolve the recipe first"):
        build_scheme(recipe.VGG(dropout=0.0))


@pytest.mark.parametrize("activation", get_args(recipe.ActivationName))
def test_gains_keep_the_mean_square_of_standard_normal_signals(activation: recipe.ActivationName) -> None:
    if activation in ("sigmoid", "tanh"):
        pytest.skip("their conventional gains are no such means")
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5
    mean_square = torch.trapezoid(build_activation(activation)(z).square() * density, z).item()
    assert GAINS[activation] == pytest.approx(mean_square**-0.5, rel=1e-7)
