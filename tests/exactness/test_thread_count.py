"""A training has as many threads as it is fastest with, never more than the system allows, and its recipe says so."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sightline import processors
from sightline.recipe import Recipe, apply_overrides, read_recipe
from sightline.training import directory, prepare, survey
from sightline.training.thread_count import ENOUGH_FASTER, fastest, measured


@given(st.integers(1, 256), st.data())
def test_threads_are_doubled_as_long_as_that_is_faster(most: int, data: st.DataObject) -> None:
    times = {most >> halvings: data.draw(st.floats(0.01, 10.0)) for halvings in range(most.bit_length())}
    chosen, found = fastest(times.__getitem__, most)
    ladder = sorted(times)
    assert ladder[0] == 1
    assert list(found) == ladder[: len(found)]
    gains = [times[many] <= ENOUGH_FASTER * times[few] for few, many in pairwise(ladder)]
    assert chosen == ladder[gains.index(False) if False in gains else -1]
    assert len(found) == (len(ladder) if all(gains) else gains.index(False) + 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds processes to processors")
def test_no_more_processors_are_counted_than_the_process_is_bound_to() -> None:
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
    code += "from sightline import processors; print(processors.allowed())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "1\n"


def test_a_budget_finds_that_fewer_threads_are_faster(digits, tmp_path, exactly, monkeypatch) -> None:
    """The system says that there are far more processors than there are; what was found is in the run's recipe."""
    monkeypatch.setattr(processors, "allowed", lambda: 64 * len(os.sched_getaffinity(0)))
    choices = {"network": "lenet", "training.time_budget_minutes": 1}
    session = exactly.begun(prepare(survey(digits, apply_overrides(Recipe(), choices))), tmp_path / "run")
    threads = session.recipe.training.threads
    assert threads < processors.allowed()
    assert session.resolved.reasons["training.threads"].endswith(f" times as long with {2 * threads}")
    assert read_recipe(tmp_path / "run" / directory.RECIPE).training.threads == threads
    with session.numerics():
        assert torch.get_num_threads() == threads


def test_steps_are_measured_with_the_threads_that_they_stand_for(prepared_with, exactly, tmp_path) -> None:
    session = exactly.begun(prepared_with(training__threads=2), tmp_path / "run")
    (stage,) = session.stages
    seen: list[int] = []

    def step(*given):
        seen.append(torch.get_num_threads())
        return stage.step(*given)

    session.stages = (replace(stage, step=step),)
    _, found = measured(session, seconds=0.01)
    assert list(dict.fromkeys(seen)) == list(found) == [1, 2]


def test_threads_that_are_asked_for_stay(digits, tmp_path, exactly) -> None:
    choices = {"network": "lenet", "training.time_budget_minutes": 1, "training.threads": 64}
    session = exactly.begun(prepare(survey(digits, apply_overrides(Recipe(), choices))), tmp_path / "run")
    assert session.recipe.training.threads == 64
