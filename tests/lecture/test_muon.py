"""Muon is the published equation, step by step; what it turns is orthogonal; who is a matrix is who should be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from sightline.network import build as build_network
from sightline.optimization import build
from sightline.optimization.build import head_of
from sightline.optimization.muon import orthogonalized
from sightline.recipe import network as networks
from sightline.recipe.optimizer import Muon

Array = NDArray[np.float64]
STEPS = 60


def by_newton_schulz(matrix: Array, iterations: int) -> Array:
    """The published polynomial on the singular values, which is what the iteration comes to."""
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    s = s / (np.sqrt((s**2).sum()) + 1e-7)
    for _ in range(iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s) @ v


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (7, 7), (1, 5), (5, 1)])
@pytest.mark.parametrize("iterations", [1, 3, 5])
def test_the_iteration_is_a_polynomial_of_the_singular_values(shape: tuple[int, int], iterations: int) -> None:
    matrix = np.random.default_rng(0).normal(size=shape)
    found = orthogonalized(torch.from_numpy(matrix), iterations=iterations).numpy()
    np.testing.assert_allclose(found, by_newton_schulz(matrix, iterations), rtol=1e-9, atol=1e-12)


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), size=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_five_iterations_make_every_direction_about_as_long(rows: int, columns: int, size: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    u, _, v = np.linalg.svd(random.normal(size=(rows, columns)), full_matrices=False)
    lengths = np.geomspace(1.0, 0.02, min(rows, columns))
    found = orthogonalized(torch.from_numpy(size * (u * lengths) @ v), iterations=5).numpy()
    assert np.all(np.abs(np.linalg.svd(found, compute_uv=False) - 0.95) < 0.3)
    inside = u.T @ found @ v.T
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-6 * max(1.0, size))


def test_nothing_stays_nothing() -> None:
    assert not orthogonalized(torch.zeros(3, 4), iterations=3).any()


class Small(nn.Module):
    """A hidden convolution with a bias, a normalization and a head."""

    HEAD = "head"

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)


SECTION = Muon(
    learning_rate=0.1, momentum=0.7, iterations=2, rest_momentum=0.8, weight_decay=0.3, bias_rate=5.0, head_rate=0.25
)


def rate(step: int) -> float:
    return 0.1 * (1.0 - step / STEPS)


def test_every_step_is_the_equation() -> None:
    torch.manual_seed(0)
    module = Small().double()
    start = {name: parameter.detach().numpy().copy() for name, parameter in module.named_parameters()}
    random = np.random.default_rng(1)
    gradients = [{name: random.normal(size=each.shape) for name, each in start.items()} for _ in range(STEPS)]

    optimizer = build(SECTION, module)
    for step, gradient in enumerate(gradients):
        for name, parameter in module.named_parameters():
            parameter.grad = torch.from_numpy(gradient[name].copy())
        for group in optimizer.param_groups:
            group["lr"] = rate(step) * group.get("rate_factor", 1.0)
        optimizer.step()

    factors = {"conv.bias": 5.0, "norm.bias": 5.0, "head.weight": 0.25, "head.bias": 1.25}
    for name, first in start.items():
        w, v = first, np.zeros_like(first)
        for step, gradient in enumerate(gradients):
            g, alpha = gradient[name], rate(step)
            if name == "conv.weight":
                v = 0.7 * v + g
                turned = by_newton_schulz((g + 0.7 * v).reshape(4, -1), 2).reshape(w.shape)
                w = w * 2.0 / (np.sqrt((w**2).sum()) + 1e-7) - alpha * turned
            else:
                v = 0.8 * v + g
                decay = 0.3 if name == "head.weight" else 0.0
                w = (1.0 - decay * alpha) * w - alpha * factors.get(name, 1.0) * (g + 0.8 * v)
        np.testing.assert_allclose(module.get_parameter(name).detach().numpy(), w, rtol=1e-8, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    ("section", "matrices"),
    [
        (networks.LeNet(dropout=0.0), {"conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"}),
        (networks.VGG(dropout=0.0, widths=(4,), convolutions=(2,)), {"features.0.weight", "features.3.weight"}),
    ],
)
def test_matrices_are_the_weights_of_hidden_layers(section: networks.Network, matrices: set[str]) -> None:
    module = build_network(section, channels=1, classes=3, image_size=(12, 12))
    optimizer = build(Muon(learning_rate=0.1, head_rate=0.1), module)
    found = {name for group in optimizer.param_groups if group["iterations"] for name in group["param_names"]}
    assert found == matrices
    others = {name for group in optimizer.param_groups if not group["iterations"] for name in group["param_names"]}
    assert found | others == {name for name, _ in module.named_parameters()}


def test_without_a_stated_head_it_is_the_last_layer_with_a_weight() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.LayerNorm(2))
    assert head_of(module) == {"2.weight", "2.bias"}
    assert head_of(nn.Linear(3, 2)) == {"weight", "bias"}
    assert head_of(nn.ReLU()) == set()


def test_a_closure_is_refused() -> None:
    with pytest.raises(ValueError, match="closure"):
        build(Muon(learning_rate=0.1, head_rate=0.1), Small()).step(lambda: 0.0)
