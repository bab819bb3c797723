"""Statistics are exact sums: independent of order and batches, and equal to NumPy's in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightline.errors import DataError, ModelFileError, RecipeError
from sightline.preprocessing import Statistics, fit
from sightline.preprocessing import moments as moments_module
from sightline.preprocessing.moments import accumulate

CHOICES = list(product(("none", "channel", "pixel"), ("none", "channel", "pixel"), ("none", "pca", "zca")))


def pictures(count: int = 200, shape: tuple[int, int, int] = (4, 3, 3), seed: int = 0) -> NDArray[np.uint8]:
    """Correlated gray levels of different spread in every pixel."""
    generator = np.random.default_rng(seed)
    size = int(np.prod(shape))
    mixing = generator.normal(size=(size, size)) * generator.uniform(2, 12, size=size)
    levels = 120 + generator.normal(size=(count, size)) @ mixing
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8).reshape(count, *shape)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), choice=st.sampled_from(CHOICES), seed=st.integers(0, 1000))
def test_order_and_batches_change_no_bit(data: st.DataObject, choice: tuple[str, str, str], seed: int) -> None:
    center, scale, decorrelate = choice
    images = pictures(30, seed=seed)
    order = data.draw(st.permutations(range(len(images))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(images)), max_size=6)))
    settings_ = {"center": center, "scale": scale, "decorrelate": decorrelate, "epsilon": 1e-5}
    expected = fit([images], **settings_).tensors()
    found = fit(np.split(images[order], cuts), **settings_).tensors()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert array.tobytes() == found[name].tobytes(), name


@pytest.mark.parametrize("by", ["channel", "pixel"])
def test_mean_and_deviation_are_numpys(by: str) -> None:
    images = pictures()
    found = fit([images], center=by, scale=by, decorrelate="none", epsilon=1e-5)
    axes = (0, 1, 2) if by == "channel" else 0
    pixels = images.astype(np.float64) / 255
    np.testing.assert_allclose(found.mean, pixels.mean(axes), rtol=1e-14)
    centered = pixels - pixels.mean(axes)
    np.testing.assert_allclose(found.deviation, centered.std(axes), rtol=1e-12)


def test_deviation_by_channel_is_that_around_the_mean_image() -> None:
    images = pictures()
    found = fit([images], center="pixel", scale="channel", decorrelate="none", epsilon=1e-5)
    centered = images / 255 - (images / 255).mean(0)
    np.testing.assert_allclose(found.deviation, centered.std((0, 1, 2)), rtol=1e-12)


def test_large_sets_overflow_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """White pictures have the largest sums; above the limit of 64 bits Python's integers give the same variance."""
    images = pictures(500)
    exact = accumulate([images], products=False).variance(over_pixels=True)
    monkeypatch.setattr(moments_module, "_LARGEST_COUNT", 10)
    np.testing.assert_array_equal(accumulate([images], products=False).variance(over_pixels=True), exact)
    white = accumulate([np.full((3000, 2, 2, 1), 255, np.uint8)], products=True)
    assert white.squares.tolist() == [[[3000 * 65025]] * 2] * 2
    assert (white.products == 3000 * 65025).all()


def test_what_is_constant_is_not_scaled() -> None:
    images = pictures()
    images[:, 0, 0] = 77
    images[..., 2] = 200
    found = fit([images], center="none", scale="pixel", decorrelate="none", epsilon=1e-5)
    assert (found.deviation[0, 0] == 1).all()
    assert (found.deviation[..., 2] == 1).all()
    assert (found.deviation[1:, :, :2] < 1).all()
    assert fit([images], center="channel", scale="channel", decorrelate="none", epsilon=1).deviation[2] == 1


def test_axes_have_a_sign_and_fall_in_variance() -> None:
    images = pictures()
    matrix = fit([images], center="channel", scale="none", decorrelate="pca", epsilon=1e-9).matrix
    largest = np.abs(matrix).argmax(axis=1)
    assert (matrix[np.arange(len(matrix)), largest] > 0).all()
    lengths = np.linalg.norm(matrix, axis=1)
    assert (np.diff(lengths) >= 0).all()


def test_zca_is_symmetric() -> None:
    matrix = fit([pictures()], center="channel", scale="channel", decorrelate="zca", epsilon=1e-5).matrix
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-9, atol=1e-9 * np.abs(matrix).max())


def test_nothing_chosen_is_nothing_fitted() -> None:
    assert fit([pictures()], center="none", scale="none", decorrelate="none", epsilon=1).tensors() == {}


def test_sealing_and_opening_lose_nothing() -> None:
    found = fit([pictures()], center="pixel", scale="channel", decorrelate="zca", epsilon=1e-5)
    opened = Statistics.from_tensors(found.tensors())
    for name, array in found.tensors().items():
        assert getattr(opened, name).tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "tensors",
    [
        {"median": np.zeros(3)},
        {"mean": np.zeros(3, np.float32)},
        {"mean": np.zeros((3, 3))},
        {"mean": np.array([np.nan])},
        {"deviation": np.array([1.0, 0.0])},
        {"matrix": np.zeros((2, 3))},
    ],
)
def test_foreign_statistics_are_refused(tensors: dict[str, NDArray[np.float64]]) -> None:
    with pytest.raises(ModelFileError, match="found"):
        Statistics.from_tensors(tensors)


@pytest.mark.parametrize("batches", [[], [np.zeros((0, 4, 4, 1), np.uint8)]])
def test_no_pictures_are_an_error(batches: list[NDArray[np.uint8]]) -> None:
    with pytest.raises(DataError, match="no picture"):
        fit(batches, center="channel", scale="none", decorrelate="none", epsilon=1)


def test_large_pictures_cannot_be_decorrelated() -> None:
    """Refused at the first batch, before the rest is read."""

    def endless() -> object:
        while True:
            yield np.zeros((1, 64, 65, 1), np.uint8)

    with pytest.raises(RecipeError, match=r"preprocessing\.decorrelate: found.*4,160.*at most 4,096.*data\.image_size"):
        fit(endless(), center="none", scale="none", decorrelate="pca", epsilon=1)


@pytest.mark.parametrize("other", [np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 4, 3, 3), np.float32)])
def test_mixed_sizes_and_types_are_refused(other: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"wanted uint8 of \(4, 3, 3\)"):
        fit([pictures(), other], center="channel", scale="none", decorrelate="none", epsilon=1)
