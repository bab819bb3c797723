"""What is drawn has the distributions that the recipe promises: ranges, shares, shapes and independence.

Every p-value is of fixed seeds; one below 10⁻³ would come by chance once in a thousand tests, and none does.
"""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sightline.augmentation import draw
from sightline.recipe import operations as op

COUNT = 4000
KEYS = np.arange(COUNT)
SIDE = 1000
SHAPE = {"source": (SIDE, SIDE)}
LEAST_P = 1e-3

# U and V of color television: a turn of I and Q by an angle is a turn of V and U by the same one.
U, V = 0.492111, 0.877283


def turned(color):
    """Return the angle by which a color matrix turns colors, in degrees, from what it makes of red."""
    red, _, blue = np.moveaxis(color[..., 0], -1, 0)
    luma = 0.299
    before = np.degrees(np.arctan2(U * (0 - luma), V * (1 - luma)))
    return np.degrees(np.arctan2(U * (blue - luma), V * (red - luma))) - before


def degrees_of_tangent(values):
    return np.degrees(np.arctan(values))


def side_of_box(plan, first, second):
    return (plan.erase[:, second] - plan.erase[:, first]) / SIDE


# Name: the operation, what reads the drawn number off a plan and its matrices about the middle, its range, and whether
# it is even in the logarithm.
DRAWN = {
    "rotation": (op.Rotation(degrees=(-50, 80)), lambda p, m: np.degrees(np.arctan2(m[:, 0, 1], m[:, 0, 0])),
                 (-50, 80), False),
    "translation right": (op.Translation(horizontal=(-0.2, 0.6)), lambda p, m: -m[:, 0, 2] / SIDE, (-0.2, 0.6), False),
    "translation down": (op.Translation(vertical=(0.1, 0.3)), lambda p, m: -m[:, 1, 2] / SIDE, (0.1, 0.3), False),
    "scaling": (op.Scaling(factor=(0.25, 3)), lambda p, m: 1 / m[:, 0, 0], (0.25, 3), True),
    "scaling of both": (op.Scaling(factor=(0.25, 3)), lambda p, m: 1 / m[:, 1, 1], (0.25, 3), True),
    "aspect": (op.Aspect(ratio=(0.5, 4)), lambda p, m: m[:, 1, 1] / m[:, 0, 0], (0.5, 4), True),
    "shear of uprights": (op.Shear(horizontal=(-40, 20), vertical=(0, 0)), lambda p, m: degrees_of_tangent(-m[:, 0, 1]),
                          (-40, 20), False),
    "shear of levels": (op.Shear(horizontal=(0, 0), vertical=(-10, 40)), lambda p, m: degrees_of_tangent(-m[:, 1, 0]),
                        (-10, 40), False),
    "crop area": (op.Crop(area=(0.2, 0.6), aspect=(0.8, 1.2)), lambda p, m: m[:, 0, 0] * m[:, 1, 1], (0.2, 0.6), False),
    "crop aspect": (op.Crop(area=(0.2, 0.6), aspect=(0.8, 1.5)), lambda p, m: m[:, 0, 0] / m[:, 1, 1],
                    (0.8, 1.5), True),
    "crop across": (op.Crop(area=(0.2, 0.6)), lambda p, m: m[:, 0, 2] / (SIDE * (1 - m[:, 0, 0])), (-0.5, 0.5), False),
    "crop down": (op.Crop(area=(0.2, 0.5)), lambda p, m: m[:, 1, 2] / (SIDE * (1 - m[:, 1, 1])), (-0.5, 0.5), False),
    "lens": (op.Lens(strength=(-0.3, 0.9)), lambda p, m: p.lens, (-0.3, 0.9), False),
    "brightness": (op.Brightness(factor=(0.2, 3)), lambda p, m: p.color[:, 1, 1], (0.2, 3), False),
    "contrast": (op.Contrast(factor=(0, 2)), lambda p, m: p.color[:, 2, 2], (0, 2), False),
    "saturation": (op.Saturation(factor=(0, 5)), lambda p, m: p.color[:, 0, 0] - p.color[:, 1, 0], (0, 5), False),
    "hue": (op.Hue(degrees=(-60, 100)), lambda p, m: turned(p.color), (-60, 100), False),
    "gamma": (op.Gamma(exponent=(0.2, 6)), lambda p, m: p.gamma, (0.2, 6), True),
    "noise": (op.GaussianNoise(deviation=(0.1, 0.4)), lambda p, m: p.noise, (0.1, 0.4), False),
    "salt and pepper": (op.SaltPepper(share=(0, 1)), lambda p, m: p.salt_pepper, (0, 1), False),
    "blur along x": (op.Blur(sigma_pixels=(1, 10)), lambda p, m: p.blur[:, 0], (1, 10), False),
    "blur along y": (op.Blur(sigma_pixels=(0, 3)), lambda p, m: p.blur[:, 1], (0, 3), False),
    "sharpen": (op.Sharpen(amount=(0.5, 5)), lambda p, m: p.sharpen, (0.5, 5), False),
    "elastic": (op.Elastic(displacement_pixels=(3, 3), smoothness_pixels=200), lambda p, m: p.grid[:, 0, 1, 2],
                (-3 * 3**0.5 * 315 / 151, 3 * 3**0.5 * 315 / 151), False),
}  # fmt: skip


