"""Curvature along a step and the noise scale against closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.diagnosis.gradients import curvature, disagreement, noise_scale, norm


@given(rate=st.floats(0.01, 5.0), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_on_a_parabola_curvature_is_rate_times_curvature_along_the_gradient(rate, seed):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(6, 6))
    hessian, weights = root @ root.T + np.eye(6), generator.normal(size=6)
    before = hessian @ weights
    update = -rate * before
    after = hessian @ (weights + update)
    found = curvature(*({"w": torch.from_numpy(each)} for each in (before, after, update)))
    assert found == pytest.approx(rate * (before @ hessian @ before) / (before @ before), rel=1e-9)
    # Beyond 2 the loss has grown.
    grown = 0.5 * (weights + update) @ hessian @ (weights + update) > 0.5 * weights @ hessian @ weights
    assert grown == (found > 2.0)


def test_a_step_uphill_has_no_curvature():
    gradient = {"w": torch.ones(3)}
    assert curvature(gradient, gradient, {"w": torch.ones(3)}) is None


def test_noise_scale_is_the_trace_of_the_noise_over_the_squared_gradient():
    generator = np.random.default_rng(0)
    gradient, spread, pictures = np.full(50, 0.3), 2.0, 16
    small, large = [], []
    for _ in range(4000):
        halves = gradient + generator.normal(size=(2, 50)) * spread / np.sqrt(pictures)
        small.append(np.mean((halves**2).sum(axis=1)))
        large.append((halves.mean(axis=0) ** 2).sum())
    found = noise_scale(float(np.mean(small)), float(np.mean(large)), pictures=pictures)
    assert found == pytest.approx(50 * spread**2 / (gradient @ gradient), rel=0.03)


def test_noise_that_hides_the_gradient_has_no_scale():
    assert noise_scale(10.0, 4.0, pictures=8) is None


def test_halves_that_agree_and_halves_that_are_opposed():
    one = torch.tensor([1.0, 2.0])
    assert disagreement(one, one) == 0.0
    assert disagreement(one, torch.tensor([2.0, -1.0])) == pytest.approx(1.0)


def test_norm_is_that_of_all_numbers_together():
    assert norm([torch.tensor([3.0]), torch.tensor([[4.0]])]) == 5.0
    assert norm([]) == 0.0
