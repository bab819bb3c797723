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


@pytest.mark.parametrize("places", [5, 16, 64])
def test_units_that_say_different_things_are_all_used_however_few_places_were_seen(places):
    units = np.random.default_rng(0).normal(size=(64, places))
    assert used_share(torch.from_numpy(units).float()) > 0.7


@pytest.mark.parametrize("units", [torch.full((4, 9), float("inf")), torch.ones(4, 1)])
def test_of_what_is_no_number_or_one_place_nothing_is_said(units):
    assert np.isnan(used_share(units))


def test_numbers_whose_squares_float32_does_not_hold():
    units = np.random.default_rng(0).normal(size=(6, 200)) * 1e30
    assert used_share(torch.from_numpy(units).float()) == 1.0


def test_against_numpy():
    generator = np.random.default_rng(1)
    units = generator.normal(size=(12, 1500)) * np.geomspace(1, 0.001, 12)[:, None]
    values = np.sort(np.linalg.eigvalsh(np.cov(units)))[::-1]
    wanted = int(np.searchsorted(np.cumsum(values) / values.sum(), 0.99) + 1)
    assert used_share(torch.from_numpy(units).float()) == wanted / 12