def numbers(name, middle, **more):
    """Return a drawn number of every picture, carried to [0, 1] as if it had been even."""
    operation, read, (low, high), logarithmic = DRAWN[name]
    plan = draw([operation], KEYS, **(SHAPE | more))
    found = read(plan, middle(plan))
    if logarithmic:
        return np.log(found / low) / np.log(high / low)
    return (found - low) / (high - low)


@pytest.mark.parametrize("name", DRAWN)
def test_a_number_is_even_over_its_range(middle, name):
    found = numbers(name, middle)
    assert found.min() > -1e-9
    assert found.max() < 1 + 1e-9
    assert found.min() < 0.01
    assert found.max() > 0.99
    assert stats.kstest(found, "uniform").pvalue > LEAST_P


@pytest.mark.parametrize("name", ["rotation", "lens", "noise", "elastic", "gamma", "hue"])
def test_a_number_tells_nothing_of_other_epochs_seeds_and_neighbors(middle, name):
    base = numbers(name, middle)
    independent(base, numbers(name, middle, epoch=2))
    independent(base, numbers(name, middle, seed=1))
    independent(base[:-1], base[1:])
    independent(base[:-256], base[256:])


def test_numbers_of_different_operations_are_independent(middle):
    listed = [op.Rotation(), op.Lens(), op.Brightness(), op.Gamma(), op.GaussianNoise(), op.SaltPepper(), op.Blur(),
              op.Sharpen(), op.Erasing(probability=1.0, area=(0.01, 0.5), aspect=(1, 1))]  # fmt: skip
    plan = draw(listed, KEYS, **SHAPE)
    found = [middle(plan)[:, 0, 1], plan.lens, plan.color[:, 0, 0], plan.gamma, plan.noise, plan.salt_pepper,
             plan.blur[:, 0], plan.sharpen, side_of_box(plan, 0, 2)]  # fmt: skip
    for one, other in combinations(found, 2):
        independent(one, other)


def test_numbers_of_one_operation_are_independent_of_each_other(middle):
    moved = middle(draw([op.Translation()], KEYS, **SHAPE))
    independent(moved[:, 0, 2], moved[:, 1, 2])
    slanted = middle(draw([op.Shear(horizontal=(-20, 20), vertical=(-20, 20))], KEYS, **SHAPE))
    independent(slanted[:, 0, 1] / slanted[:, 0, 0], slanted[:, 1, 0] / slanted[:, 0, 0])
    cropped = middle(draw([op.Crop(area=(0.2, 0.6), aspect=(0.8, 1.25))], KEYS, **SHAPE))
    area, aspect = cropped[:, 0, 0] * cropped[:, 1, 1], cropped[:, 0, 0] / cropped[:, 1, 1]
    across, down = cropped[:, 0, 2] / (1 - cropped[:, 0, 0]), cropped[:, 1, 2] / (1 - cropped[:, 1, 1])
    for one, other in combinations([area, aspect, across, down], 2):
        independent(one, other)
    grid = draw([op.Elastic(displacement_pixels=(2, 2), smoothness_pixels=200)], KEYS, **SHAPE).grid
    for one, other in combinations([grid[:, 0, 0, 0], grid[:, 1, 0, 0], grid[:, 0, 1, 0], grid[:, 0, 0, 1]], 2):
        independent(one, other)


