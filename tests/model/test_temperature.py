"""A sealed temperature decides how sure a model is, never what it says; files that know of none are at 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline import model
from sightline.model.compute import keep_likeliest
from sightline.model.format import encode, read_header

TEMPERATURES = [0.05, 0.5, 1.0, 1.7, 20.0]


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, 12, 10, 1)).astype(np.uint8)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_probabilities_are_those_of_scores_divided_by_it(temperature: float, tiny: Any, tmp_path: Path) -> None:
    loaded = model.load(tiny.seal(tmp_path / "m", temperature=temperature))
    plain = model.load(tiny.seal(tmp_path / "plain"))
    assert (loaded.temperature, plain.temperature) == (temperature, 1.0)
    pixels = pictures(40)
    scores = loaded.scores(pixels).numpy()
    np.testing.assert_array_equal(scores, plain.scores(pixels).numpy())
    powers = np.exp((scores.astype(np.float64) - scores.max(axis=1, keepdims=True)) / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    found = loaded.predict(pixels)
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-6, atol=1e-38)
    np.testing.assert_array_equal(found.probabilities, loaded.probabilities(pixels).numpy())
    np.testing.assert_array_equal(found.indices, plain.predict(pixels).indices)
    np.testing.assert_array_equal(found.indices, scores.argmax(axis=1))
    viewed = loaded.predict(pixels, test_time="translations").probabilities
    np.testing.assert_allclose(viewed.sum(axis=1), 1, rtol=1e-6)


def test_a_file_of_before_there_were_temperatures_says_what_it_said(sealed: Path, tmp_path: Path) -> None:
    data = sealed.read_bytes()
    with sealed.open("rb") as file:
        description = json.loads(read_header(file, size=len(data), name="it").description)
    assert description.pop("temperature") == 1.0
    older = tmp_path / "older.safetensors"
    older.write_bytes(encode(json.dumps(description), safetensors.numpy.load(data)))
    loaded = model.load(older)
    assert loaded.temperature == 1.0
    scores = loaded.scores(pictures(9)).double()
    np.testing.assert_array_equal(loaded.predict(pictures(9)).probabilities, scores.softmax(1).float().numpy())


@given(
    arrays(np.float32, (5, 4), elements=st.floats(-50, 50, width=32) | st.sampled_from([0.0, 1.0, 1.0000001])),
    st.floats(0.05, 20),
)
def test_the_likeliest_class_is_that_of_the_highest_score(scores: np.ndarray, temperature: float) -> None:
    powers = np.exp((scores.astype(np.float64) - scores.max(axis=1, keepdims=True)) / temperature)
    rounded = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    found = keep_likeliest(rounded, scores)
    np.testing.assert_array_equal(found.argmax(axis=1), scores.argmax(axis=1))
    np.testing.assert_allclose(found, rounded, rtol=2e-7, atol=1e-44)


def test_rounding_hides_no_highest_score() -> None:
    scores = np.array([[1.0, 1.0000001], [1.0, 1.0], [2.0, 1.0]], np.float32)
    rounded = np.array([[0.5, 0.5], [0.5, 0.5], [0.7, 0.3]], np.float32)
    found = keep_likeliest(rounded, scores)
    assert found.argmax(axis=1).tolist() == [1, 0, 0]
    assert (found[1:] == rounded[1:]).all()
    assert found[0, 1] == np.nextafter(np.float32(0.5), np.float32(1))
