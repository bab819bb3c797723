"""Compiled training steps are repeated, and go on, to the same bits, whatever a process has compiled first."""

from __future__ import annotations

import shutil

import pytest
import torch

from sightline.training.assembly import assemble
from sightline.training.batches import batches
from sightline.training.bench_compiled import compiled, shapes
from sightline.training.compiling import COMPILERS

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C++ compiler, which torch needs")


@pytest.fixture(autouse=True)
def _nothing_compiled_before(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))


@needs_compiler
@pytest.mark.slow  # compiling takes about a minute
def test_a_compiled_training_goes_on_to_the_same_bits(prepared_with, exactly, tmp_path):
    """It goes on with the last batch of an epoch, which is smaller: the first that this process compiles for."""
    prepared = prepared_with(training__compile=True, training__epochs=2, training__batch_size=20)
    session = exactly.begun(prepared, tmp_path / "whole")
    steps = session.steps_per_epoch()
    assert len(prepared.split.train) % steps, "all batches are of one size"
    whole = exactly.finish(session)

    _forget()
    stopped = exactly.begun(prepared, tmp_path / "run")
    for _ in stopped.events(stop=lambda: stopped.state.step >= steps - 1):
        pass
    _forget()
    exactly.assert_same(exactly.finish(exactly.going_on(prepared, tmp_path / "run")), whole)


def _forget() -> None:
    """Bring torch's compiler to where it is when a process begins."""
    torch._dynamo.reset()


@needs_compiler
@pytest.mark.slow
def test_what_compiling_gains_is_measured(prepared_with, tmp_path):
    """It pays when as much time was gained by steps as compiling took."""
    prepared = prepared_with(training__batch_size=20)
    found = compiled(prepared, tmp_path, seconds=0.1)
    assert found.shapes == 2
    assert found.seconds > 0.5
    assert found.times_as_fast > 0
    if found.times_as_fast > 1:
        gained = 60.0 * found.pays_after_minutes * (1.0 - 1.0 / found.times_as_fast)
        assert gained == pytest.approx(2 * found.seconds)
    else:
        assert found.pays_after_minutes is None


@pytest.mark.parametrize(
    "choices",
    [
        {"training__batch_size": 16},
        {"training__batch_size": 20},
        {"training__batch_size": 40, "training__gradient_accumulation": 3},
        {
            "network": "swift",
            "network__width": 4,
            "data__image_size": 16,
            "training__smallest_size": 0.7,
            "training__epochs": 8,
        },
    ],
)
def test_sizes_of_inputs_are_those_that_steps_have(choices, prepared_with, tmp_path):
    prepared = prepared_with(**choices)
    session = assemble(prepared, prepared.resolved, tmp_path)
    course, split = session.feed.course, prepared.split.train
    steps = session.steps_per_epoch()
    seen = {
        tuple(shard.inputs.shape)
        for epoch in range(1, course.epochs + 1)
        for records in batches(split, prepared.catalogue.keys[split], steps=steps, seed=0, epoch=epoch)
        for shard in session.feed.load(epoch, records)
    }
    assert shapes(session) == len(seen)
