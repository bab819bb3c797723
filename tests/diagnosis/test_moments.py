"""Which steps are probed."""

from hypothesis import given
from hypothesis import strategies as st

from sightline.diagnosis.moments import probed, rounded


def test_the_first_steps_that_are_probed():
    assert [step for step in range(1, 501) if probed(step, 500)] == [1, 4, 16, 64, 200, 400]


@given(st.integers(1, 5000))
def test_never_more_than_a_few_and_one_in_two_hundred(steps):
    found = sum(probed(step, steps) for step in range(1, steps + 1))
    assert 1 <= found <= 4 + steps / 200


@given(st.integers(10_000, 10**9))
def test_of_a_long_training_about_fifty_are_probed(steps):
    every = max(200, -(-steps // 50))
    assert sum(probed(step, steps) for step in range(every, steps + 1, every)) in (49, 50)
    assert not probed(every + 1, steps)


def test_what_json_cannot_hold_is_left_out():
    assert rounded(float("inf")) is None
    assert rounded(1.23456789) == 1.2346
