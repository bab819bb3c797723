"""The rate is a pure function of the step, with the stated first, highest and last values."""

from __future__ import annotations

from typing import get_args

import pytest

from sightline.errors import RecipeError
from sightline.optimization import rate
from sightline.recipe import optimizer as recipe

SECTIONS = get_args(get_args(recipe.Schedule)[0])


def rates(schedule: recipe.Schedule, *, steps: int = 100, per_epoch: int = 10, base: float = 0.5) -> list[float]:
    return [rate(schedule, base=base, step=s, total_steps=steps, steps_per_epoch=per_epoch) for s in range(steps)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
@pytest.mark.parametrize("warmup", [0.0, 0.5, 3.0])
def test_rates_are_positive_and_never_above_the_base(section: type[recipe.Schedule], warmup: float) -> None:
    for steps in (1, 2, 3, 100) if warmup == 0 else (100,):
        found = rates(section(warmup_epochs=warmup), steps=steps)
        assert all(0 <= value <= 0.5 for value in found)
        assert max(found) > 0


def test_first_highest_and_last() -> None:
    assert set(rates(recipe.Constant())) == {0.5}
    cosine = rates(recipe.Cosine(final=0.1))
    assert (cosine[0], cosine[-1]) == pytest.approx((0.5, 0.05))
    cycle = rates(recipe.OneCycle(rise=1 / 3), steps=100)
    assert (cycle[0], cycle[33], cycle[-1]) == pytest.approx((0.02, 0.5, 5e-5))
    assert cycle.index(max(cycle)) == 33


def test_step_drops_at_the_stated_shares() -> None:
    found = rates(recipe.Step(at=(0.3, 0.6), factor=0.5), steps=11, base=1.0)
    assert found == [1.0] * 3 + [0.5] * 3 + [0.25] * 5


def test_a_fractional_warm_up_is_rounded_to_steps() -> None:
    found = rates(recipe.Constant(warmup_epochs=0.4), base=1.0)
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_warm_up_without_end_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"schedule\.warmup_epochs: found 10 .* training of 10 epochs"):
        rates(recipe.Cosine(warmup_epochs=10))


@pytest.mark.parametrize("step", [-1, 100])
def test_a_step_outside_the_training_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match="outside a training of 100 steps"):
        rate(recipe.Constant(), base=0.1, step=step, total_steps=100, steps_per_epoch=10)