def test_whether_an_operation_is_done_tells_nothing_of_its_number():
    """The pictures that it is done to have numbers over the whole range, as even as all."""
    plan = draw([op.Lens(strength=(0.2, 0.7), probability=0.3)], KEYS, **SHAPE)
    done = plan.lens[plan.lens != 0]
    assert stats.kstest((done - 0.2) / 0.5, "uniform").pvalue > LEAST_P


PROBABLE = {
    "horizontal_flip": (op.HorizontalFlip, lambda p, m: m[:, 0, 0] < 0),
    "vertical_flip": (op.VerticalFlip, lambda p, m: m[:, 1, 1] < 0),
    "rotation": (op.Rotation, lambda p, m: m[:, 0, 1] != 0),
    "crop": (op.Crop, lambda p, m: m[:, 0, 0] * m[:, 1, 1] != 1),
    "perspective": (op.Perspective, lambda p, m: m[:, 2, 0] != 0),
    "elastic": (op.Elastic, lambda p, m: p.grid.any(axis=(1, 2, 3))),
    "lens": (op.Lens, lambda p, m: p.lens != 0),
    "contrast": (op.Contrast, lambda p, m: p.color[:, 0, 3] != 0),
    "gamma": (op.Gamma, lambda p, m: p.gamma != 1),
    "grayscale": (op.Grayscale, lambda p, m: p.color[:, 0, 1] != 0),
    "channel_dropout": (op.ChannelDropout, lambda p, m: ~p.color.any(axis=2).all(axis=1)),
    "gaussian_noise": (op.GaussianNoise, lambda p, m: p.noise > 0),
    "salt_pepper": (op.SaltPepper, lambda p, m: p.salt_pepper > 0),
    "blur": (op.Blur, lambda p, m: p.blur[:, 0] > 0),
    "sharpen": (op.Sharpen, lambda p, m: p.sharpen > 0),
    "jpeg": (op.Jpeg, lambda p, m: p.jpeg > 0),
    "erasing": (op.Erasing, lambda p, m: p.erase.any(axis=1)),
    "mixup": (op.Mixup, lambda p, m: p.partner >= 0),
    "cutmix": (op.Cutmix, lambda p, m: p.partner >= 0),
}


@pytest.mark.parametrize("name", PROBABLE)
def test_an_operation_is_done_to_its_share_of_pictures(middle, name):
    operation, read = PROBABLE[name]
    small = {"source": (100, 100)}
    for probability in (0.0, 0.2, 0.7, 1.0):
        plan = draw([operation(probability=probability)], KEYS, **small)
        done = int(read(plan, middle(plan)).sum())
        assert stats.binomtest(done, COUNT, probability).pvalue > LEAST_P, (probability, done / COUNT)


def test_two_operations_fall_on_pictures_independently():
    plan = draw([op.Lens(probability=0.5), op.Gamma(probability=0.5)], np.arange(50_000), source=(4, 4))
    table = np.histogram2d(plan.lens != 0, plan.gamma != 1, bins=2)[0]
    assert stats.chi2_contingency(table).pvalue > LEAST_P


def test_quarter_turns_and_dropped_channels_are_equally_likely(middle):
    turns = np.round(middle(draw([op.QuarterTurns()], KEYS, **SHAPE))[:, 0, :2]).astype(int)
    found = [int((turns == way).all(axis=1).sum()) for way in ([1, 0], [0, 1], [-1, 0], [0, -1])]
    assert sum(found) == COUNT
    assert stats.chisquare(found).pvalue > LEAST_P
    color = draw([op.ChannelDropout(probability=1.0)], KEYS, **SHAPE).color
    dropped = ~color.any(axis=2)
    np.testing.assert_array_equal(dropped.sum(axis=1), 1)
    assert stats.chisquare(dropped.sum(axis=0)).pvalue > LEAST_P


def test_pad_and_crop_moves_by_every_whole_number_of_pixels_as_often(middle):
    moved = middle(draw([op.PadAndCrop(padding=0.125)], KEYS, source=(32, 16)))
    for axis, most in ((0, 2), (1, 4)):
        found, count = np.unique(moved[:, axis, 2], return_counts=True)
        np.testing.assert_array_equal(found, np.arange(-most, most + 1))
        assert stats.chisquare(count).pvalue > LEAST_P


