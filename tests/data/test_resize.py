"""Resampling against a float64 reference, and that no picture is shifted, cut or filled where it must not be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sightline.data.decode import decode
from sightline.data.resize import place, resample, turned, turned_box

sides = st.integers(1, 300)
small = st.integers(1, 40)
kinds = st.sampled_from(["fit", "crop", "stretch"])


def weights(length: int, begin: float, end: float, count: int) -> NDArray[np.float64]:
    """Return triangle weights of every result pixel over the source pixels, shape (count, length), by definition."""
    step = (end - begin) / count
    reach = max(step, 1.0)
    centers = begin + (np.arange(count) + 0.5) * step
    distance = np.abs((np.arange(length) + 0.5)[None, :] - centers[:, None]) / reach
    found = np.clip(1.0 - distance, 0.0, None)
    return found / found.sum(axis=1, keepdims=True)


def reference(pixels: NDArray[np.uint8], box: tuple[float, float, float, float], height: int, width: int):
    left, upper, right, lower = box
    rows = weights(pixels.shape[0], upper, lower, height)
    columns = weights(pixels.shape[1], left, right, width)
    return np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(np.float64), columns)


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    size=st.tuples(small, small),
    resize=kinds,
    seed=st.integers(0, 9),
)
def test_resampling_is_the_triangle_filter_to_within_rounding(height, width, size, resize, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    placed = place(height, width, size, resize)
    found = decode(pixels, size=size, channels=3, resize=resize)
    inside = found[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width]
    # Two passes, each rounded to 8 bits, with weights of limited precision.
    assert np.abs(inside - reference(pixels, placed.box, placed.height, placed.width)).max() <= 1.6


@settings(max_examples=300, deadline=None)
@given(height=sides, width=sides, size=st.tuples(st.integers(4, 224), st.integers(4, 224)))
def test_fit_keeps_everything_and_pads_evenly(height, width, size):
    placed = place(height, width, size, "fit")
    assert placed.box == (0, 0, width, height)
    assert placed.height == size[0] or placed.width == size[1]
    assert 1 <= placed.height <= size[0]
    assert 1 <= placed.width <= size[1]
    assert 0 <= size[0] - placed.height - 2 * placed.top <= 1
    assert 0 <= size[1] - placed.width - 2 * placed.left <= 1
    scale = min(size[0] / height, size[1] / width)
    assert abs(placed.height - height * scale) <= 0.5 + 1e-9 or placed.height == 1
    assert abs(placed.width - width * scale) <= 0.5 + 1e-9 or placed.width == 1


@settings(max_examples=300, deadline=None)
@given(height=sides, width=sides, size=st.tuples(st.integers(4, 224), st.integers(4, 224)))
def test_crop_is_centered_inside_and_as_large_as_can_be(height, width, size):
    placed = place(height, width, size, "crop")
    left, upper, right, lower = placed.box
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height
    assert math.isclose(right - left, width) or math.isclose(lower - upper, height)
    assert math.isclose((right - left) / (lower - upper), size[1] / size[0], rel_tol=1e-9)
    assert abs(left - (width - right)) <= 1 + 1e-9
    assert abs(upper - (height - lower)) <= 1 + 1e-9


@settings(max_examples=100, deadline=None)
@given(height=sides, width=sides, size=st.tuples(small, small), resize=kinds, level=st.integers(0, 255))
def test_an_even_picture_stays_even_inside_and_padding_has_its_value(height, width, size, resize, level):
    pixels = np.full((height, width, 3), level, np.uint8)
    found = decode(pixels, size=size, channels=3, resize=resize, padding_value=77)
    placed = place(height, width, size, resize)
    expected = np.full((*size, 3), 77, np.uint8)
    expected[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width] = level
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), resize=kinds, channels=st.sampled_from([1, 3]))
def test_the_right_size_is_left_alone(height, width, resize, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    for given_ in (pixels, Image.fromarray(pixels if channels == 3 else pixels[..., 0])):
        found = decode(given_, size=(height, width), channels=channels, resize=resize)
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize(("height", "width"), [(10, 13), (13, 10), (10, 14), (11, 10)])
def test_a_crop_that_needs_no_scaling_moves_no_pixel_by_half(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = decode(pixels, size=(10, 10), channels=3, resize="crop")
    top, left = (height - 10) // 2, (width - 10) // 2
    np.testing.assert_array_equal(found, pixels[top : top + 10, left : left + 10])


@pytest.mark.parametrize("resize", ["fit", "crop", "stretch"])
@pytest.mark.parametrize("side", [8, 20, 31, 64, 90])
def test_the_middle_stays_in_the_middle(resize, side):
    """A mirrored picture gives the mirrored result: nothing is shifted, by a half or otherwise."""
    pixels = np.random.default_rng(0).integers(0, 256, (45, 45, 3), dtype=np.uint8)
    found = decode(pixels, size=(side, side), channels=3, resize=resize).astype(int)
    for flip in (np.flipud, np.fliplr):
        other = decode(np.ascontiguousarray(flip(pixels)), size=(side, side), channels=3, resize=resize)
        assert np.abs(flip(other).astype(int) - found).max() <= 1


def test_shrinking_is_anti_aliased():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    found = decode(stripes, size=(20, 20), channels=3)
    assert np.abs(found[:, 1:-1].astype(int) - 127).max() <= 8


@settings(max_examples=100, deadline=None)
@given(height=small, width=small, orientation=st.integers(1, 8), data=st.data())
def test_a_box_turned_back_holds_the_same_pixels(height, width, orientation, data):
    stored = np.random.default_rng(0).integers(0, 256, (height, width, 1), dtype=np.uint8)
    shown = turned(stored, orientation)
    left = data.draw(st.integers(0, shown.shape[1] - 1))
    right = data.draw(st.integers(left + 1, shown.shape[1]))
    upper = data.draw(st.integers(0, shown.shape[0] - 1))
    lower = data.draw(st.integers(upper + 1, shown.shape[0]))
    a, b, c, d = (int(edge) for edge in turned_box((left, upper, right, lower), height, width, orientation))
    np.testing.assert_array_equal(turned(stored[b:d, a:c], orientation), shown[upper:lower, left:right])


def test_resample_gives_back_the_image_itself_where_nothing_is_to_do():
    image = Image.new("RGB", (5, 4))
    assert resample(image, (0.0, 0.0, 5.0, 4.0), 4, 5) is image
