"""The definition of rendering against SciPy's sampling, Keys' formula, and plain arithmetic."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sightline.augmentation import draw, identity, reference
from sightline.recipe import operations as op

SCIPYS = {"reflect": "reflect", "edge": "nearest", "constant": "grid-constant"}
SOURCE, SIZE = (11, 14), (9, 13)
TURN = np.array([[1.3, -0.6, 3.1], [0.5, 1.1, -2.7], [0.012, -0.008, 1.0]])


def places(matrix, size):
    """Return the source's y and x of every pixel of a result."""
    y, x = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    shown = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    return shown[..., 1] / shown[..., 2], shown[..., 0] / shown[..., 2]


def turned(fill, interpolation, *, count=1, channels=3, matrix=TURN):
    plan = identity(count, source=SOURCE, size=SIZE, channels=channels)
    plan.homography[:] = matrix
    return replace(plan, fill=fill, fill_value=90 if fill == "constant" else 0, interpolation=interpolation)


@pytest.mark.parametrize("fill", SCIPYS)
@pytest.mark.parametrize(("interpolation", "order"), [("bilinear", 1), ("nearest", 0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sampling_is_scipys(pictures, fill, interpolation, order, channels):
    image = pictures(1, *SOURCE, channels)
    plan = turned(fill, interpolation, channels=channels)
    y, x = places(TURN, SIZE)
    assert y.min() < -1
    assert x.max() > SOURCE[1]
    found = reference.render(image, plan).numpy()[0] * 255
    for channel in range(channels):
        expected = ndimage.map_coordinates(
            image[0, ..., channel].astype(float), [y, x], order=order, mode=SCIPYS[fill], cval=90.0
        )
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-9)


@given(
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.floats(-40, 40),
    st.floats(-40, 40),
    st.sampled_from(sorted(SCIPYS)),
)
@settings(max_examples=40, deadline=None)
def test_any_affine_map_is_sampled_as_scipy_does(pictures, linear, right, down, fill):
    a, b, c, d = linear
    matrix = np.array([[a, b, right], [c, d, down], [0, 0, 1]])
    image = pictures(1, *SOURCE, 1)
    found = reference.render(image, turned(fill, "bilinear", channels=1, matrix=matrix)).numpy()[0, ..., 0] * 255
    expected = ndimage.map_coordinates(
        image[0, ..., 0].astype(float), places(matrix, SIZE), order=1, mode=SCIPYS[fill], cval=90.0
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def keys_kernel(s):
    """Keys (1981), equation 4 with a = −1/2."""
    s = np.abs(s)
    near = 1.5 * s**3 - 2.5 * s**2 + 1
    far = -0.5 * s**3 + 2.5 * s**2 - 4 * s + 2
    return np.where(s < 1, near, np.where(s < 2, far, 0.0))


@pytest.mark.parametrize("fill", SCIPYS)
def test_bicubic_is_keys_convolution(pictures, fill):
    """Every pixel of a widely padded picture, weighted by its distance."""
    image, pad = pictures(1, *SOURCE, 1), 40
    modes = {"reflect": "symmetric", "edge": "edge", "constant": "constant"}
    value = {"constant_values": 90} if fill == "constant" else {}
    padded = np.pad(image[0, ..., 0].astype(float), pad, modes[fill], **value)
    y, x = places(TURN, SIZE)
    down = keys_kernel(y[..., None] - (np.arange(padded.shape[0]) - pad))
    along = keys_kernel(x[..., None] - (np.arange(padded.shape[1]) - pad))
    expected = np.einsum("hwy,hwx,yx->hw", down, along, padded)
    found = reference.render(image, turned(fill, "bicubic", channels=1)).numpy()[0, ..., 0] * 255
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=1e-8)


def test_bicubic_keeps_parabolas():
    """With a = −1/2, and only then, a parabola is interpolated without error."""
    x = np.arange(15)
    image = np.broadcast_to((x * (x + 1) // 2)[None, None, :, None], (1, 6, 15, 1)).astype(np.uint8)
    plan = identity(1, source=(6, 15), size=(6, 12), channels=1)
    plan.homography[0] = [[1, 0, 1.3], [0, 1, 0], [0, 0, 1]]
    at = np.arange(12) + 1.3
    found = reference.render(image, replace(plan, interpolation="bicubic")).numpy()[0, 2, :, 0] * 255
    inside = at < 13
    np.testing.assert_allclose(found[inside], (at * (at + 1) / 2)[inside], atol=1e-9)


def test_places_at_and_beyond_the_horizon_are_filled_with_finite_values(pictures):
    image = pictures(1, *SOURCE)
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0.25, 0, -1.0]])
    for fill in SCIPYS:
        for interpolation in ("bilinear", "bicubic", "nearest"):
            found = reference.render(image, turned(fill, interpolation, matrix=matrix)).numpy()
            assert np.isfinite(found).all()
            assert found.min() >= 0
            assert found.max() <= 1


def test_displacement_lens_and_homography_come_in_this_order(pictures):
    """An even field moves the place first, so that the lens bends the moved place."""
    image = np.tile(np.arange(0, 250, 5, dtype=np.uint8)[None, None, :, None], (1, 20, 1, 1))
    plan = identity(1, source=(20, 50), channels=1)
    plan = replace(plan, grid=np.zeros((1, 2, 6, 10)), spacing=8.0)
    plan.grid[:, 0], plan.grid[:, 1] = 3.0, -2.0
    plan.lens[0] = 0.2
    plan.homography[0] = [[0.9, 0, 1.5], [0, 1, 0], [0, 0, 1]]
    y, x = np.meshgrid(np.arange(20) - 2.0, np.arange(50) + 3.0, indexing="ij")
    radius = ((x - 24.5) ** 2 + (y - 9.5) ** 2) / (25**2 + 10**2)
    expected = 0.9 * (24.5 + (x - 24.5) * (1 + 0.2 * radius)) + 1.5
    inside = (expected > 0) & (expected < 49)
    found = reference.render(image, plan).numpy()[0, ..., 0] * 255 / 5
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)


