"""What is done before resampling, against SciPy's bell, Pillow's JPEG and the formula of sharpening."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from sightline.augmentation import draw, prefilter, reference
from sightline.recipe import operations as op

SIGMAS = [0.2, 0.5, 1.0, 1.5, 3.0, 10.0]


def smoothed(image, sigma_x, sigma_y):
    return ndimage.gaussian_filter(image.astype(np.float64), (sigma_y, sigma_x, 0), mode="reflect", truncate=4.0)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("shape", [(32, 40, 3), (5, 3, 1), (1, 9, 1)])
def test_blur_is_scipys_gaussian_filter(pictures, sigma, shape):
    image = pictures(1, *shape)[0]
    found = prefilter.blurred(image, sigma, sigma)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, smoothed(image, sigma, sigma), atol=1.5)


def test_blur_has_a_deviation_for_each_axis(pictures):
    image = pictures(1, 30, 30)[0]
    np.testing.assert_allclose(prefilter.blurred(image, 2.0, 0.5), smoothed(image, 2.0, 0.5), atol=1.5)
    np.testing.assert_allclose(prefilter.blurred(image, 0.0, 2.0), smoothed(image, 0.0, 2.0), atol=1.5)


@given(st.floats(0, 250))
def test_taps_add_up_to_one_and_mirror(sigma):
    found = prefilter.taps(sigma)
    assert found.sum() == prefilter.UNIT
    assert len(found) % 2 == 1
    np.testing.assert_array_equal(found, found[::-1])
    assert (found >= 0).all()


@given(st.floats(0.3, 10))
def test_taps_have_the_deviation_asked_for(sigma):
    """Sampling and the end at 4 σ leave it within 3 percent; the sampled bell below half a pixel is its own measure."""
    found = prefilter.taps(sigma)
    places = np.arange(len(found)) - len(found) // 2
    bell = np.exp(-0.5 * (np.arange(-60, 61) / sigma) ** 2)
    expected = np.sqrt((bell * np.arange(-60, 61) ** 2).sum() / bell.sum())
    np.testing.assert_allclose(np.sqrt((found * places**2).sum() / prefilter.UNIT), expected, rtol=0.03)


@pytest.mark.parametrize("level", [0, 1, 127, 128, 255])
@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0, 25.0])
def test_even_pictures_stay_as_they_are(level, sigma):
    image = np.full((11, 7, 3), level, np.uint8)
    np.testing.assert_array_equal(prefilter.blurred(image, sigma, sigma), image)
    np.testing.assert_array_equal(prefilter.sharpened(image, 3.0), image)


@given(st.integers(-50, 50), st.integers(1, 7))
def test_mirroring_repeats_the_edge(index, side):
    padded = np.pad(np.arange(side), 60, "symmetric")
    assert prefilter.mirrored(np.array([index]), side)[0] == padded[index + 60]


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0, 5.0])
def test_sharpening_is_its_formula(pictures, amount):
    image = pictures(1, 24, 24)[0]
    image = (ndimage.gaussian_filter(image.astype(float), (1, 1, 0)) * 0.8 + 20).astype(np.uint8)
    exact = image + amount * (image - smoothed(image, 1.0, 1.0))
    found = prefilter.sharpened(image, amount)
    # the blurred picture is rounded to bytes, which the amount multiplies, and so is the result
    np.testing.assert_allclose(found, np.clip(exact, 0, 255), atol=0.51 * amount + 0.55)


def test_sharpening_clips():
    image = np.zeros((9, 9, 1), np.uint8)
    image[:, 5:] = 255
    found = prefilter.sharpened(image, 5.0)
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("quality", [1, 30, 75, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(pictures, quality, channels):
    images = pictures(1, 17, 23, channels)
    stored = io.BytesIO()
    Image.fromarray(images[0].squeeze()).save(stored, "JPEG", quality=quality)
    expected = np.asarray(Image.open(stored)).reshape(17, 23, channels)
    assert (expected != images[0]).any()
    np.testing.assert_array_equal(prefilter.as_jpeg(images[0], quality), expected)
    plan = draw([op.Jpeg(quality=(quality, quality))], [0], source=(17, 23), channels=channels)
    np.testing.assert_array_equal(np.round(reference.render(images, plan).numpy()[0] * 255), expected)


def test_steps_are_done_in_their_order(pictures):
    image = pictures(1, 20, 20)[0]
    expected = prefilter.sharpened(prefilter.blurred(prefilter.as_jpeg(image, 40), 1.0, 0.5), 2.0)
    np.testing.assert_array_equal(prefilter.prefiltered(image, jpeg=40, blur=(1.0, 0.5), sharpen=2.0), expected)
    np.testing.assert_array_equal(prefilter.prefiltered(image, jpeg=0, blur=(0.0, 0.0), sharpen=0.0), image)


def test_a_drawn_blur_is_scipys(pictures):
    images = pictures(1, 24, 24)
    plan = draw([op.Blur(sigma_pixels=(1.2, 1.2))], [0], source=(24, 24))
    found = reference.render(images, plan).numpy()[0] * 255
    np.testing.assert_allclose(found, smoothed(images[0], 1.2, 1.2), atol=1.5)


def checkerboard(side):
    y, x = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    return ((x + y) % 2 * 255).astype(np.uint8)[None, :, :, None]


@pytest.mark.parametrize(
    ("listed", "size"),
    [([], (14, 16)), ([], (13, 17)), ([op.Scaling(factor=(0.2, 0.28))], (60, 60)),
     ([op.Scaling(factor=(0.23, 0.23)), op.Rotation(degrees=(20, 30))], (60, 60))],
)  # fmt: skip
def test_a_fine_checkerboard_shrinks_to_gray(listed, size):
    """Four times smaller, a board of single pixels is its mean; sampled without the bell, it would be new squares."""
    plan = draw(listed, [3], source=(60, 60), size=size, channels=1)
    board = checkerboard(60)
    found = reference.render(board, plan).numpy()
    # where the picture is mirrored at its edge, two squares of a color meet
    assert np.abs(found - 0.5).max() < 0.05
    plan.blur[:] = 0
    assert np.abs(reference.render(board, plan).numpy() - 0.5).max() > 0.2


def test_stripes_shrunk_along_one_axis_keep_the_other():
    """Four times narrower, not lower: level stripes stay, upright ones turn gray."""
    stripes = np.zeros((1, 40, 40, 1), np.uint8)
    stripes[:, ::2] = 255
    plan = draw([], [0], source=(40, 40), size=(40, 11), channels=1)
    assert plan.blur[0, 1] == 0.0
    np.testing.assert_allclose(reference.render(stripes, plan).numpy()[0, ::2], 1.0, atol=1e-9)
    found = reference.render(stripes.swapaxes(1, 2).copy(), plan).numpy()
    # where the picture is mirrored at its edge, two stripes of a color meet
    assert np.abs(found - 0.5).max() < 0.1
    assert np.abs(found[:, :, 2:-2] - 0.5).max() < 0.01


def test_shrinking_keeps_large_shapes_and_their_mean(pictures):
    """Pillow's own shrinking, a triangle four pixels wide, differs by a few gray levels."""
    image = ndimage.gaussian_filter(pictures(1, 64, 64).astype(float), (0, 2, 2, 0))
    image = np.clip((image - 127.5) * 6 + 127.5, 0, 255).astype(np.uint8)
    plan = draw([], [0], source=(64, 64), size=(16, 16))
    found = reference.render(image, plan).numpy()[0] * 255
    expected = np.asarray(Image.fromarray(image[0]).resize((16, 16), Image.Resampling.BILINEAR)).astype(float)
    assert np.sqrt(((found - expected) ** 2).mean()) < 6
    assert abs(found.mean() - image.mean()) < 1.5


def test_nothing_is_smoothed_where_nothing_shrinks_much():
    for factor in (1.0, 1.25, 3.0):
        plan = draw([op.Scaling(factor=(factor, factor)), op.Rotation()], np.arange(20), source=(30, 30))
        assert not plan.blur.any()
    assert draw([op.Scaling(factor=(0.5, 0.5))], [1], source=(30, 30)).blur.min() > 0.5
