"""What the tests of comparisons train on."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Three hundred handwritten digits in three classes."""
    loaded = load_digits()
    return (loaded.images[:300] * 255 / 16).round().astype(np.uint8), loaded.target[:300] % 3
