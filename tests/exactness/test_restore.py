"""A state that was put back after any step takes the next one as the training itself did, bit for bit.

Where the whole state is the same after each single step, it is the same after all of them.
"""

import pytest

from sightline.training import StepEnd, checkpoint
from sightline.training.assembly import assemble
from sightline.training.checkpoint import put_back, taken

STEPS = 30
RULES = ("sgd", "momentum", "nesterov", "rmsprop", "adadelta", "adam", "adamw", "muon")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "linear", "triangular")
QUICK = {("sgd", "constant"), ("momentum", "step"), ("adam", "one_cycle"), ("adamw", "cosine"), ("muon", "linear")}


def bits(state) -> tuple[dict[str, bytes], str]:
    now = taken(state, {})
    return {name: array.tobytes() for name, array in now.tensors.items()}, repr(sorted(now.about["state"].items()))


def next_step(session) -> StepEnd:
    """Take one step without log and checkpoints, as the training does."""
    with session.numerics():
        return next(event for event in session._train() if isinstance(event, StepEnd))


@pytest.mark.parametrize(
    ("rule", "schedule"),
    [
        pytest.param(rule, schedule, marks=() if (rule, schedule) in QUICK else pytest.mark.slow)
        for rule in RULES
        for schedule in SCHEDULES
    ],
)
def test_put_back_after_every_step(rule, schedule, prepared_with, tmp_path):
    choices = {"optimizer": rule, "schedule": schedule, "training.epochs": 5, "training.weight_averaging": 0.9}
    prepared = prepared_with(**{key.replace(".", "__"): value for key, value in choices.items()})
    session = assemble(prepared, prepared.resolved, tmp_path)
    steps, wanted, states = [], [bits(session.state)], [taken(session.state, {})]
    with session.numerics():
        for event in session._train():
            if isinstance(event, StepEnd):
                steps.append(event)
                wanted.append(bits(session.state))
                states.append(taken(session.state, {}))
                if len(steps) == STEPS:
                    break
    assert 3 * session.steps_per_epoch() < STEPS
    for number, state in enumerate(states[:-1]):
        again = assemble(prepared, prepared.resolved, tmp_path)
        path = tmp_path / "state.safetensors"
        checkpoint.store(path, state)
        put_back(checkpoint.read(path), again.state)
        assert bits(again.state) == wanted[number]
        assert next_step(again) == steps[number]
        assert bits(again.state) == wanted[number + 1]
