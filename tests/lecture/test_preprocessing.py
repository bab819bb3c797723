"""Statistics of the training split alone; the same numbers are applied to every other picture."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sightline.preprocessing import Statistics, fit, module

Pictures = NDArray[np.uint8]
SHAPE = (400, 6, 5, 3)


def pictures(seed: int, *, brightness: float = 0.0) -> Pictures:
    """Neighboring pixels are alike and channels differ, as in photographs."""
    drawn = np.random.default_rng(seed).normal(size=SHAPE)
    smooth = drawn.cumsum(axis=1) + drawn.cumsum(axis=2) + 0.5 * drawn[..., :1]
    return np.clip(110 + brightness + 18 * smooth * [1.0, 0.7, 0.5], 0, 255).astype(np.uint8)


TRAINING, OTHER = pictures(0), pictures(1, brightness=40.0)
By = Literal["none", "channel", "pixel"]


def fitted(
    *, center: By = "channel", scale: By = "channel", decorrelate: Literal["none", "pca", "zca"] = "none"
) -> Statistics:
    batches = [TRAINING[:150], TRAINING[150:]]
    return fit(batches, center=center, scale=scale, decorrelate=decorrelate, epsilon=1e-10)


def applied(statistics: Statistics, images: Pictures) -> NDArray[np.float64]:
    """Return what the network would see, as (image, height, width, channel)."""
    seen = module(statistics)(torch.from_numpy(images))
    assert seen.dtype == torch.float32
    return seen.permute(0, 2, 3, 1).double().numpy()


AXES: dict[By, tuple[int, ...]] = {"channel": (0, 1, 2), "pixel": (0,)}


@pytest.mark.parametrize("by", AXES)
def test_the_training_split_has_zero_mean_and_unit_variance(by: By) -> None:
    seen = applied(fitted(center=by, scale=by), TRAINING)
    np.testing.assert_allclose(seen.mean(axis=AXES[by]), 0.0, atol=1e-5)
    np.testing.assert_allclose(seen.var(axis=AXES[by]), 1.0, atol=1e-5)


@pytest.mark.parametrize("scale", ["none", "channel", "pixel"])
@pytest.mark.parametrize("center", ["none", "channel", "pixel"])
def test_other_pictures_get_the_numbers_of_the_training_split(center: By, scale: By) -> None:
    x = TRAINING / 255.0
    mean = x.mean(axis=AXES[center]) if center != "none" else 0.0
    if scale == "none":
        deviation: NDArray[np.float64] | float = 1.0
    elif (center, scale) == ("pixel", "channel"):
        deviation = (x - mean).std(axis=AXES["channel"])
    else:
        deviation = x.std(axis=AXES[scale])
    seen = applied(fitted(center=center, scale=scale), OTHER)
    np.testing.assert_allclose(seen, (OTHER / 255.0 - mean) / deviation, atol=2e-5)
    if center != "none":
        assert abs(seen.mean()) > 0.05, "brighter pictures stay brighter: they are not centered on themselves"


@pytest.mark.parametrize("decorrelate", ["pca", "zca"])
@pytest.mark.parametrize("scale", ["none", "channel"])
def test_whitening_gives_the_identity_as_covariance(decorrelate: Literal["pca", "zca"], scale: By) -> None:
    statistics = fitted(center="pixel", scale=scale, decorrelate=decorrelate)
    flat = applied(statistics, TRAINING).reshape(len(TRAINING), -1)
    covariance = flat.T @ flat / len(flat)
    np.testing.assert_allclose(covariance, np.eye(covariance.shape[0]), atol=2e-3)
    raw = (TRAINING / 255.0).reshape(len(TRAINING), -1)
    assert np.abs(np.corrcoef(raw.T) - np.eye(raw.shape[1])).max() > 0.5, "which is far from what came in"
    other = applied(statistics, OTHER).reshape(len(OTHER), -1)
    assert np.abs(other.T @ other / len(other) - np.eye(covariance.shape[0])).max() > 0.1


def test_pca_and_zca_are_the_published_matrices() -> None:
    x = (TRAINING / 255.0).reshape(len(TRAINING), -1)
    centered = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(x))
    zca = fitted(center="pixel", scale="none", decorrelate="zca").matrix
    assert zca is not None
    np.testing.assert_allclose(zca, vectors @ np.diag((values + 1e-10) ** -0.5) @ vectors.T, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(zca, zca.T, atol=1e-8)
    pca = fitted(center="pixel", scale="none", decorrelate="pca").matrix
    assert pca is not None
    spread = ((centered @ (pca / np.linalg.norm(pca, axis=1, keepdims=True)).T) ** 2).mean(axis=0)
    assert (np.diff(spread) < 0).all(), "the axis with most variance first"
    np.testing.assert_allclose(pca.T @ pca, zca.T @ zca, rtol=1e-6, atol=1e-4)


def test_order_and_batches_do_not_matter() -> None:
    shuffled = TRAINING[np.random.default_rng(5).permutation(len(TRAINING))]
    parts = [shuffled[:1], shuffled[1:7], shuffled[7:]]
    again = fit(parts, center="pixel", scale="channel", decorrelate="zca", epsilon=1e-10)
    first = fitted(center="pixel", scale="channel", decorrelate="zca")
    for name, array in first.tensors().items():
        assert np.array_equal(array, again.tensors()[name]), name
