"""Views at test time: which there are, what they show, and that their probabilities are averaged."""

import numpy as np
import pytest

from sightline.errors import RecipeError
from sightline.model.views import averaged, views


def picture(side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "orientation", "count"),
    [
        ("none", "fixed", 1),
        ("flips", "mirror", 2),
        ("flips", "any", 8),
        ("translations", "fixed", 5),
        ("both", "mirror", 6),
    ],
)
def test_views_are_different_pictures_and_the_first_is_the_picture(kind, orientation, count):
    shown = [view(picture()) for view in views(kind, orientation=orientation)]
    np.testing.assert_array_equal(shown[0], picture())
    assert len({each.tobytes() for each in shown}) == len(shown) == count


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


def test_flips_are_refused_where_only_one_orientation_is_valid():
    with pytest.raises(RecipeError, match="wanted translations"):
        views("flips", orientation="fixed")


def test_probabilities_of_views_are_averaged():
    def corner(pixels: np.ndarray) -> np.ndarray:
        share = pixels[:, 0, 0, 0].astype(np.float32) / 255
        return np.stack([share, 1 - share], axis=1)

    pixels = picture()
    found = averaged(corner, views("flips", orientation="mirror"))(pixels)
    share = (pixels[:, 0, 0, 0] / 255 + pixels[:, 0, -1, 0] / 255) / 2
    np.testing.assert_allclose(found, np.stack([share, 1 - share], axis=1), rtol=1e-6)
