"""The transform standardizes the training split, and applies the same numbers to everything else."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sightline.preprocessing import Statistics, fit, module

STEPS = list(product(("none", "channel", "pixel"), ("none", "channel", "pixel"), ("none", "pca", "zca")))


def pictures(count: int = 300, seed: int = 1) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    levels = 120 + generator.normal(size=(count, 36)) @ (4 * generator.normal(size=(36, 36)))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8).reshape(count, 3, 4, 3)


def by_equation(statistics: Statistics, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    pixels = images.astype(np.float64) / 255
    if statistics.mean is not None:
        pixels = pixels - statistics.mean
    if statistics.deviation is not None:
        pixels = pixels / statistics.deviation
    if statistics.matrix is not None:
        flat = pixels.reshape(len(images), -1)
        pixels = np.stack([statistics.matrix @ one for one in flat]).reshape(images.shape)
    return pixels.transpose(0, 3, 1, 2)


def fitted(center: str, scale: str, decorrelate: str) -> Statistics:
    return fit([pictures()], center=center, scale=scale, decorrelate=decorrelate, epsilon=1e-10)


@pytest.mark.parametrize(("center", "scale", "decorrelate"), STEPS)
def test_applies_the_training_values_to_any_picture(center: str, scale: str, decorrelate: str) -> None:
    statistics = fitted(center, scale, decorrelate)
    others = pictures(20, seed=9)
    expected = by_equation(statistics, others)
    found = module(statistics)(torch.from_numpy(others))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-4, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("by", ["channel", "pixel"])
@pytest.mark.parametrize("scaled_by", ["channel", "pixel"])
def test_training_split_gets_zero_mean_and_unit_variance(by: str, scaled_by: str) -> None:
    found = module(fitted(by, scaled_by, "none"))(torch.from_numpy(pictures())).numpy().astype(np.float64)
    axes = 0 if by == "pixel" else (0, 2, 3)
    if (by, scaled_by) != ("channel", "pixel"):
        np.testing.assert_allclose(found.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(found.var(0 if scaled_by == "pixel" else (0, 2, 3)), 1, rtol=1e-4)


@pytest.mark.parametrize("decorrelate", ["pca", "zca"])
@pytest.mark.parametrize("scale", ["none", "pixel"])
def test_whitening_gives_identity_covariance(decorrelate: str, scale: str) -> None:
    found = module(fitted("pixel", scale, decorrelate))(torch.from_numpy(pictures()))
    flat = found.permute(0, 2, 3, 1).flatten(1).numpy().astype(np.float64)
    np.testing.assert_allclose(np.cov(flat.T, bias=True), np.eye(36), atol=2e-3)


@pytest.mark.parametrize("decorrelate", ["none", "zca"])
def test_result_is_channels_last(decorrelate: str) -> None:
    found = module(fitted("channel", "channel", decorrelate))(torch.from_numpy(pictures(5)))
    assert found.shape == (5, 3, 3, 4)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_floats_of_the_same_range_are_taken() -> None:
    transform = module(fitted("channel", "pixel", "none"))
    images = torch.from_numpy(pictures(5))
    assert torch.equal(transform(images), transform(images.float()))


@pytest.mark.parametrize("decorrelate", ["none", "pca"])
def test_runs_alike_when_exported(decorrelate: str) -> None:
    transform = module(fitted("pixel", "channel", decorrelate))
    images = torch.from_numpy(pictures(6))
    exported = torch.export.export(transform, (images[:2],), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    torch.testing.assert_close(exported.module()(images), transform(images))


def test_nothing_is_learned_and_nothing_chosen_maps_to_the_unit_range() -> None:
    transform = module(fit([pictures()], center="none", scale="none", decorrelate="none", epsilon=1))
    assert not list(transform.parameters())
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 3, 1)
    torch.testing.assert_close(transform(images).flatten(), torch.tensor([0.0, 0.2, 1.0]))
