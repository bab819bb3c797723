"""Views at test time: which there are, what they show, and that their probabilities are averaged."""

import numpy as np
import pytest

from sightline.errors import RecipeError
from sightline.model.views import averaged, check_certain, views


def picture(side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "orientation", "count"),
    [
        ("none", "fixed", 1),
        ("flips", "mirror", 2),
        ("flips", "any", 8),
        ("translations", "fixed", 5),
        ("both", "mirror", 10),
        ("both", "any", 40),
    ],
)
def test_views_are_different_pictures_and_the_first_is_the_picture(kind, orientation, count):
    shown = [view(picture()) for view in views(kind, orientation=orientation)]
    np.testing.assert_array_equal(shown[0], picture())
    assert len({each.tobytes() for each in shown}) == len(shown) == count


def test_oblong_pictures_are_never_laid_on_their_side():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    shown = [view(pixels) for view in views("flips", orientation="any", square=False)]
    wanted = [pixels, pixels[:, ::-1, ::-1], pixels[:, :, ::-1], pixels[:, ::-1]]
    assert len(shown) == 4
    for found, expected in zip(shown, wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_flip_mirrors_left_and_right():
    np.testing.assert_array_equal(views("flips", orientation="mirror")[1](picture()), np.flip(picture(), axis=2))


def test_translations_move_by_a_sixteenth_and_mirror_what_is_beyond():
    pixels = picture(32)
    shown = [view(pixels) for view in views("translations", orientation="fixed")[1:]]
    padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="symmetric")
    expected = [
        padded[:, 2 + down : 34 + down, 2 + right : 34 + right] for down, right in ((-2, 0), (2, 0), (0, -2), (0, 2))
    ]
    for found, wanted in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_both_are_each_translation_in_each_orientation():
    pixels = picture(32)
    moved = [view(pixels) for view in views("translations", orientation="fixed")]
    found = [view(pixels) for view in views("both", orientation="mirror")]
    for shown, mirrored, wanted in zip(found[::2], found[1::2], moved, strict=True):
        np.testing.assert_array_equal(shown, wanted)
        np.testing.assert_array_equal(mirrored, wanted[:, :, ::-1])


def test_flips_are_refused_where_only_one_orientation_is_valid():
    with pytest.raises(RecipeError, match="wanted translations"):
        views("flips", orientation="fixed")


def test_probabilities_of_views_are_averaged():
    def corner(pixels: np.ndarray) -> np.ndarray:
        share = pixels[:, 0, 0, 0].astype(np.float32) / 255
        return np.stack([share, 1 - share], axis=1)

    pixels = picture()
    found = averaged(corner, views("flips", orientation="mirror"), size=2)(pixels)
    share = (pixels[:, 0, 0, 0] / 255 + pixels[:, 0, -1, 0] / 255) / 2
    np.testing.assert_allclose(found, np.stack([share, 1 - share], axis=1), rtol=1e-6)


class Corner:
    """Has the brightness of a corner for a probability, and counts what it is shown."""

    def __init__(self) -> None:
        self.groups: list[int] = []

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.groups.append(len(pixels))
        share = pixels[:, 0, 0, 0].astype(np.float32) / 255
        return np.stack([share, 1 - share], axis=1)


@pytest.mark.parametrize("shape", [(8, 8), (8, 12)])
@pytest.mark.parametrize("certain", [0.6, 0.9, 1.0])
def test_only_what_is_uncertain_is_looked_at_again_and_numbers_are_those_of_all_views(shape, certain):
    pixels = np.random.default_rng(1).integers(0, 256, (16, *shape, 3), dtype=np.uint8)
    pixels[0, 0, 0, 0] = 255  # as sure as can be
    chosen = views("flips", orientation="any", square=shape[0] == shape[1])
    every, some = Corner(), Corner()
    whole = averaged(every, chosen, size=4)(pixels)
    found = averaged(some, chosen, size=4, certain=certain)(pixels)
    first = Corner()(pixels)
    again = (first.max(axis=1) < certain) | (certain == 1.0)
    np.testing.assert_array_equal(found[again], whole[again])
    np.testing.assert_array_equal(found[~again], first[~again])
    assert sum(every.groups) == len(chosen) * 16
    assert sum(some.groups) == 16 + (len(chosen) - 1) * again.sum()
    assert max(some.groups[1:], default=0) <= 4


def test_without_anybody_uncertain_one_look_is_enough():
    sure = Corner()
    averaged(sure, views("both", orientation="mirror"), size=4, certain=0.5)(picture())
    assert sure.groups == [2]


@pytest.mark.parametrize("number", [0.0, -1.0, 1.5, float("nan")])
def test_certain_is_a_probability(number):
    with pytest.raises(RecipeError, match=r"certain: found .*wanted a probability"):
        check_certain(number, "flips")


def test_certain_spares_views_that_there_are():
    assert check_certain(1.0, "none") == 1.0
    with pytest.raises(RecipeError, match=r"certain: found 0\.9 without test-time augmentation"):
        check_certain(0.9, "none")
