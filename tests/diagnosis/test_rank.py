"""How many directions units use, where that is known."""

import numpy as np
import pytest
import torch

from sightline.diagnosis.rank import used_share


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_directions_of_units_that_are_sums_of_a_few(rank):
    generator = np.random.default_rng(0)
    basis, _ = np.linalg.qr(generator.normal(size=(16, rank)))
    units = basis @ generator.normal(size=(rank, 5000)) + 7.0
    assert used_share(torch.from_numpy(units).float()) == rank / 16


def test_units_that_do_not_vary_use_nothing():
    assert used_share(torch.full((4, 100), 3.0)) == 0.0


def test_against_numpy():
    generator = np.random.default_rng(1)
    units = generator.normal(size=(12, 1500)) * np.geomspace(1, 0.001, 12)[:, None]
    values = np.sort(np.linalg.eigvalsh(np.cov(units)))[::-1]
    wanted = int(np.searchsorted(np.cumsum(values) / values.sum(), 0.99) + 1)
    assert used_share(torch.from_numpy(units).float()) == wanted / 12
