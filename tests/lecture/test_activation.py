"""Every activation and its derivative are the published equation, around 0 and far from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import integrate, special

from sightline.network.activation import GAINS, build_activation
from sightline.recipe.network import ActivationName

Array = NDArray[np.float64]
LAMBDA = 1.0507009873554804934193349852946
ALPHA = 1.6732632423543772848170429916717


def sigma(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def normal_share(x: Array) -> Array:
    return 0.5 * (1.0 + special.erf(x / math.sqrt(2.0)))


def normal_density(x: Array) -> Array:
    return np.exp(-(x**2) / 2.0) / math.sqrt(2.0 * math.pi)


@dataclass(frozen=True)
class Activation:
    name: ActivationName
    equation: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


ACTIVATIONS = [
    Activation("sigmoid", sigma, lambda x: (1.0 - sigma(x)) * sigma(x)),
    Activation("tanh", lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)), lambda x: 1.0 / np.cosh(x) ** 2),
    Activation("relu", lambda x: np.maximum(0.0, x), lambda x: np.where(x > 0, 1.0, 0.0)),
    Activation("relu6", lambda x: np.clip(x, 0.0, 6.0), lambda x: np.where((x > 0) & (x < 6), 1.0, 0.0)),
    Activation("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1.0, 0.01)),
    Activation("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1.0), lambda x: np.where(x > 0, 1.0, np.exp(x))),
    Activation(
        "selu",
        lambda x: LAMBDA * np.where(x > 0, x, ALPHA * (np.exp(x) - 1.0)),
        lambda x: LAMBDA * np.where(x > 0, 1.0, ALPHA * np.exp(x)),
    ),
    Activation("gelu", lambda x: x * normal_share(x), lambda x: normal_share(x) + x * normal_density(x)),
    Activation("silu", lambda x: x * sigma(x), lambda x: sigma(x) * (1.0 + x * (1.0 - sigma(x)))),
]
POINTS = np.concatenate([np.linspace(-8.0, 8.0, 641), [-1e-9, 0.0, 1e-9]])


def value_and_gradient(name: ActivationName, points: Array) -> tuple[Array, Array]:
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y = build_activation(name)(x)
    y.sum().backward()
    assert x.grad is not None
    return y.detach().numpy(), x.grad.numpy()


def test_all_are_here() -> None:
    assert [activation.name for activation in ACTIVATIONS] == list(get_args(ActivationName))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=attrgetter("name"))
def test_value_and_derivative_are_the_published_ones(activation: Activation) -> None:
    value, gradient = value_and_gradient(activation.name, POINTS)
    np.testing.assert_allclose(value, activation.equation(POINTS), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient, activation.derivative(POINTS), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=attrgetter("name"))
def test_the_derivative_is_the_slope(activation: Activation) -> None:
    """Central differences, away from the kinks: the reference itself has no slip."""
    points = POINTS[(np.abs(POINTS) > 1e-3) & (np.abs(POINTS - 6.0) > 1e-3)]
    slope = (activation.equation(points + 1e-5) - activation.equation(points - 1e-5)) / 2e-5
    np.testing.assert_allclose(activation.derivative(points), slope, atol=1e-8)


def test_sigmoid_saturates_and_is_not_centered() -> None:
    value, gradient = value_and_gradient("sigmoid", np.array([-30.0, 0.0, 30.0]))
    assert gradient[1] == 0.25
    assert gradient[[0, 2]].max() < 1e-12
    assert value.min() > 0.0


def test_relu_has_gradient_0_at_0_and_never_saturates_above() -> None:
    value, gradient = value_and_gradient("relu", np.array([-1e-300, -0.0, 0.0, 1e-300, 1e6]))
    assert value.tolist() == [0.0, 0.0, 0.0, 1e-300, 1e6]
    assert gradient.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_a_relu_may_die_and_a_leaky_one_may_not() -> None:
    """A unit whose input is negative for every picture gets no gradient."""
    inputs = -np.random.default_rng(0).uniform(0.1, 5.0, 100)
    assert not value_and_gradient("relu", inputs)[1].any()
    assert value_and_gradient("leaky_relu", inputs)[1].all()


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=attrgetter("name"))
def test_the_gain_keeps_the_spread_of_a_standard_normal_signal(activation: Activation) -> None:
    if activation.name in ("sigmoid", "tanh"):
        assert GAINS[activation.name] == {"sigmoid": 1.0, "tanh": 5.0 / 3.0}[activation.name], "conventional"
        return
    second_moment = sum(
        integrate.quad(lambda z: float(activation.equation(np.array(z)) ** 2 * normal_density(np.array(z))), *side)[0]
        for side in ((-12.0, 0.0), (0.0, 12.0))
    )
    assert GAINS[activation.name] == pytest.approx(1.0 / math.sqrt(second_moment), rel=1e-6)


def test_selu_reproduces_zero_mean_and_unit_variance() -> None:
    """The fixed point of Klambauer et al.: E[f(z)] = 0 and E[f(z)²] = 1 for z ~ N(0, 1)."""

    def moment(power: int) -> float:
        def weighed(z: float) -> float:
            value, _ = value_and_gradient("selu", np.array([z]))
            return float(value[0] ** power * normal_density(np.array(z)))

        return float(sum(integrate.quad(weighed, *side)[0] for side in ((-12.0, 0.0), (0.0, 12.0))))

    assert moment(1) == pytest.approx(0.0, abs=1e-9)
    assert moment(2) == pytest.approx(1.0, abs=1e-9)
