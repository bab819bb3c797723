"""Slopes of activations against automatic differentiation in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sightline.diagnosis.saturation import FLAT, slope
from sightline.network.activation import GAINS, build_activation


@pytest.mark.parametrize("name", GAINS)
def test_slope_is_the_derivative_over_its_maximum(name):
    module = build_activation(name)
    places = torch.linspace(-12.0, 12.0, 4801, dtype=torch.float64)
    inputs = places[places.abs() > 1e-6].requires_grad_()  # a rectifier has no derivative at 0
    outputs = module(inputs)
    (wanted,) = torch.autograd.grad(outputs.sum(), inputs)
    wanted = wanted.abs() / wanted.abs().max()
    found = slope(module, inputs.detach(), outputs.detach()).double()
    # The grid misses the steepest place by a little: of SELU it is just below 0, where the slope falls fastest.
    assert torch.allclose(found, wanted, atol=6e-3 if name == "selu" else 2e-3)


def test_of_a_module_that_is_no_activation_nothing_is_said():
    assert slope(nn.MaxPool2d(2), torch.zeros(1), torch.zeros(1)) is None


@given(st.floats(-30, 30))
@settings(max_examples=50, deadline=None)
def test_a_sigmoid_is_saturated_beyond_about_six(number):
    inputs = torch.tensor([number], dtype=torch.float64)
    flat = bool(slope(nn.Sigmoid(), inputs, torch.sigmoid(inputs)) < FLAT)
    # 4 σ (1 − σ) = 1/100 at ±5.986
    assert flat == (abs(number) > 5.98645) or abs(abs(number) - 5.98645) < 1e-3
