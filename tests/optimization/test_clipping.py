"""A long gradient is shortened and keeps its direction; a short one is left alone."""

from __future__ import annotations

import math

import pytest
import torch

from sightline.optimization import clip_norm


def parameters(*gradients: list[float] | None) -> list[torch.Tensor]:
    made = []
    for gradient in gradients:
        parameter = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        parameter.grad = None if gradient is None else torch.tensor(gradient, dtype=torch.float64)
        made.append(parameter)
    return made


def test_the_norm_is_that_of_all_gradients_together() -> None:
    clipped = parameters([3.0, 0.0], None, [0.0, 4.0])
    assert clip_norm(clipped, 1.0).item() == pytest.approx(5.0)
    assert clipped[0].grad is not None
    assert clipped[2].grad is not None
    assert clipped[0].grad.tolist() == pytest.approx([3.0 / (5.0 + 1e-6), 0.0], rel=1e-12)
    assert clipped[2].grad.tolist() == pytest.approx([0.0, 4.0 / (5.0 + 1e-6)], rel=1e-12)


def test_a_short_gradient_is_left_alone() -> None:
    kept = parameters([0.3, 0.4])
    clip_norm(kept, 1.0)
    assert kept[0].grad is not None
    assert kept[0].grad.tolist() == [0.3, 0.4]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_seen_in_the_norm(bad: float) -> None:
    assert not math.isfinite(clip_norm(parameters([bad, 1.0]), 1.0).item())