def test_corners_move_inwards_by_even_shares_of_the_farthest():
    far = 0.3
    plan = draw([op.Perspective(distortion=(far, far))], KEYS, source=(200, 400))
    ends = np.array([[-0.5, -0.5], [399.5, -0.5], [399.5, 199.5], [-0.5, 199.5]])
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    shown = np.concatenate([ends, np.ones((4, 1))], axis=1) @ np.swapaxes(plan.homography, 1, 2)
    shares = (shown[..., :2] / shown[..., 2:] - ends) * inwards / (far * np.array([400, 200]))
    for share in shares.reshape(COUNT, 8).T:
        assert stats.kstest(share, "uniform").pvalue > LEAST_P
    for one, other in combinations(shares.reshape(COUNT, 8).T, 2):
        independent(one, other)


def test_jpeg_qualities_are_whole_and_within_their_range():
    quality = draw([op.Jpeg(quality=(30, 90))], KEYS, **SHAPE).jpeg
    assert set(quality.tolist()) == set(range(30, 91))
    # the two ends are rounded to from one side only
    inner = np.bincount(quality, minlength=91)[31:90]
    assert stats.chisquare(inner).pvalue > LEAST_P


def test_erased_boxes_have_the_areas_the_shapes_and_the_places_asked_for():
    plan = draw([op.Erasing(probability=1.0, area=(0.1, 0.4), aspect=(0.5, 2))], KEYS, source=(SIDE, SIDE))
    top, left, bottom, right = plan.erase.T
    high, wide = bottom - top, right - left
    assert min(top.min(), left.min()) >= 0
    assert max(bottom.max(), right.max()) <= SIDE
    within = (0.002, 0.02)
    for found, (low, high_end) in (
        ((high * wide / SIDE**2 - 0.1) / 0.3, (0, 1)),
        ((np.log(wide / high) + np.log(2)) / np.log(4), (0, 1)),
        (top / (SIDE - high), (0, 1)),
        (left / (SIDE - wide), (0, 1)),
    ):
        assert found.min() > low - within[0] * 5
        assert found.max() < high_end + within[0] * 5
        # sides are rounded to whole pixels, which a thousandth of the side allows for
        assert stats.kstest(found, "uniform").statistic < within[1] + 1.36 / np.sqrt(COUNT)


def test_boxes_keep_the_area_asked_for_where_the_shape_asked_for_does_not_fit():
    plan = draw([op.Erasing(probability=1.0, area=(0.3, 1), aspect=(0.1, 10))], KEYS, **SHAPE)
    top, left, bottom, right = plan.erase.T
    area = (bottom - top) * (right - left) / SIDE**2
    assert stats.kstest((area - 0.3) / 0.7, "uniform").statistic < 0.02 + 1.36 / np.sqrt(COUNT)
    assert np.isclose(
        draw([op.Erasing(probability=1.0, area=(1, 1))], KEYS[:9], **SHAPE).erase, (0, 0, SIDE, SIDE)
    ).all()
    empty = draw([op.Erasing(probability=1.0, area=(0, 0))], KEYS[:9], **SHAPE).erase
    assert ((empty[:, 2] - empty[:, 0]) * (empty[:, 3] - empty[:, 1]) == 0).all()


def test_boxes_lie_at_every_place_as_often():
    """A box of 2 × 2 pixels has 3 places down and 5 across in a picture of 4 × 6."""
    plan = draw([op.Erasing(probability=1.0, area=(1 / 6, 1 / 6), aspect=(2 / 3, 2 / 3))], KEYS, source=(4, 6))
    top, left, bottom, right = plan.erase.T
    assert ((bottom - top == 2) & (right - left == 2)).all()
    assert (set(top), set(left)) == (set(range(3)), set(range(5)))
    assert stats.chisquare(np.histogram2d(top, left, bins=(3, 5))[0].ravel()).pvalue > LEAST_P


