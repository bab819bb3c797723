"""How many seeds are enough, against statsmodels and on simulated comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from sightline.statistics.chance import t_test
from sightline.statistics.power import power, seeds_needed


@pytest.mark.parametrize("effect", [0.0, 0.2, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_power_is_that_of_statsmodels(effect, seeds, level) -> None:
    wanted = TTestPower().power(effect, seeds, level)
    if np.isfinite(wanted):  # which it is not for large effects
        assert power(effect, seeds, level=level) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("effect", "seeds", "level"), [(5.0, 3, 0.0125), (5.0, 20, 0.0125), (50.0, 2, 0.05)])
def test_power_of_large_effects_is_what_is_found_in_simulations(effect, seeds, level) -> None:
    drawn = np.random.default_rng(0).normal(effect, 1.0, size=(3000, seeds))
    found = np.mean([t_test(each) < level for each in drawn])
    assert power(effect, seeds, level=level) == pytest.approx(found, abs=4 * (0.25 / 3000) ** 0.5)


@pytest.mark.parametrize("effect", [0.1, 0.33, 1.0, 3.0])
def test_so_many_seeds_are_enough_and_one_less_is_not(effect) -> None:
    found = seeds_needed(effect, level=0.05, wanted=0.8)
    assert power(effect, found, level=0.05) >= 0.8
    assert found == 2 or power(effect, found - 1, level=0.05) < 0.8


def test_an_effect_that_is_not_there_needs_more_seeds_than_anybody_has() -> None:
    assert seeds_needed(0.0, level=0.05, wanted=0.8) is None
    assert seeds_needed(0.01, level=0.05, wanted=0.8) is None


@pytest.mark.parametrize("effect", [0.7, 1.5])
def test_with_so_many_the_effect_is_found_as_often_as_promised(effect) -> None:
    count = seeds_needed(effect, level=0.05, wanted=0.8)
    drawn = np.random.default_rng(1).normal(effect, 1.0, size=(3000, count))
    found = np.mean([t_test(each) < 0.05 for each in drawn])
    assert abs(found - power(effect, count, level=0.05)) < 4 * (0.25 / 3000) ** 0.5
    assert found > 0.77
