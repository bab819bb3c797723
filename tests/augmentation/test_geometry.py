"""Geometry: every matrix against plain equations, and pictures against what flipping and turning makes of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.augmentation import draw, geometry, identity, reference
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation

POINTS = np.random.default_rng(0).uniform(-100, 100, (20, 2))
FILLS = {"reflect": "symmetric", "edge": "edge", "constant": "constant"}


def rendered(augmentation, images, **more):
    """Return the definition's bytes."""
    plan = draw(augmentation, np.arange(len(images)), source=images.shape[1:3], channels=images.shape[3], **more)
    return reference.render(images, plan).numpy() * 255.0


few = settings(max_examples=30, deadline=None)


def assert_undone(matrices, forward):
    """Fail unless the matrix carries the moved points back to where they were."""
    for x, y in POINTS:
        there = np.array([*forward(x, y), 1.0])
        back = matrices[0] @ there
        np.testing.assert_allclose(back / back[2], [x, y, 1.0], atol=1e-9)


def number(value):
    return np.array([float(value)])


@few
@given(st.floats(-180, 180))
def test_rotation_undoes_its_equation(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    assert_undone(geometry.rotation(number(degrees)), lambda x, y: (x * c - y * s, x * s + y * c))


@few
@given(st.floats(-500, 500), st.floats(-500, 500))
def test_translation_undoes_its_equation(right, down):
    assert_undone(geometry.translation(number(right), number(down)), lambda x, y: (x + right, y + down))


@few
@given(st.floats(0.05, 20), st.floats(0.05, 20))
def test_scaling_undoes_its_equation(wide, high):
    assert_undone(geometry.scaling(number(wide), number(high)), lambda x, y: (wide * x, high * y))


@few
@given(st.floats(-44, 44), st.floats(-44, 44))
def test_shear_undoes_its_equation(a, b):
    tan_a, tan_b = math.tan(math.radians(a)), math.tan(math.radians(b))
    assert_undone(geometry.shear(number(a), number(b)), lambda x, y: (x + tan_a * y, y + tan_b * x))


@pytest.mark.parametrize("horizontal", [False, True])
@pytest.mark.parametrize("vertical", [False, True])
def test_flips_undo_their_equations(horizontal, vertical):
    made = geometry.flip(np.array([horizontal]), np.array([vertical]))
    assert_undone(made, lambda x, y: (-x if horizontal else x, -y if vertical else y))


@few
@given(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(-20, 20), st.floats(-20, 20))
def test_crop_enlarges_its_rectangle_to_the_whole(wide, high, right, down):
    made = geometry.crop(number(wide), number(high), number(right), number(down))
    assert_undone(made, lambda x, y: ((x - right) / wide, (y - down) / high))


@few
@given(st.lists(st.floats(-10, 10), min_size=8, max_size=8))
def test_corners_show_what_lies_so_far_from_them_and_lines_stay_lines(moves):
    moves = np.array(moves).reshape(1, 4, 2)
    made = geometry.corners(moves, size=(60, 90))[0]
    ends = np.array([[-45, -30], [45, -30], [45, 30], [-45, 30]])
    for (x, y), move in zip(ends, moves[0], strict=True):
        shown = made @ (x, y, 1.0)
        np.testing.assert_allclose(shown[:2] / shown[2], np.add((x, y), move), atol=1e-9)
    # the middle of the two diagonals goes to where the diagonals of the moved corners cross
    a, b, c, d = ends + moves[0]
    along = np.linalg.solve(np.stack([c - a, b - d], axis=1), b - a)[0]
    shown = made @ (0.0, 0.0, 1.0)
    np.testing.assert_allclose(shown[:2] / shown[2], a + along * (c - a), atol=1e-6)


def test_unmoved_corners_change_nothing():
    np.testing.assert_allclose(geometry.corners(np.zeros((1, 4, 2)), size=(7, 9))[0], np.eye(3), atol=1e-15)


@pytest.mark.parametrize("quarters", range(-4, 5))
def test_quarter_turns_are_exact(quarters):
    made = geometry.rotation(number(90 * quarters))[0]
    assert set(np.abs(made).ravel()) == {0.0, 1.0}
    np.testing.assert_array_equal(made, np.linalg.matrix_power(geometry.rotation(number(90))[0], quarters % 4))


@pytest.mark.parametrize(("source", "size"), [((6, 8), (3, 4)), ((6, 8), (12, 24)), ((5, 7), (5, 7)), ((4, 4), (9, 2))])
def test_frames_meet_at_their_outer_edges(source, size):
    made = geometry.between_frames(np.eye(3)[None], source=source, size=size)[0]
    for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.25)):
        found = made @ (x * size[1] - 0.5, y * size[0] - 0.5, 1.0)
        np.testing.assert_allclose(found, (x * source[1] - 0.5, y * source[0] - 0.5, 1.0), atol=1e-12)


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_the_horizon_of_a_perspective_stays_outside_the_picture(seed):
    """The third coordinate keeps its sign over the whole result, so that nothing is shown inside out."""
    plan = draw([op.Perspective(distortion=(0, 0.33))], np.arange(200), seed=seed, source=(20, 30))
    corners = np.array([[-0.5, -0.5, 1], [29.5, -0.5, 1], [29.5, 19.5, 1], [-0.5, 19.5, 1]])
    assert (plan.homography[:, 2] @ corners.T).min() > 0


