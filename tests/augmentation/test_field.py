"""The displacement field: its mean, its size, its smoothness, and its values by another library's splines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.interpolate import BSpline

from sightline.augmentation import draw, field, reference
from sightline.recipe import operations as op

SIDE, SIGMA, ASKED = 48, 6.0, 2.5


def design(side, distance, count):
    """Return scipy's cubic B-splines at every pixel, shape (side, count); spline i is centered on (i − 1) distance."""
    knots = distance * (np.arange(count + 4) - 3.0)
    return np.stack(
        [BSpline.basis_element(knots[i : i + 5], extrapolate=False)(np.arange(side)) for i in range(count)], 1
    )


def by_scipy(grid, size, distance):
    down, along = (
        np.nan_to_num(design(side, distance, count)) for side, count in zip(size, grid.shape[-2:], strict=True)
    )
    return down @ grid @ along.T


@pytest.fixture(scope="module")
def fields():
    """Return many fields, shape (picture, x or y, row, column)."""
    plan = draw(
        [op.Elastic(displacement_pixels=(ASKED, ASKED), smoothness_pixels=SIGMA)], np.arange(1500), source=(SIDE, SIDE)
    )
    return by_scipy(plan.grid, plan.size, plan.spacing)


def test_the_splines_bell_has_the_deviation_asked_for():
    """A cubic B-spline of knots √3 σ apart has the standard deviation σ."""
    distance = field.spacing(SIGMA)
    bell = BSpline.basis_element(distance * np.arange(-2.0, 3.0), extrapolate=False)
    ends = (-2 * distance, 2 * distance)
    area = quad(bell, *ends)[0]
    variance = quad(lambda t: t * t * bell(t), *ends)[0] / area
    np.testing.assert_allclose(np.sqrt(variance), SIGMA, rtol=1e-6)
    unit = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
    np.testing.assert_allclose(field.ENERGY, quad(lambda t: unit(t) ** 2, -2, 2)[0], rtol=1e-9)


@pytest.mark.parametrize(("side", "distance"), [(1, 3.5), (2, 20.0), (17, 4.0), (33, 3.4641), (64, 16.0)])
def test_weights_are_scipys_splines(side, distance):
    first, weights = field.weights(side, distance)
    count = field.grid_shape((side, side), distance)[0]
    expected = np.nan_to_num(design(side, distance, count))
    found = np.zeros_like(expected)
    for pixel in range(side):
        found[pixel, first[pixel] : first[pixel] + 4] = weights[pixel]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(1, 500), st.floats(2, 200))
def test_the_grid_reaches_every_pixel_and_weights_add_up_to_one(side, smoothness):
    distance = field.spacing(smoothness)
    first, weights = field.weights(side, distance)
    assert first.min() >= 0
    assert first.max() + 4 <= field.grid_shape((side, 1), distance)[0]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    assert weights.min() >= 0


def test_the_field_pushes_pixels_by_what_scipy_finds():
    """Ramps one gray level a pixel steep show each pixel's place by its value."""
    size = (40, 50)
    plan = draw([op.Elastic(displacement_pixels=(2, 2), smoothness_pixels=5)], np.arange(3), source=size, channels=1)
    y, x = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    for axis, places in ((0, x), (1, y)):
        ramps = np.repeat(places[None, :, :, None] + 20, 3, axis=0).astype(np.uint8)
        found = reference.render(ramps, plan).numpy()[..., 0] * 255 - 20
        expected = places + by_scipy(plan.grid[:, axis], size, plan.spacing)
        inside = (expected > 0) & (expected < size[1 - axis] - 1)
        assert inside.mean() > 0.8
        np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)


def test_the_mean_is_zero_and_the_size_as_asked(fields):
    """Root mean square over pictures and pixels; along a knot it is 2 percent above, between two 2 below."""
    assert abs(fields.mean()) < 0.05 * ASKED
    for axis in (0, 1):
        np.testing.assert_allclose(np.sqrt((fields[:, axis] ** 2).mean()), ASKED, rtol=0.02)
    everywhere = np.sqrt((fields**2).mean(axis=(0, 1)))
    np.testing.assert_allclose(everywhere, ASKED, rtol=0.12)


def test_the_asked_size_is_drawn_evenly():
    plan = draw([op.Elastic(displacement_pixels=(1, 3), smoothness_pixels=2)], np.arange(400), source=(64, 64))
    found = np.sqrt((plan.grid**2).mean(axis=(1, 2, 3))) * field.ENERGY
    assert found.min() == pytest.approx(1, abs=0.1)
    assert found.max() == pytest.approx(3, abs=0.2)
    assert found.mean() == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("axis", [2, 3])
def test_neighbors_go_together_as_under_a_gaussian_bell(fields, axis):
    """Noise smoothed with a bell of σ correlates, d pixels apart, by exp(−d² / 4σ²); the spline is within 0.03."""
    moved = np.moveaxis(fields, axis, -1)
    for distance in range(0, 31, 3):
        one, other = moved[..., : SIDE - distance], moved[..., distance:]
        found = (one * other).mean() / np.sqrt((one**2).mean() * (other**2).mean())
        np.testing.assert_allclose(found, np.exp(-(distance**2) / (4 * SIGMA**2)), atol=0.03)


def test_neighbors_go_together_alike_in_every_direction(fields):
    """A product of two splines is round, as far as the eye can tell: across a corner as along a side."""
    slanted = (fields[..., :-6, :-6] * fields[..., 6:, 6:]).mean() / (fields**2).mean()
    np.testing.assert_allclose(slanted, np.exp(-(6**2 + 6**2) / (4 * SIGMA**2)), atol=0.04)


def test_the_field_is_smooth(fields):
    """Its slope is that of noise under the bell, asked / (σ √2), and its bends are gentler still: no pixel jumps."""
    slope = np.sqrt((np.diff(fields, axis=3) ** 2).mean())
    np.testing.assert_allclose(slope, ASKED / (SIGMA * np.sqrt(2)), rtol=0.05)
    bend = np.sqrt((np.diff(fields, n=2, axis=3) ** 2).mean())
    np.testing.assert_allclose(bend, ASKED * np.sqrt(3) / (2 * SIGMA**2), rtol=0.15)


def test_x_and_y_move_independently(fields):
    one, other = fields[:, 0, ::16, ::16].ravel(), fields[:, 1, ::16, ::16].ravel()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_values_are_nearer_to_normal_than_the_coefficients(fields):
    """Even numbers of fourth moment 1.8, added with weights w, have 3 − 1.2 Σw⁴ / (Σw²)²: 2.2 to 2.7 here."""
    weights = np.nan_to_num(design(SIDE, field.spacing(SIGMA), field.grid_shape((SIDE, SIDE), field.spacing(SIGMA))[0]))
    for pixel, least, most in ((0, 2.2, 2.3), (26, 2.6, 2.72)):
        square = np.outer(weights[pixel], weights[pixel])
        expected = 3 - 1.2 * (square**4).sum() / (square**2).sum() ** 2
        assert least < expected < most
        found = fields[:, :, pixel, pixel].ravel() / fields[:, :, pixel, pixel].std()
        np.testing.assert_allclose((found**4).mean(), expected, rtol=0.08)
        assert abs((found**3).mean()) < 0.15


def test_no_displacement_is_asked_for_and_none_is_made(pictures):
    images = pictures(2, 10, 12)
    plan = draw([op.Elastic(displacement_pixels=(0, 0))], [1, 2], source=(10, 12))
    np.testing.assert_allclose(reference.render(images, plan).numpy() * 255, images, atol=1e-9)
