"""Noise: the words it is made of, the distributions it has, and that it never repeats itself."""

import numpy as np
import pytest
from scipy import stats

from sightline.augmentation import draw, identity, noise, reference
from sightline.keys import philox
from sightline.recipe import operations as op

KEY = 0x0123456789ABCDEF


def by_hand(key, purpose, row, place):
    """Return the 16 bits of one value: of block place ÷ 8, the word (place mod 8) ÷ 2, lower half first."""
    words = philox((place // 8, row, purpose, 0), (key & 0xFFFFFFFF, key >> 32))
    word = words[place % 8 // 2]
    return word >> 16 if place % 2 else word & 0xFFFF


@pytest.mark.parametrize("purpose", [noise.GAUSSIAN, noise.SALT_PEPPER])
@pytest.mark.parametrize(("row", "place"), [(0, 0), (0, 1), (0, 2), (3, 7), (3, 8), (9, 15), (1, 20), (9, 20)])
def test_halfwords_are_philoxs_words(purpose, row, place):
    found = noise.halfwords(KEY, purpose, rows=10, per_row=21)
    assert found.shape == (10, 21)
    assert found.dtype == np.uint16
    assert found[row, place] == by_hand(KEY, purpose, row, place)


def test_the_upper_twelve_bits_choose_the_quantile():
    found = noise.gaussian(KEY, rows=4, per_row=30)
    for row, place in ((0, 0), (1, 5), (3, 29), (2, 16)):
        level = by_hand(KEY, noise.GAUSSIAN, row, place) >> 4
        # the quantiles' variance before scaling is a little below 1
        np.testing.assert_allclose(found[row, place], stats.norm.ppf((level + 0.5) / 4096), rtol=2e-3)


def test_quantiles_have_mean_zero_variance_one_and_are_the_normals():
    found = noise.quantiles().astype(np.float64)
    assert len(found) == 4096
    np.testing.assert_array_equal(found, -found[::-1])
    np.testing.assert_allclose((found**2).mean(), 1.0, atol=1e-7)
    assert (np.diff(found) > 0).all()
    assert found.max() == pytest.approx(3.66, abs=0.01)
    exact = stats.norm.ppf((np.arange(4096) + 0.5) / 4096)
    np.testing.assert_allclose(found / exact, found[-1] / exact[-1], rtol=1e-5)
    assert found[-1] / exact[-1] < 1.002


def test_a_picture_is_larger_than_the_part_it_is_asked_for_first():
    """A place has its number whatever the size of the picture."""
    small, large = (noise.halfwords(KEY, 0, rows=r, per_row=p) for r, p in ((3, 10), (9, 33)))
    np.testing.assert_array_equal(large[:3, :10], small)


def test_noise_is_normal_and_its_places_are_independent():
    found = noise.gaussian(KEY, rows=300, per_row=300).astype(np.float64)
    assert abs(found.mean()) < 4 / 300
    assert abs(found.var() - 1) < 4 * np.sqrt(2) / 300
    # 4,096 levels are steps of 1 / 4096 of the distribution function
    assert stats.kstest(found.ravel(), "norm").statistic < 1.95 / 300 + 1 / 8192
    counts = np.bincount(noise.halfwords(KEY, 0, rows=300, per_row=300).ravel() >> 8, minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3
    for down, along in ((0, 1), (1, 0), (1, 1), (0, 2), (0, 8), (8, 0)):
        one, other = found[: 300 - down, : 300 - along], found[down:, along:]
        assert abs((one * other).mean()) < 4 / 290, (down, along)


def test_rows_keys_and_purposes_never_repeat():
    seen = [
        noise.halfwords(key, purpose, rows=50, per_row=16)
        for key in (KEY, KEY + 1, KEY ^ (1 << 50))
        for purpose in (0, 1)
    ]
    rows = np.concatenate(seen).tolist()
    assert len({tuple(row) for row in rows}) == len(rows)
    for one in range(len(seen)):
        for other in range(one):
            # about one number in 65,536 is the same by chance
            assert (seen[one] == seen[other]).mean() < 0.01


def test_gaussian_noise_is_added_to_every_value():
    deviation, shape = 0.1, (40, 50)
    plan = draw([op.GaussianNoise(deviation=(deviation, deviation))], np.arange(3), source=shape)
    images = np.full((3, *shape, 3), 128, np.uint8)
    found = reference.render(images, plan).numpy()
    for row in range(3):
        drawn = noise.gaussian(int(plan.noise_key[row]), rows=40, per_row=150).reshape(40, 50, 3)
        np.testing.assert_allclose(found[row], 128 / 255 + deviation * drawn.astype(np.float64), atol=1e-9)
    added = found - 128 / 255
    assert added.std() == pytest.approx(deviation, rel=0.02)
    for one, other in ((added[0], added[1]), (added[..., 0], added[..., 1]), (added[:, 1:], added[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


def test_noise_is_clipped_to_black_and_white():
    plan = draw([op.GaussianNoise(deviation=(1, 1))], [5], source=(20, 20))
    found = reference.render(np.full((1, 20, 20, 3), 255, np.uint8), plan).numpy()
    assert found.max() == 1.0
    assert found.min() == 0.0


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_salt_and_pepper_hit_their_share_of_whole_pixels_evenly(share, channels):
    shape = (200, 200)
    plan = draw([op.SaltPepper(share=(share, share))], [3, 4], source=shape, channels=channels)
    found = reference.render(np.full((2, *shape, channels), 100, np.uint8), plan).numpy()
    assert (found == found[..., :1]).all()
    white, black = found[..., 0] == 1.0, found[..., 0] == 0.0
    hit = white | black
    assert stats.binomtest(int(hit.sum()), hit.size, share).pvalue > 1e-3
    if hit.any():
        assert stats.binomtest(int(white.sum()), int(hit.sum()), 0.5).pvalue > 1e-3
    np.testing.assert_allclose(found[~hit], 100 / 255, atol=1e-12)
    if 0 < share < 1:
        assert (hit[0] & hit[1]).mean() == pytest.approx(share**2, abs=0.01)


def test_salt_and_pepper_fall_where_their_own_words_say():
    """Below half of the share white, below the whole of it black, of 65,536."""
    plan = identity(1, source=(9, 21), channels=3)
    plan.salt_pepper[0], plan.noise_key[0] = 0.25, KEY
    found = reference.render(np.full((1, 9, 21, 3), 100, np.uint8), plan).numpy()[0, ..., 0]
    for row in range(9):
        for place in range(21):
            bits = by_hand(KEY, noise.SALT_PEPPER, row, place)
            expected = 1.0 if bits < 8192 else 0.0 if bits < 16384 else 100 / 255
            assert found[row, place] == pytest.approx(expected)


def test_gaussian_noise_and_salt_and_pepper_of_a_picture_are_independent():
    normal = noise.gaussian(KEY, rows=200, per_row=200)
    even = noise.halfwords(KEY, noise.SALT_PEPPER, rows=200, per_row=200)
    assert abs(np.corrcoef(normal.ravel(), even.ravel())[0, 1]) < 0.02
