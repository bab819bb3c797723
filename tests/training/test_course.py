"""A training that was cut short passes through what was left of its plan, to the end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.training.course import Course, course_of


@st.composite
def courses(draw: st.DrawFn) -> Course:
    course = Course(draw(st.integers(1, 12)), draw(st.integers(1, 9)))
    for _ in range(draw(st.integers(0, 3))):
        before = course.replanned[-1][0] if course.replanned else 0
        if before + 1 >= course.steps:
            break
        after = draw(st.integers(before + 1, course.steps - 1))
        course.replan(after, draw(st.integers(after + 1, course.planned_steps)))
    return course


@given(courses())
def test_it_begins_at_the_plans_first_step_and_ends_at_its_last(course: Course) -> None:
    places = [course.planned_step(step) for step in range(course.steps)]
    assert places[0] == 0.0 or course.steps == 1
    assert places[-1] == pytest.approx(course.planned_steps - 1)
    assert (np.diff(places) >= 0).all()
    assert max(places) <= course.planned_steps - 1
    assert course.ends * course.steps_per_epoch >= course.steps > (course.ends - 1) * course.steps_per_epoch


@given(courses())
def test_what_was_decided_later_does_not_reach_back(course: Course) -> None:
    for number, (after, _) in enumerate(course.replanned):
        earlier = Course(course.epochs, course.steps_per_epoch, course.as_written[:number])
        for step in range(after):
            assert course.planned_step(step) == earlier.planned_step(step)


@given(courses())
def test_between_decisions_it_goes_in_even_strides(course: Course) -> None:
    """NumPy's interpolation between where each decision was taken and the end that was then decided on."""
    begun, stood, end = 0, 0.0, course.planned_steps
    for after, steps in (*course.replanned, (None, None)):
        until = end if after is None else after + 1
        knots = ([begun, end - 1], [stood, course.planned_steps - 1])
        for step in range(begun, until):
            wanted = np.interp(step, *knots) if end - 1 > begun else knots[1][1]
            if step < (end if after is None else after):
                assert course.planned_step(step) == pytest.approx(wanted)
        if after is not None:
            stood = float(np.interp(after, *knots))
            begun, end = after, steps


def test_a_plan_that_was_kept_is_exact() -> None:
    course = Course(7, 13)
    assert [course.planned_step(step) for step in range(91)] == list(range(91))
    assert [course.planned_epoch(epoch) for epoch in range(1, 8)] == list(range(1, 8))
    assert (course.steps, course.ends) == (91, 7)


def test_an_epoch_stands_where_its_first_step_does() -> None:
    course = Course(10, 10, [(40, 70, 100)])
    # 30 steps for the 60 that were left: the sixth epoch begins with step 50 of 40 … 69, a third of the way.
    assert course.planned_epoch(5) == 5.0
    assert course.planned_epoch(6) == pytest.approx(1 + (40 + 10 * 59 / 29) / 10)
    assert course.ends == 7


@pytest.mark.parametrize(
    "replanned", [[(100, 101, 100)], [(5, 101, 100)], [(5, 50, 100), (60, 70, 100)], [(5, 50, 90)], [(5, 50, 110)]]
)
def test_one_that_does_not_fit_is_refused(replanned) -> None:
    with pytest.raises(RecipeError, match=r"training\.replanned: found \[.*this one has 100 steps"):
        Course(10, 10, replanned)


def test_a_recipe_has_its_course() -> None:
    chosen = apply_overrides(
        Recipe(), {"training.epochs": 4, "training.batch_size": 16, "training.replanned": [[3, 20, 28]]}
    )
    found = course_of(chosen, 100)
    assert (found.epochs, found.steps_per_epoch, found.steps, found.planned_steps) == (4, 7, 20, 28)


@pytest.mark.parametrize(
    ("replanned", "says"),
    [
        ([[5, 5, 9]], r"wanted 0 < first number < second number"),
        ([[5, 9, 8]], r"second number ≤ third number"),
        ([[5, 9, 9], [4, 8, 9]], r"found \[4, 8, 9\]; wanted 5 <"),
    ],
)
def test_a_recipe_says_what_is_wrong_with_it(replanned, says) -> None:
    with pytest.raises(RecipeError, match=says):
        apply_overrides(Recipe(), {"training.epochs": 4, "training.replanned": replanned})


def test_it_needs_a_number_of_epochs() -> None:
    with pytest.raises(RecipeError, match="replanned with epochs auto"):
        apply_overrides(Recipe(), {"training.replanned": [[5, 9, 10]]})
