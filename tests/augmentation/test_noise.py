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


def every_level():
    """Return the 511 sums of two bytes as t, the number each stands for, and how often it comes."""
    levels = np.arange(-255, 256)
    t = levels / 256
    normal = sum(c * t ** (2 * i + 1) for i, c in enumerate(noise.NORMAL))
    return t, normal, (256 - abs(levels)) / 65536


def test_the_sum_of_two_bytes_is_made_normal():
    found = noise.gaussian(KEY, rows=4, per_row=30)
    _, normal, _ = every_level()
    for row, place in ((0, 0), (1, 5), (3, 29), (2, 16)):
        number = by_hand(KEY, noise.GAUSSIAN, row, place)
        np.testing.assert_allclose(found[row, place], normal[number % 256 + number // 256], rtol=1e-12)


def test_what_the_levels_stand_for_has_the_normals_moments_and_distribution():
    _, normal, often = every_level()
    assert often.sum() == 1
    assert (np.diff(normal) > 0).all()
    np.testing.assert_allclose(normal, -normal[::-1], rtol=1e-12)
    np.testing.assert_allclose((often * normal**2).sum(), 1.0, atol=1e-5)
    np.testing.assert_allclose((often * normal**4).sum(), 3.0, atol=0.01)
    np.testing.assert_allclose((often * normal**6).sum(), 15.0, rtol=0.02)
    assert normal.max() == pytest.approx(3.736, abs=0.001)
    below = np.cumsum(often)
    for edge in (below, below - often):
        assert np.abs(edge - stats.norm.cdf(normal)).max() < 0.003


def test_a_picture_is_larger_than_the_part_it_is_asked_for_first():
    """A place has its number whatever the size of the picture."""
    small, large = (noise.halfwords(KEY, 0, rows=r, per_row=p) for r, p in ((3, 10), (9, 33)))
    np.testing.assert_array_equal(large[:3, :10], small)


def test_noise_is_normal_and_its_places_are_independent():
    found = noise.gaussian(KEY, rows=300, per_row=300).astype(np.float64)
    assert abs(found.mean()) < 4 / 300
    assert abs(found.var() - 1) < 4 * np.sqrt(2) / 300
    assert stats.kstest(found.ravel(), "norm").statistic < 1.95 / 300 + 0.003
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