def test_shears_of_any_allowed_angles_do_not_mirror():
    plan = draw([op.Shear(horizontal=(-40, 40), vertical=(-40, 40))], np.arange(2000), source=(9, 9))
    assert np.linalg.det(plan.homography).min() > 0


# Pictures.


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("channels", [1, 3])
def test_flips_and_quarter_turns_are_numpys(pictures, interpolation, channels):
    square, wide = pictures(3, 8, 8, channels), pictures(3, 5, 8, channels)

    def made(listed, images):
        return rendered(Augmentation(operations=(listed,), interpolation=interpolation), images)

    for images in (square, wide):
        np.testing.assert_allclose(made(op.HorizontalFlip(probability=1.0), images), images[:, :, ::-1], atol=1e-9)
        np.testing.assert_allclose(made(op.VerticalFlip(probability=1.0), images), images[:, ::-1], atol=1e-9)
        np.testing.assert_allclose(made(op.Rotation(degrees=(180, 180)), images), images[:, ::-1, ::-1], atol=1e-9)
    for degrees, quarters in ((90, -1), (-90, 1), (180, 2), (0, 0)):
        found = made(op.Rotation(degrees=(degrees, degrees)), square)
        np.testing.assert_allclose(found, np.rot90(square, quarters, axes=(1, 2)), atol=1e-9)


def test_quarter_turns_make_one_of_four_pictures(pictures):
    image = pictures(1, 6, 6)
    found = rendered([op.QuarterTurns()], np.repeat(image, 40, axis=0))
    expected = [np.rot90(image[0], k) for k in range(4)]
    seen = [[k for k in range(4) if np.allclose(each, expected[k], atol=1e-9)] for each in found]
    assert all(len(which) == 1 for which in seen)
    assert {which[0] for which in seen} == {0, 1, 2, 3}


def test_the_identity_changes_nothing(pictures):
    images = pictures(2, 6, 9)
    plan = identity(2, source=(6, 9))
    np.testing.assert_array_equal(np.round(reference.render(images, plan).numpy() * 255), images)
    np.testing.assert_allclose(rendered("none", images), images, atol=1e-12)


@pytest.mark.parametrize("fill", FILLS)
def test_moving_by_whole_pixels_shifts(pictures, fill):
    """Three to the right and two up of 8 × 10 pixels, as padding and cutting out does it."""
    images = pictures(2, 8, 10)
    chosen = Augmentation(
        operations=(op.Translation(horizontal=(0.3, 0.3), vertical=(-0.25, -0.25)),),
        fill=fill,
        fill_value=77 if fill == "constant" else 0,
    )
    value = {"constant_values": 77} if fill == "constant" else {}
    padded = np.pad(images, ((0, 0), (8, 8), (10, 10), (0, 0)), FILLS[fill], **value)
    expected = padded[:, 8 + 2 : 16 + 2, 10 - 3 : 20 - 3]
    np.testing.assert_allclose(rendered(chosen, images), expected, atol=1e-9)


@pytest.mark.parametrize("fill", FILLS)
def test_pad_and_crop_is_padding_and_cropping(pictures, fill):
    images = pictures(30, 8, 16)
    chosen = Augmentation(operations=(op.PadAndCrop(padding=0.25),), fill=fill)
    plan = draw(chosen, np.arange(30), source=(8, 16))
    found = reference.render(images, plan).numpy() * 255
    padded = np.pad(images, ((0, 0), (2, 2), (4, 4), (0, 0)), FILLS[fill])
    for row, image in enumerate(found):
        left, top = np.add(plan.homography[row, :2, 2].astype(int), (4, 2))
        np.testing.assert_allclose(image, padded[row, top : top + 8, left : left + 16], atol=1e-9)


