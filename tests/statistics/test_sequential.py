"""Stopping early errs as rarely as not stopping early, and clear cases take few seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sightline.statistics.chance import t_test
from sightline.statistics.sequential import nominal_levels, spent


def test_boundaries_are_the_published_ones() -> None:
    """Five equal looks at 0.05: 4.877, 3.357, 2.680, 2.290, 2.031 (Jennison and Turnbull; R's ldbounds)."""
    found = stats.norm.isf(np.array(nominal_levels((1, 2, 3, 4, 5), level=0.05)) / 2)
    assert found == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=2e-3)


def test_a_single_look_is_the_plain_test() -> None:
    assert nominal_levels((7,), level=0.03) == pytest.approx([0.03])


def test_all_is_spent_in_the_end() -> None:
    assert spent(1.0, level=0.05) == pytest.approx(0.05)
    assert spent(0.2, level=0.05) < 1e-4


@pytest.mark.parametrize("looks", [(3, 4, 5), (3, 4, 5, 6, 7, 8), (4, 8, 12, 16, 20)])
def test_of_arms_that_are_the_same_few_are_called_different(looks) -> None:
    """8,000 comparisons, normally distributed: at most 5 % and four standard errors."""
    levels = nominal_levels(looks, level=0.05)
    drawn = np.random.default_rng(len(looks)).normal(size=(8000, looks[-1]))
    p_values = np.array([[t_test(each[:count]) for count in looks] for each in drawn])
    wrong = (p_values < np.array(levels)).any(axis=1).mean()
    assert wrong < 0.05 + 4 * (0.05 * 0.95 / 8000) ** 0.5
    assert wrong > 0.02


def test_clear_cases_take_few_seeds() -> None:
    looks = tuple(range(3, 11))
    levels = nominal_levels(looks, level=0.05)
    drawn = np.random.default_rng(2).normal(6.0, 1.0, size=(300, 10))
    taken = [
        next(count for count, level in zip(looks, levels, strict=True) if t_test(d[:count]) < level) for d in drawn
    ]
    assert np.mean(taken) < 6
