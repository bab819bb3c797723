"""Color: each operation against Pillow or its plain equation, and their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from sightline.augmentation import color, draw, reference
from sightline.augmentation.cpu_compose import color_then
from sightline.recipe import operations as op

GRAY = (0.299, 0.587, 0.114)
FACTORS = [0.0, 0.3, 0.9, 1.0, 1.4, 2.5]


def rendered(operation, images):
    """Return what the definition makes of pictures by one operation, as gray levels."""
    listed = operation if isinstance(operation, list) else [operation]
    plan = draw(listed, np.arange(len(images)), source=images.shape[1:3], channels=images.shape[3])
    return reference.render(images, plan).numpy() * 255.0


def luma(values):
    return sum(weight * values[..., channel] for channel, weight in enumerate(GRAY))


@pytest.mark.parametrize("factor", FACTORS)
def test_brightness_is_pillows(pictures, factor):
    image = pictures(1, 16, 16)
    expected = np.asarray(ImageEnhance.Brightness(Image.fromarray(image[0])).enhance(factor))
    np.testing.assert_allclose(rendered(op.Brightness(factor=(factor, factor)), image)[0], expected, atol=1.0)


@pytest.mark.parametrize("factor", FACTORS)
def test_contrast_is_pillows_blend_with_middle_gray(pictures, factor):
    """Pillow's gray is 128 where the middle is 127.5, and it rounds to bytes."""
    image = pictures(1, 16, 16)
    gray = Image.new("RGB", (16, 16), (128, 128, 128))
    expected = np.asarray(Image.blend(gray, Image.fromarray(image[0]), factor))
    found = rendered(op.Contrast(factor=(factor, factor)), image)[0]
    np.testing.assert_allclose(found, expected, atol=1.0 + 0.5 * abs(1 - factor))


@pytest.mark.parametrize("factor", FACTORS)
def test_saturation_is_pillows(pictures, factor):
    """Pillow rounds its gray to bytes before it blends."""
    image = pictures(1, 16, 16)
    expected = np.asarray(ImageEnhance.Color(Image.fromarray(image[0])).enhance(factor))
    found = rendered(op.Saturation(factor=(factor, factor)), image)[0]
    np.testing.assert_allclose(found, expected, atol=1.0 + abs(1 - factor))


def test_grayscale_is_pillows_and_its_channels_are_equal(pictures):
    image = pictures(1, 16, 16)
    found = rendered(op.Grayscale(probability=1.0), image)[0]
    np.testing.assert_allclose(found[..., 0], found[..., 1], atol=1e-10)
    np.testing.assert_allclose(found[..., 0], found[..., 2], atol=1e-10)
    np.testing.assert_allclose(found[..., 0], np.asarray(Image.fromarray(image[0]).convert("L")), atol=1.0)
    np.testing.assert_allclose(found[..., 0], luma(image[0].astype(float)), atol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", FACTORS)
def test_brightness_and_contrast_are_their_equations(pictures, factor, channels):
    images = pictures(2, 8, 8, channels)
    v = images / 255.0
    found = rendered(op.Brightness(factor=(factor, factor)), images)
    np.testing.assert_allclose(found, 255 * np.clip(factor * v, 0, 1), atol=1e-9)
    found = rendered(op.Contrast(factor=(factor, factor)), images)
    np.testing.assert_allclose(found, 255 * np.clip(0.5 + factor * (v - 0.5), 0, 1), atol=1e-9)


@pytest.mark.parametrize("factor", FACTORS)
def test_saturation_is_its_equation(pictures, factor):
    images = pictures(2, 8, 8)
    v = images / 255.0
    gray = luma(v)[..., None]
    found = rendered(op.Saturation(factor=(factor, factor)), images)
    np.testing.assert_allclose(found, 255 * np.clip(gray + factor * (v - gray), 0, 1), atol=1e-9)


def turned(values, degrees):
    """Turn colors in the plane of V = 0.877283 (R − Y) and U = 0.492111 (B − Y), which is that of I and Q."""
    y = luma(values)
    v, u = 0.877283 * (values[..., 0] - y), 0.492111 * (values[..., 2] - y)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    v, u = c * v - s * u, s * v + c * u
    red, blue = y + v / 0.877283, y + u / 0.492111
    return np.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1)