def marked(height, width, top, left):
    image = np.zeros((1, height, width, 1), np.uint8)
    image[0, top, left] = 255
    return image


def middle_of(image):
    """Return where the light is: down, across."""
    light = image[..., 0] / image[..., 0].sum()
    return (light.sum(axis=1) @ np.arange(light.shape[0]), light.sum(axis=0) @ np.arange(light.shape[1]))


def test_positive_degrees_turn_clockwise():
    """The pixel at the top right goes down, as the hand of a clock does."""
    found = rendered([op.Rotation(degrees=(90, 90))], marked(9, 9, 1, 7))[0]
    np.testing.assert_allclose(middle_of(found), (7, 7), atol=1e-9)
    chosen = Augmentation(operations=(op.Rotation(degrees=(30, 30)),), fill="constant")
    found = rendered(chosen, marked(41, 41, 20, 35))[0]
    expected = (20 + 15 * math.sin(math.radians(30)), 20 + 15 * math.cos(math.radians(30)))
    np.testing.assert_allclose(middle_of(found), expected, atol=0.1)


def test_a_factor_above_one_enlarges():
    image = np.zeros((1, 16, 16, 1), np.uint8)
    image[0, 6:10, 6:10] = 255
    for factor, side in ((2.0, 8), (1.0, 4), (0.5, 2)):
        chosen = Augmentation(
            operations=(op.Scaling(factor=(factor, factor)),), interpolation="nearest", fill="constant"
        )
        plan = draw(chosen, [0], source=(16, 16), channels=1)
        plan.blur[:] = 0
        found = reference.render(image, plan).numpy()
        assert found.sum() == side**2


def test_a_ratio_above_one_makes_wider():
    image = np.zeros((1, 32, 32, 1), np.uint8)
    image[0, 12:20, 12:20] = 255
    chosen = Augmentation(operations=(op.Aspect(ratio=(4, 4)),), interpolation="nearest", fill="constant")
    plan = draw(chosen, [0], source=(32, 32), channels=1)
    plan.blur[:] = 0
    found = reference.render(image, plan)[0, ..., 0].numpy()
    assert (found.any(axis=0).sum(), found.any(axis=1).sum()) == (16, 4)


def test_shear_slants_uprights():
    """What lies below the middle goes to the right by tan a of its depth."""
    angle = np.degrees(np.arctan(0.8))
    chosen = Augmentation(operations=(op.Shear(horizontal=(angle, angle)),), fill="constant")
    found = rendered(chosen, marked(21, 21, 15, 10))[0]
    np.testing.assert_allclose(middle_of(found), (15, 14), atol=1e-9)


def test_operations_are_done_in_the_order_of_the_list():
    turn, move = op.Rotation(degrees=(90, 90)), op.Translation(horizontal=(0.2, 0.2), vertical=(0, 0))
    image = marked(10, 10, 4, 4)
    by_hand = np.roll(np.rot90(image[0], -1), 2, axis=1)
    np.testing.assert_allclose(rendered([turn, move], image)[0], by_hand, atol=1e-9)
    by_hand = np.rot90(np.roll(image[0], 2, axis=1), -1)
    np.testing.assert_allclose(rendered([move, turn], image)[0], by_hand, atol=1e-9)


def test_doubling_the_size_repeats_every_pixel(pictures):
    images = pictures(2, 5, 6)
    chosen = Augmentation(policy="none", interpolation="nearest")
    found = rendered(chosen, images, size=(10, 18))
    np.testing.assert_allclose(found, images.repeat(2, axis=1).repeat(3, axis=2), atol=1e-9)


@pytest.mark.parametrize(("strength", "nearer"), [(0.4, True), (-0.4, False)])
def test_a_barrel_draws_the_outer_parts_towards_the_middle(strength, nearer):
    """A point at radius r shows what was at r (1 + k r²), r being 1 at the corners."""
    image = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[None, None, :, None], (1, 60, 1, 1))
    plan = draw([op.Lens(strength=(strength, strength))], [0], source=(60, 60), channels=1)
    found = reference.render(image, plan)[0, 30, :, 0].numpy() * 255 / 4
    x, y = np.arange(60) - 29.5, 0.5
    expected = 29.5 + x * (1 + strength * (x**2 + y**2) / (30**2 + 30**2))
    inside = (expected > 0) & (expected < 59)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)
    assert (found[50] > 50) == nearer
