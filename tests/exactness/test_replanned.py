"""A training whose time budget was planned anew on a slow machine is repeated, and goes on, to the same bits."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import pytest

from sightline.errors import TrainingError
from sightline.recipe import read_recipe, write_recipe
from sightline.training import Replanned, directory, prepare, survey
from sightline.training.budget import Costs
from sightline.training.pace import Pace
from sightline.training.resume import resume

SLOW_FROM = 10
KINDS = {
    "plain": {},
    "growing, easy left out": {
        "network": "swift",
        "network__widths": [6, 8],
        "training__smallest_size": 0.6,
        "training__easy_left_out": 0.5,
    },
}


def paced(session, *, slow: float) -> None:
    """Give a training a budget, on a clock of which a step takes a second, and more from the tenth on."""

    def clock() -> float:
        return min(session.state.step, SLOW_FROM) + slow * max(0, session.state.step - SLOW_FROM)

    training = len(session.prepared.split.train)
    costs = Costs(step=1.0, judging=0.0, spent=0.0, ending=0.0, fixed=1.0)
    per_step = training / session.steps_per_epoch()
    session.pace = Pace(0.0, 0.6, session.recipe.training, costs, per_step, 0, 0, clock=clock)


def stopped(exactly, prepared, path, step: int) -> list:
    """Train on the slow machine until a step, and return what was told."""
    session = exactly.begun(prepared, path)
    paced(session, slow=5.0)
    return list(session.events(stop=lambda: session.state.step >= step))


def last_decided(path) -> int:
    """Return the step after which a training was planned anew last."""
    return read_recipe(path / directory.RECIPE).training.replanned[-1][0]


@pytest.fixture(scope="module", params=KINDS)
def slow(request, prepared_with, exactly, tmp_path_factory):
    """A training that was planned anew, undisturbed but for that, and how it was made."""
    prepared = prepared_with(**KINDS[request.param])
    path = tmp_path_factory.mktemp("whole")
    session = exactly.begun(prepared, path)
    paced(session, slow=5.0)
    return prepared, path, exactly.finish(session)


def test_it_ends_earlier_with_the_end_of_its_schedule(slow):
    prepared, path, _ = slow
    planned = 3 * -(-len(prepared.split.train) // 16)
    lines = [json.loads(line) for line in (path / directory.EVENTS).read_text().splitlines()]
    (first, *_) = decided = [line for line in lines if line["event"] == "replanned"]
    epochs = [line for line in lines if line["event"] == "epoch"]
    assert first["step"] > SLOW_FROM
    assert first["planned"] == planned
    assert epochs[-1]["step"] == decided[-1]["steps"] < planned
    assert epochs[-1]["learning_rate"] < 0.1 * epochs[0]["learning_rate"]
    assert len(epochs) == decided[-1]["epochs"]
    recipe = read_recipe(path / directory.RECIPE)
    assert recipe.training.replanned == tuple((line["step"], line["steps"], planned) for line in decided)
    assert "slower than what was measured" in (path / directory.RECIPE).read_text()


def test_steps_that_are_given_back_are_taken(prepared_with, digits, exactly, tmp_path):
    """Slow from the fifth step to the ninth; the recipe repeats what was decided either way."""
    prepared = prepared_with(training__epochs=6)
    session = exactly.begun(prepared, tmp_path / "given back")
    paced(session, slow=1.0)
    session.pace.minutes, step = 0.9, session.state

    session.pace.clock = lambda: step.step + 5.0 * min(max(step.step - 5, 0), 4)
    wanted = exactly.finish(session)
    decided = session.recipe.training.replanned
    assert any(later > earlier for (_, earlier, _), (_, later, _) in pairwise(decided))
    again = prepare(survey(digits, read_recipe(tmp_path / "given back" / directory.RECIPE)))
    assert exactly.finish(exactly.begun(again, tmp_path / "again")).state == wanted.state


def test_at_full_speed_nothing_is_changed(slow, exactly, tmp_path):
    prepared, _, _ = slow
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "plain"))
    session = exactly.begun(prepared, tmp_path / "paced")
    paced(session, slow=1.0)
    exactly.assert_same(exactly.finish(session), wanted)


def test_its_recipe_repeats_it(slow, digits, exactly, tmp_path):
    _, path, wanted = slow
    again = prepare(survey(digits, read_recipe(path / directory.RECIPE)))
    found = exactly.finish(exactly.begun(again, tmp_path / "again"))
    assert found.state == wanted.state
    # Who asked for what, and what the start of the log says of it, differ.
    assert found.log.splitlines()[1:-1] == wanted.log.splitlines()[1:-1]


def test_stopped_after_it_was_planned_anew_it_goes_on_to_the_same_bits(slow, digits, exactly, tmp_path):
    prepared, path, wanted = slow
    decided = last_decided(path)
    for stop in (decided, decided + 1):
        told = stopped(exactly, prepared, tmp_path / str(stop), stop)
        assert any(isinstance(event, Replanned) for event in told)
        resume(tmp_path / str(stop), digits)
        found = (tmp_path / str(stop) / directory.EVENTS).read_bytes()
        assert found == wanted.log
        assert (tmp_path / str(stop) / directory.MODEL).read_bytes() == wanted.model


def test_killed_after_the_decision_and_before_a_checkpoint_it_takes_the_same_steps(slow, digits, exactly, tmp_path):
    """What is on the disk then: the checkpoint of a step before, and the recipe that has the decision."""
    prepared, path, wanted = slow
    stopped(exactly, prepared, tmp_path / "killed", SLOW_FROM - 1)
    shutil.copy(path / directory.RECIPE, tmp_path / "killed")
    resume(tmp_path / "killed", digits)
    assert (tmp_path / "killed" / directory.EVENTS).read_bytes() == wanted.log
    assert (tmp_path / "killed" / directory.MODEL).read_bytes() == wanted.model


def test_with_other_pictures_what_was_decided_counts_no_more(slow, digits, exactly, tmp_path):
    prepared, path, _ = slow
    stopped(exactly, prepared, tmp_path / "stopped", last_decided(path))
    images, labels = digits
    fewer = (images[: 2 * len(images) // 3], labels[: 2 * len(labels) // 3])
    run = resume(tmp_path / "stopped", fewer, allow_different=True)
    assert run.recipe().training.replanned == ()
    assert [event["epoch"] for event in run.events() if event["event"] == "epoch"] == [1, 2, 3]


def test_what_was_decided_cannot_be_taken_back(slow, digits, exactly, tmp_path):
    prepared, path, _ = slow
    stopped(exactly, prepared, tmp_path / "stopped", last_decided(path))
    write_recipe(tmp_path / "stopped" / directory.RECIPE, prepared.resolved.recipe, {})
    with pytest.raises(TrainingError, match="decided about its steps"):
        resume(tmp_path / "stopped", digits)
