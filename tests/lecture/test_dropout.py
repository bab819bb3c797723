"""Dropout's number is the probability to drop; what is kept is scaled up, and inference changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from sightline.network.dropout import maps, units

PROBABILITIES = [0.1, 0.5, 0.8]
KINDS = [units, maps]


def dropped(make: Callable[[float], nn.Module], probability: float, shape: tuple[int, ...]) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        output: torch.Tensor = make(probability)(torch.ones(shape))
    return output


@pytest.mark.parametrize("probability", PROBABILITIES)
def test_units_are_dropped_one_by_one_with_the_stated_probability(probability: float) -> None:
    output = dropped(units, probability, (400, 500))
    zero = output == 0
    assert zero.double().mean().item() == pytest.approx(
        probability, abs=5 * math.sqrt(probability * (1 - probability) / zero.numel())
    )
    assert torch.equal(output[~zero], torch.full_like(output[~zero], 1.0 / (1.0 - probability)))
    by_row = zero.double().mean(dim=1).var().item()
    assert by_row == pytest.approx(probability * (1 - probability) / 500, rel=5 * math.sqrt(2 / 400)), "independent"


@pytest.mark.parametrize("probability", PROBABILITIES)
def test_maps_are_dropped_whole(probability: float) -> None:
    output = dropped(maps, probability, (400, 50, 3, 3))
    first = output[:, :, :1, :1]
    assert torch.equal(output, first.expand_as(output))
    assert (first == 0).double().mean().item() == pytest.approx(
        probability, abs=5 * math.sqrt(probability * (1 - probability) / first.numel())
    )


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("probability", PROBABILITIES)
def test_the_expectation_is_kept(make: Callable[[float], nn.Module], probability: float) -> None:
    output = dropped(make, probability, (400, 500, 1, 1))
    error = math.sqrt(probability / (1 - probability) / output.numel())
    assert output.double().mean().item() == pytest.approx(1.0, abs=5 * error)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("probability", [0.0, *PROBABILITIES])
def test_inference_is_the_identity(make: Callable[[float], nn.Module], probability: float) -> None:
    x = torch.randn(4, 5, 3, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(make(probability).eval()(x), x)


def test_the_slides_way_agrees_in_expectation() -> None:
    """Bernoulli(keep) while training and weights times `keep` at inference: ours is that, divided by `keep`."""
    keep = 0.3
    output = dropped(units, 1 - keep, (1000, 100))
    slides = (output != 0).double()
    torch.testing.assert_close(slides, output.double() * keep, rtol=1e-6, atol=0)
    at_inference = torch.ones(1000, 100) * keep
    assert slides.mean().item() == pytest.approx(at_inference.mean().item(), abs=0.01)


@pytest.mark.parametrize("make", KINDS)
def test_the_gradient_passes_where_the_signal_did(make: Callable[[float], nn.Module]) -> None:
    x = torch.ones(8, 6, 2, 2, requires_grad=True)
    output = make(0.5)(x)
    output.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, output.detach())