@pytest.mark.parametrize("degrees", [-180, -75, -10, 0, 33, 120, 180])
def test_hue_is_its_equation(pictures, degrees):
    images = pictures(2, 8, 8)
    found = rendered(op.Hue(degrees=(degrees, degrees)), images)
    np.testing.assert_allclose(found, 255 * np.clip(turned(images / 255.0, degrees), 0, 1), atol=1e-3)


@given(st.floats(-180, 180), st.tuples(*[st.floats(0, 1)] * 3))
def test_hue_keeps_luma_and_grays_and_is_undone_by_turning_back(degrees, values):
    there, back = color.hue(np.array([degrees, -degrees]))
    found = there[:, :3] @ values + there[:, 3]
    np.testing.assert_allclose(luma(found), luma(np.array(values)), atol=1e-7)
    np.testing.assert_allclose(back[:, :3] @ found + back[:, 3], values, atol=1e-9)
    np.testing.assert_allclose(there[:, :3].sum(axis=1), 1.0, atol=1e-6)


def test_whole_turns_of_hue_change_nothing():
    np.testing.assert_allclose(color.hue(np.array([0.0, 360.0])), np.eye(3, 4)[None].repeat(2, axis=0), atol=1e-12)


@pytest.mark.parametrize("exponent", [0.1, 0.5, 1.0, 2.2, 10.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_gamma_is_a_power_that_keeps_black_and_white(pictures, exponent, channels):
    images = pictures(1, 8, 8, channels)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    found = rendered(op.Gamma(exponent=(exponent, exponent)), images)
    np.testing.assert_allclose(found, 255 * (images / 255.0) ** exponent, atol=1e-9)
    np.testing.assert_allclose(found[0, 0, :2, 0], [0, 255], atol=1e-12)


def test_channel_dropout_leaves_two_channels(pictures):
    images = pictures(30, 4, 4) | 1
    found = rendered(op.ChannelDropout(probability=1.0), images)
    empty = ~found.any(axis=(1, 2))
    np.testing.assert_array_equal(empty.sum(axis=1), 1)
    np.testing.assert_allclose(found, np.where(empty[:, None, None], 0, images), atol=1e-9)


def test_color_is_done_in_the_order_of_the_list(pictures):
    """Without clipping, which is done once after all of them."""
    images = pictures(1, 8, 8)
    images = images // 4 + 96
    v = images / 255.0
    bright, contrast = op.Brightness(factor=(1.2, 1.2)), op.Contrast(factor=(0.5, 0.5))
    np.testing.assert_allclose(rendered([bright, contrast], images), 255 * (0.5 + 0.5 * (1.2 * v - 0.5)), atol=1e-9)
    np.testing.assert_allclose(rendered([contrast, bright], images), 255 * 1.2 * (0.5 + 0.5 * (v - 0.5)), atol=1e-9)


def test_values_are_clipped_once_after_the_last_matrix(pictures):
    images = pictures(1, 8, 8)
    there, back = op.Brightness(factor=(4, 4)), op.Contrast(factor=(0.25, 0.25))
    expected = np.clip(0.5 + 0.25 * (4 * (images / 255.0) - 0.5), 0, 1)
    np.testing.assert_allclose(rendered([there, back], images), 255 * expected, atol=1e-9)


@given(st.lists(st.sampled_from(["b", "c", "s", "h", "g", "d"]), min_size=1, max_size=5), st.integers(0, 2**32))
def test_then_does_one_matrix_after_the_other(names, seed):
    chance = np.random.default_rng(seed)
    make = {
        "b": lambda: color.brightness(chance.uniform(0, 2, 1), 3),
        "c": lambda: color.contrast(chance.uniform(0, 2, 1), 3),
        "s": lambda: color.saturation(chance.uniform(0, 2, 1)),
        "h": lambda: color.hue(chance.uniform(-90, 90, 1)),
        "g": lambda: color.grayscale(chance.random(1) < 0.5),
        "d": lambda: color.channel_dropout(chance.integers(-1, 3, 1)),
    }
    values = chance.random(3)
    composed, expected = np.eye(3, 4)[None], values
    for name in names:
        matrix = make[name]()
        color_then(composed, matrix, np.array([True]))
        expected = matrix[0, :, :3] @ expected + matrix[0, :, 3]
    np.testing.assert_allclose(composed[0, :, :3] @ values + composed[0, :, 3], expected, atol=1e-9)
