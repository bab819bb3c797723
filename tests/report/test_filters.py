"""The picture of filters has each weight where it belongs, in the gray or color it stands for."""

import io

import numpy as np
import pytest
from PIL import Image

from sightline.report.filters import ACROSS, GAP, MOST, SCALE, sheet


def opened(weights: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sheet(weights))))


@pytest.mark.parametrize(("count", "channels", "size"), [(1, 3, 3), (17, 3, 3), (100, 1, 5), (40, 4, 2)])
def test_each_weight_is_in_its_place(count, channels, size):
    weights = np.random.default_rng(0).normal(size=(count, channels, size, size)).astype(np.float32)
    picture = opened(weights)
    shown = min(count, MOST)
    pitch = size * SCALE + GAP
    assert picture.shape == (-(-shown // ACROSS) * pitch - GAP, min(ACROSS, shown) * pitch - GAP, 4)
    seen = weights if channels == 3 else np.repeat(weights.mean(axis=1, keepdims=True), 3, axis=1)
    largest = np.abs(seen[:shown]).max()
    for number in range(shown):
        top, left = number // ACROSS * pitch, number % ACROSS * pitch
        for y in range(size):
            for x in range(size):
                found = picture[top + y * SCALE + SCALE // 2, left + x * SCALE + SCALE // 2]
                expected = 255 * (0.5 + 0.5 * seen[number, :, y, x] / largest)
                assert np.abs(found[:3] - expected).max() <= 1
                assert found[3] == 255


def test_filters_of_nothing_are_gray():
    assert set(np.unique(opened(np.zeros((2, 3, 3, 3), np.float32))[..., :3])) <= {0, 128}
