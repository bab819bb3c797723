"""A training with a time budget ends in time on a machine whose speed changes, which is simulated here step by step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.recipe.training import Training
from sightline.training.budget import Costs, epochs_within, share_of_work
from sightline.training.course import Course
from sightline.training.pace import AIM, LATEST, Pace

PICTURES, BATCH, VALIDATION, JUDGED = 1000, 50, 100, 300
STEP, JUDGING, FIXED, ENDING = 0.05, 0.0002, 0.2, 0.5
PER_EPOCH = PICTURES // BATCH


def simulated(
    minutes: float, training: Training, slowness: Callable[[float], float], *, kept: float = 1.0
) -> tuple[Course, float, list[int]]:
    """Train on a clock that is moved by hand.

    Args:
        minutes: the budget.
        training: whether pictures grow or are left out.
        slowness: times as long as measured, by the share of the budget that is over.
        kept: share of the pictures in epochs that leave out easy ones.

    Returns:
        The course that it took, the share of the budget in the end, and the steps after which it was planned anew.
    """
    costs = Costs(STEP, JUDGING, spent=1.0, ending=ENDING, fixed=FIXED)
    epochs = epochs_within(
        minutes, costs, batch_size=BATCH, training=PICTURES, validation=VALIDATION, judged=JUDGED,
        share_of_work=lambda epoch, epochs: share_of_work(training, epoch, epochs, fixed=FIXED),
    )  # fmt: skip
    now = [1.0]

    def passes(seconds: float) -> None:
        now[0] += seconds * slowness(now[0] / 60.0 / minutes)

    course = Course(epochs, PER_EPOCH)
    pace = Pace(0.0, minutes, training, costs, BATCH, VALIDATION, JUDGED, clock=lambda: now[0])
    step, decided = 0, []
    while step < course.steps:
        epoch = step // PER_EPOCH + 1
        pace.begin()
        for _ in range(min(PER_EPOCH, course.steps - step)):
            place = course.planned_epoch(epoch)
            leaves_out = training.easy_left_out > 0 and 1 < place <= training.easy_left_out_until * epochs
            share = kept if leaves_out else 1.0
            plain = training.model_copy(update={"easy_left_out": 0.0})
            passes(STEP * share * share_of_work(plain, place, epochs, fixed=FIXED))
            step += 1
            pace.step(course, epoch, round(share * BATCH))
            if (steps := pace.wanted(course, step)) is not None:
                course.replan(step, steps)
                decided.append(step)
            if step >= course.steps:
                break
        passes(VALIDATION * JUDGING)
    passes(JUDGED * JUDGING + ENDING)
    return course, now[0] / 60.0 / minutes, decided


GROWING = Training(smallest_size=0.6, whole_from=0.5, easy_left_out=0.5)
KINDS = {"plain": (Training(), 1.0), "growing": (GROWING, 0.75)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slowness", [0.7, 1.0, 1.02])
def test_at_the_speed_that_was_measured_or_faster_nothing_is_planned_anew(kind: str, slowness: float) -> None:
    training, kept = KINDS[kind]
    course, share, decided = simulated(2.0, training, lambda _: slowness, kept=kept)
    assert not decided
    assert course.steps == course.planned_steps
    assert share < LATEST


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(sorted(KINDS)), since=st.floats(0.0, 0.85), times=st.floats(1.3, 8.0),
    minutes=st.floats(1.0, 10.0),
)  # fmt: skip
def test_one_that_becomes_slower_ends_in_time_all_the_same(kind, since, times, minutes) -> None:
    training, kept = KINDS[kind]
    course, share, decided = simulated(minutes, training, lambda over: times if over >= since else 1.0, kept=kept)
    assert share <= 1.05
    # Whatever is ahead is used: at most the aim is missed by a step, the judging after it and a share of what is left.
    assert share >= AIM - 0.08
    if decided:
        assert course.planned_step(course.steps - 1) == pytest.approx(course.planned_steps - 1)


def test_a_machine_that_is_slow_for_a_while_gives_the_steps_back() -> None:
    slow = simulated(5.0, Training(), lambda over: 3.0 if over >= 0.3 else 1.0)[0]
    course, share, decided = simulated(5.0, Training(), lambda over: 3.0 if 0.3 <= over < 0.5 else 1.0)
    assert len(decided) > 1
    assert slow.steps < course.steps < course.planned_steps
    assert 0.9 < share <= 1.0


def test_after_the_last_step_of_an_epoch_it_is_still_to_be_judged() -> None:
    """Ten epochs of two steps: after the sixth step eight judgings of half a second are left, the third among them."""
    costs = Costs(step=1.0, judging=0.005, spent=0.0, ending=0.25)
    pace = Pace(0.0, 1.0, Training(), costs, BATCH, VALIDATION, 0, clock=lambda: 0.0)
    course = Course(10, 2)
    assert pace._ahead(course, 6, 20) == pytest.approx(14 * 1.0 + 8 * 0.5 + 0.25)
    assert pace._ahead(course, 7, 20) == pytest.approx(13 * 1.0 + 7 * 0.5 + 0.25)


def test_the_first_steps_of_a_process_may_be_slow() -> None:
    slow = iter([60.0] * 3)
    course, _, decided = simulated(5.0, Training(), lambda _: next(slow, 1.0))
    assert not decided
    assert course.steps == course.planned_steps


def test_a_pause_of_one_step_is_not_taken_for_a_slow_machine() -> None:
    pauses = iter([1.0] * 30 + [30.0])
    course, _, decided = simulated(5.0, Training(), lambda _: next(pauses, 1.0))
    assert not decided
    assert course.steps == course.planned_steps