def test_values_go_through_color_gamma_noise_salt_erasing_and_standardization_in_this_order(pictures):
    image = pictures(1, 12, 12, 1)
    plan = identity(1, source=(12, 12), channels=1)
    plan.color[0] = [[1.5, -0.2]]
    plan.gamma[0], plan.noise[0], plan.salt_pepper[0], plan.noise_key[0] = 2.0, 0.2, 0.3, 99
    plan.erase[0] = 2, 3, 7, 12
    plan = replace(plan, erase_value=0.4).standardized(np.array([2.0]), np.array([-5.0]))
    only_noise = identity(1, source=(12, 12), channels=1)
    only_noise.noise[0], only_noise.noise_key[0] = 0.01, 99
    gray = np.full((1, 12, 12, 1), 51, np.uint8)
    drawn = (reference.render(gray, only_noise).numpy() - 0.2) / 0.01
    only_salt = identity(1, source=(12, 12), channels=1)
    only_salt.salt_pepper[0], only_salt.noise_key[0] = 0.3, 99
    salt = reference.render(gray, only_salt).numpy()
    expected = np.clip(np.clip(1.5 * image / 255.0 - 0.2, 0, 1) ** 2 + 0.2 * drawn, 0, 1)
    expected = np.where(np.abs(salt - 0.2) > 0.1, salt, expected)
    expected[0, 2:7, 3:12] = 0.4
    np.testing.assert_allclose(reference.render(image, plan).numpy(), 2.0 * expected - 5.0, atol=1e-9)


def test_erasing_covers_its_box_and_nothing_else(pictures):
    images = pictures(40, 20, 30)
    plan = draw([op.Erasing(value=200, probability=0.7)], np.arange(40), source=(20, 30))
    found = np.round(reference.render(images, plan).numpy() * 255)
    for row, (top, left, bottom, right) in enumerate(plan.erase):
        expected = images[row].copy()
        expected[top:bottom, left:right] = 200
        np.testing.assert_array_equal(found[row], expected)
    assert 0.5 < plan.erase.any(axis=1).mean() < 0.9


