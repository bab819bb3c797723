"""Findings on real trainings: each fires on its fault and is silent without it, and prescribes what can be done."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sick_trainings import CASES, QUICK

from sightline.comparison.cure import compare, prescribe
from sightline.diagnosis import History, diagnose, passed
from sightline.diagnosis.finding import from_dict
from sightline.diagnosis.findings import RULES
from sightline.errors import TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import train
from sightline.training.log import lines
from sightline.training.watching import history_of

BY_CODE = {case.code: case for case in CASES}
FAST = ("rate-too-low", "diverging")
"""Those that are trained in every run of the tests; `make slow` trains all."""


@cache
def trained(code: str, kind: str, seed: int = 0) -> Path:
    """The run of a case."""
    case, folder = BY_CODE[code], Path(mkdtemp(prefix=f"sightline-{code}-"))
    make, chosen = (case.source, case.sick) if kind == "sick" else (case.healthy_source, case.healthy)
    source, extra = make(folder, seed)
    with suppress(TrainingError):  # which is what is diagnosed
        train(source, {**chosen, **extra, "training.seed": seed}, out=folder / "run")
    return folder / "run"


def codes(path: Path) -> set[str]:
    return {finding.code for finding in diagnose(history_of(path))}


@pytest.mark.parametrize(
    "code", [pytest.param(code, marks=() if code in FAST else pytest.mark.slow) for code in BY_CODE]
)
def test_a_finding_fires_on_its_fault_and_is_silent_without(code):
    assert code in codes(trained(code, "sick"))
    assert code not in codes(trained(code, "healthy"))


@pytest.mark.parametrize("code", ["rate-too-low", "diverging"])
def test_what_is_prescribed_cures(code, tmp_path):
    sick = trained(code, "sick")
    prescription = prescribe(history_of(sick), (code,))
    assert [finding.code for finding in prescription.cures] == [code]
    source, _ = BY_CODE[code].source(tmp_path, 0)
    train(source, prescription.recipe, out=tmp_path / "cured")
    cured = compare(sick, tmp_path / "cured")
    assert code in cured.gone
    assert cured.after > 0.9
    assert (cured.before is None) == (code == "diverging")


@pytest.mark.parametrize("code", FAST)
def test_what_was_said_while_it_trained_is_what_the_log_says(code):
    history = history_of(trained(code, "sick"))
    live = {line["code"] for line in history.found}
    standing = {finding.code for finding in diagnose(history)}
    assert code in live
    assert standing <= live
    assert live - standing == {finding.code for finding in passed(history)}


def test_every_finding_says_where_why_and_what_to_do():
    for code in FAST:
        for finding in diagnose(history_of(trained(code, "sick"))):
            assert finding.says.endswith(".")
            assert "\n" not in finding.says
            assert finding.evidence
            assert finding.reason
            assert finding.reference
            assert finding.step > 0
            assert from_dict({**finding.as_dict(), "event": "finding"}) == finding
            history = history_of(trained(code, "sick"))
            assert apply_overrides(history.recipe, finding.overrides) == apply_overrides(history.recipe, finding.change)


def test_of_every_beginning_of_a_log_something_can_be_said():
    """A run is diagnosed while it trains, whatever its log has so far; and nothing is said without reason."""
    for code in FAST:
        run = trained(code, "sick")
        recipe, events = history_of(run).recipe, list(lines(run / "events.jsonl"))
        for length in range(len(events) + 1):
            history = History(recipe)
            for line in events[:length]:
                history.add(line)
            found = diagnose(history)
            assert length > 1 or not found
    assert diagnose(History(Recipe())) == ()  # not even resolved


def test_a_log_without_probes_is_diagnosed_by_its_epochs(tmp_path):
    train("digits", {**QUICK, "training.diagnosis": False, "optimizer.learning_rate": 1e-9}, out=tmp_path / "run")
    history = history_of(tmp_path / "run")
    assert not history.probes
    assert not history.found
    assert "training" not in history.sealed
    assert {finding.code for finding in diagnose(history)} == {"no-learning"}


def test_there_is_a_case_for_every_rule():
    assert len(CASES) == len(RULES)
