"""The picture of filters has each weight where it belongs, in the gray or color it stands for."""

import io

import numpy as np
import pytest
from PIL import Image

from sightline.network.filters import MOST
from sightline.report.filters import ACROSS, SCALE, sheet


def opened(weights: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sheet(weights))))


@pytest.mark.parametrize(("count", "channels", "size"), [(1, 3, 3), (17, 3, 3), (100, 1, 5), (40, 4, 2)])
def test_each_weight_is_in_its_place(count, channels, size):
    weights = np.random.default_rng(0).normal(size=(count, channels, size, size)).astype(np.float32)
    picture = opened(weights)
    shown = min(count, MOST)
    rows, columns = -(-shown // ACROSS), min(ACROSS, shown)
    assert picture.shape == (SCALE * (rows * (size + 1) + 1), SCALE * (columns * (size + 1) + 1), 3)
    seen = weights if channels == 3 else np.repeat(weights.mean(axis=1, keepdims=True), 3, axis=1)
    largest = np.abs(weights).max()
    middle = picture[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]
    around = np.ones(middle.shape[:2], bool)
    for number in range(shown):
        for y in range(size):
            for x in range(size):
                place = number // ACROSS * (size + 1) + 1 + y, number % ACROSS * (size + 1) + 1 + x
                expected = 255 * (0.5 + 0.5 * seen[number, :, y, x] / largest)
                assert np.abs(middle[place] - expected).max() <= 1
                around[place] = False
    assert (middle[around] == 255).all()


def test_filters_of_nothing_are_gray():
    assert set(np.unique(opened(np.zeros((2, 3, 3, 3), np.float32)))) == {128, 255}