def test_mixup_blends_rendered_pictures(pictures):
    """Both are augmented, each in its own way, before they are blended."""
    listed = [op.Rotation(), op.Brightness(), op.HorizontalFlip()]
    pool = np.arange(50, 60).astype(np.uint64)
    plan = draw([*listed, op.Mixup(probability=0.7, alpha=1.0)], np.arange(12), source=(8, 8), pool=pool)
    own, others = pictures(12, 8, 8), pictures(10, 8, 8, seed=1)
    found = reference.render(np.concatenate([own, others[plan.others]]), plan).numpy()
    assert len(found) == 12
    alone = reference.render(own, draw(listed, np.arange(12), source=(8, 8))).numpy()
    of_pool = reference.render(others, draw(listed, pool, source=(8, 8))).numpy()
    assert 0 < (plan.partner >= 0).sum() < 12
    for row, partner in enumerate(plan.partner):
        weight = plan.weight[row]
        other = of_pool[plan.others[partner - 12]] if partner >= 0 else 0.0
        np.testing.assert_allclose(found[row], weight * alone[row] + (1 - weight) * other, atol=1e-12)


def test_cutmix_shows_the_partner_in_its_box_and_the_label_by_area(pictures):
    plan = draw([op.Cutmix(), op.VerticalFlip()], np.arange(20), source=(8, 10))
    images = pictures(20, 8, 10)
    found = reference.render(images, plan).numpy()
    alone = reference.render(images, draw([op.VerticalFlip()], np.arange(20), source=(8, 10))).numpy()
    assert plan.paste.any(axis=1).sum() > 10
    for row, (top, left, bottom, right) in enumerate(plan.paste):
        expected = alone[row].copy()
        expected[top:bottom, left:right] = alone[plan.partner[row], top:bottom, left:right]
        np.testing.assert_array_equal(found[row], expected)
        assert plan.weight[row] == pytest.approx(1 - (bottom - top) * (right - left) / 80)


def test_partners_are_mixed_in_unmixed(pictures):
    """A partner that is itself mixed with a third picture lends its own pixels alone."""
    images = pictures(3, 4, 4)
    plan = identity(3, source=(4, 4))
    plan.partner[:], plan.weight[:] = [1, 2, 0], [0.75, 0.5, 0.25]
    found, v = reference.render(images, plan).numpy(), images / 255.0
    expected = [0.75 * v[0] + 0.25 * v[1], 0.5 * v[1] + 0.5 * v[2], 0.25 * v[2] + 0.75 * v[0]]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_standardizing_in_the_plan_is_standardizing_afterwards(pictures):
    """Scale and offset of each channel commute with blending, whose weights add up to one."""
    images = pictures(6, 8, 8)
    plan = draw("strong", np.arange(6), source=(8, 8))
    mixing = draw([op.Mixup(alpha=1.0)], np.arange(6), source=(8, 8))
    plan = replace(plan, partner=mixing.partner, weight=mixing.weight)
    scale, offset = np.array([4.0, 5.0, 0.5]), np.array([-2.0, 0.1, 3.0])
    found = reference.render(images, plan.standardized(scale, offset)).numpy()
    np.testing.assert_allclose(found, scale * reference.render(images, plan).numpy() + offset, atol=1e-12)
    one = reference.render(images, plan.standardized(np.array(2.0), np.array(1.0))).numpy()
    np.testing.assert_allclose(one, 2 * reference.render(images, plan).numpy() + 1, atol=1e-12)


@pytest.mark.parametrize("policy", ["none", "light", "standard", "strong", "trivial"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_policy_renders_values_from_black_to_white(pictures, policy, channels):
    images = pictures(6, 10, 12, channels)
    plan = draw(policy, np.arange(6), source=(10, 12), size=(8, 9), channels=channels)
    found = reference.render(images, plan).numpy()
    assert found.shape == (6, 8, 9, channels)
    assert found.min() >= 0
    assert found.max() <= 1


def test_rendering_leaves_pictures_and_plan_alone(pictures, every_operation, assert_same_rows):
    images = pictures(4, 10, 10)
    before = images.copy()
    plan = draw(every_operation, np.arange(4), source=(10, 10))
    first = reference.render(images, plan)
    np.testing.assert_array_equal(images, before)
    assert_same_rows(plan, draw(every_operation, np.arange(4), source=(10, 10)))
    np.testing.assert_array_equal(first, reference.render(images, plan))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_pictures_are_rendered(pictures, every_operation, shape):
    images = pictures(6, *shape)
    plan = draw(every_operation, np.arange(6), source=shape)
    assert np.isfinite(reference.render(images, plan).numpy()).all()
    assert reference.render(images[:0], draw("strong", [], source=shape)).shape == (0, *shape, 3)
