"""A budget holds as many epochs as fit, with all that is around them, and not one more."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import RecipeError
from sightline.recipe.training import Training
from sightline.training.budget import (
    KEPT,
    MOST_EPOCHS,
    Costs,
    epochs_within,
    seconds_in_parts,
    seconds_per_step,
    share_of_work,
)
from sightline.training.growing import share_of_side

seconds = st.floats(1e-4, 10.0)
counts = st.integers(1, 5000)


def growing(epoch: int, epochs: int) -> float:
    return share_of_side(epoch, epochs, smallest=0.5, whole_from=0.6) ** 2


@settings(deadline=None)
@given(
    minutes=st.floats(0.5, 60.0), step=st.floats(1e-2, 10.0), judging=st.floats(1e-6, 0.01), spent=seconds,
    ending=seconds, training=counts, validation=counts, judged=counts, grows=st.booleans(),
)  # fmt: skip
def test_so_many_fit_and_one_more_does_not(
    minutes, step, judging, spent, ending, training, validation, judged, grows
) -> None:
    side = growing if grows else None

    def taken(epochs: int) -> float:
        steps = -(-training // 32)
        return (
            spent
            + steps * step * (sum(side(e, epochs) for e in range(1, epochs + 1)) if side else epochs)
            + (validation * epochs + judged) * judging
            + ending
        )

    costs = Costs(step, judging, spent, ending)
    allowed = (1.0 - KEPT) * 60 * minutes
    sizes = {"batch_size": 32, "training": training, "validation": validation, "judged": judged}
    if taken(1) > allowed:
        with pytest.raises(RecipeError, match="one epoch and what is around it"):
            epochs_within(minutes, costs, **sizes, **({"share_of_work": side} if side else {}))
        return
    found = epochs_within(minutes, costs, **sizes, **({"share_of_work": side} if side else {}))
    assert taken(found) <= allowed * (1 + 1e-9)
    assert found == MOST_EPOCHS or taken(found + 1) > allowed * (1 - 1e-9)


@pytest.mark.parametrize(("spent", "ending"), [(50.0, 0.0), (0.0, 50.0)])
def test_what_is_spent_and_what_comes_after_leave_less(spent, ending):
    sizes = {"batch_size": 10, "training": 100, "validation": 0, "judged": 0}
    assert epochs_within(1.0, Costs(0.1, 0.0, 0.0, 0.0), **sizes) == 57
    assert epochs_within(1.0, Costs(0.1, 0.0, spent, ending), **sizes) == 7


def test_pictures_that_grow_buy_more_epochs():
    sizes = {"batch_size": 10, "training": 100, "validation": 0, "judged": 0}
    costs = Costs(0.1, 0.0, 0.0, 0.0)
    assert epochs_within(1.0, costs, **sizes, share_of_work=growing) > 1.3 * epochs_within(1.0, costs, **sizes)


def test_steps_are_measured_after_a_warm_up():
    calls = []
    assert 0 < seconds_per_step(lambda: calls.append(1), minutes=0.01) < 0.1
    assert len(calls) > 4


@pytest.mark.parametrize(("parts", "wanted"), [(2, {2}), (4, {4}), (14, {1, 4})])
def test_of_a_step_in_many_parts_only_some_are_measured(parts, wanted):
    asked = []

    def step(count: int) -> None:
        asked.append(count)
        time.sleep(0.004 + 0.002 * count)

    found = seconds_in_parts(step, parts, minutes=0.01)
    assert set(asked) == wanted
    # Sleeping takes longer than asked for, never less.
    assert 0.8 * (0.004 + 0.002 * parts) < found < 5 * (0.004 + 0.002 * parts)


def test_a_step_in_many_parts_is_never_as_short_as_one_that_was_measured_slowly():
    """Something else had the machine while one part was timed, so that four seem to take no longer."""
    found = seconds_in_parts(lambda count: time.sleep(0.012), 13, minutes=0.01)
    assert found > 0.012 + 12 * 0.006 / 3


def test_two_epochs_may_fit_where_one_would_not():
    """One has whole pictures, two begin with small ones."""
    sizes = {"batch_size": 10, "training": 1000, "validation": 0, "judged": 0}
    chosen = Training(smallest_size=0.3, whole_from=0.9)

    def work(epoch: int, epochs: int) -> float:
        return share_of_work(chosen, epoch, epochs)

    assert work(1, 2) + work(2, 2) < work(1, 1)
    assert epochs_within(1.0, Costs(0.7, 0.0, 0.0, 0.0), **sizes, share_of_work=work) == 2
    with pytest.raises(RecipeError, match="two epochs and what is around it"):
        epochs_within(1.0, Costs(1.2, 0.0, 0.0, 0.0), **sizes, share_of_work=work)


def test_smaller_and_fewer_pictures_are_less_work():
    chosen = Training(smallest_size=0.5, whole_from=0.5, easy_left_out=0.4, easy_left_out_until=0.8)
    found = [share_of_work(chosen, epoch, 10) for epoch in range(1, 11)]
    sides = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1, 1]
    assert found == pytest.approx([side**2 * (0.8 if 1 < e <= 8 else 1) for e, side in enumerate(sides, 1)])
    assert [share_of_work(Training(), epoch, 3) for epoch in (1, 2, 3)] == [1, 1, 1]
