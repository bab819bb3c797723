"""Processes begin with their libraries loaded, with the environment of now, and share queues."""

import os
import sys
from pathlib import Path

import pytest

from sightline import processes


def tell(answers, name: str) -> None:
    answers.put((os.environ.get(name), "torch._dynamo" in sys.modules, str(Path.cwd())))


@pytest.mark.parametrize("forks", [True, False])
def test_a_process_has_the_environment_and_the_place_of_now(monkeypatch, tmp_path, forks) -> None:
    monkeypatch.setattr(processes, "FORKS", forks and processes.FORKS)
    found = []
    for value in ("one", "two"):
        monkeypatch.setenv("SIGHTLINE_SAID", value)
        (tmp_path / value).mkdir()
        monkeypatch.chdir(tmp_path / value)
        context = processes.context()
        answers = context.Queue()
        process = processes.begun(context, tell, answers, "SIGHTLINE_SAID")
        found.append(answers.get(timeout=120))
        process.join()
        assert process.exitcode == 0
    assert [(said, place) for said, _, place in found] == [(v, str(tmp_path / v)) for v in ("one", "two")]


@pytest.mark.skipif(not processes.FORKS, reason="only on Linux are processes forked")
def test_libraries_are_loaded_before_a_process_begins() -> None:
    processes.load_early()
    context = processes.context()
    answers = context.Queue()
    processes.begun(context, tell, answers, "PATH")
    assert answers.get(timeout=120)[1]
