"""How many pictures are judged together: as many as fit the memory that is kept, and never more than a step takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.training.evaluate import PIXELS_AT_ONCE, batch_to_judge, predict

SIDES = st.integers(1, 4_096)


@given(SIDES, SIDES, st.integers(1, 4_096))
def test_a_batch_on_a_processor_fits(height, width, most):
    found = batch_to_judge((height, width), device="cpu", most=most)
    assert 1 <= found <= most
    assert found == 1 or found * height * width <= PIXELS_AT_ONCE
    assert found == most or (found + 1) * height * width > PIXELS_AT_ONCE
    assert batch_to_judge((height, width), device="cuda", most=most) == most


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_predictions_are_those_of_each_record_in_its_order(batch_size):
    pixels = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    records = np.array([5, 3, 19, 0, 7, 11, 2])
    found = predict(lambda seen: seen[:, :3], lambda wanted: pixels[wanted], records, batch_size=batch_size)
    scores = pixels[records, :3].astype(np.float64)
    expected = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float64