def test_crops_show_the_area_asked_for_where_the_shape_asked_for_does_not_fit(middle):
    shown = middle(draw([op.Crop(area=(0.5, 1), aspect=(0.5, 2))], KEYS, **SHAPE))
    assert shown[:, [0, 1], [0, 1]].max() <= 1 + 1e-12
    area = shown[:, 0, 0] * shown[:, 1, 1]
    assert stats.kstest((area - 0.5) / 0.5, "uniform").pvalue > LEAST_P


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 3.0])
def test_mixup_weights_are_of_the_beta_distribution(alpha):
    plan = draw([op.Mixup(alpha=alpha)], KEYS, source=(4, 4))
    assert stats.kstest(plan.weight, stats.beta(alpha, alpha).cdf).pvalue > LEAST_P
    assert not plan.paste.any()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_cutmix_boxes_take_shares_of_the_beta_distribution_and_labels_follow_the_pixels(alpha):
    height, width = 500, 800
    plan = draw([op.Cutmix(alpha=alpha)], KEYS, source=(height, width))
    top, left, bottom, right = plan.paste.T
    assert min(top.min(), left.min()) >= 0
    assert bottom.max() <= height
    assert right.max() <= width
    np.testing.assert_allclose(plan.weight, 1 - (bottom - top) * (right - left) / (height * width), atol=1e-12)
    # sides are rounded to whole pixels: a sharp peak of the density at 0 and 1 is a little blunted
    assert stats.kstest(plan.weight, stats.beta(alpha, alpha).cdf).statistic < 0.01 + 1.63 / np.sqrt(COUNT)
    assert np.abs((right - left) / width - (bottom - top) / height).max() < 1.5 / height


def test_every_picture_of_the_pool_is_as_likely_a_partner():
    pool = np.arange(100, 120).astype(np.uint64)
    plan = draw([op.Mixup()], KEYS, pool=pool, source=(4, 4))
    place = plan.others[plan.partner - plan.own]
    assert stats.chisquare(np.bincount(place, minlength=20)).pvalue > LEAST_P
    independent(place, plan.weight)
    again = draw([op.Mixup()], KEYS, pool=pool, source=(4, 4), epoch=2)
    independent(place, again.others[again.partner - again.own])


def test_mixup_and_cutmix_share_the_pictures():
    plan = draw([op.Mixup(probability=0.3), op.Cutmix(probability=0.5)], KEYS, source=(64, 64))
    mixed, pasted = plan.partner >= 0, plan.paste.any(axis=1)
    assert stats.binomtest(int(mixed.sum()), COUNT, 0.8).pvalue > LEAST_P
    # a box of less than a pixel pastes nothing: about one share in 64² · 2
    assert abs(pasted.mean() - 0.5) < 0.03


def test_noise_keys_never_repeat():
    found = [
        draw([op.GaussianNoise()], np.arange(20_000), seed=seed, epoch=epoch, source=(1, 1)).noise_key
        for seed in (0, 1)
        for epoch in (1, 2)
    ]
    every = np.concatenate(found)
    assert len(np.unique(every)) == len(every)
    for half in (every & np.uint64(0xFFFFFFFF), every >> np.uint64(32)):
        assert stats.kstest(half / 2.0**32, "uniform").pvalue > LEAST_P


FIELDS = {
    "lens": (op.Lens, "strength", (-0.5, 1)), "gamma": (op.Gamma, "exponent", (0.1, 10)),
    "noise": (op.GaussianNoise, "deviation", (0, 1)), "salt_pepper": (op.SaltPepper, "share", (0, 1)),
    "sharpen": (op.Sharpen, "amount", (0, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_every_allowed_range_is_kept(name, data):
    operation, field, (least, largest) = FIELDS[name]
    ends = data.draw(st.tuples(st.floats(least, largest), st.floats(least, largest)).map(sorted))
    seed = data.draw(st.integers(0, 2**31))
    found = getattr(draw([operation(**{field: ends})], np.arange(50), seed=seed, source=(2, 2)), name)
    tolerance = 1e-12 * max(1.0, *np.abs(ends))
    assert ends[0] - tolerance <= found.min() <= found.max() <= ends[1] + tolerance


def independent(one, other):
    """Fail where two drawn numbers correlate, or where their eighths do not meet as often as chance has it."""
    assert abs(stats.spearmanr(one, other).statistic) < 4 / np.sqrt(len(one))
    eighths = [np.searchsorted(np.quantile(each, np.arange(1, 8) / 8), each) for each in (one, other)]
    table = np.histogram2d(*eighths, bins=8)[0]
    # many pairs are looked at, so that one in ten thousand by chance is allowed for
    assert stats.chi2_contingency(table).pvalue > 1e-4
